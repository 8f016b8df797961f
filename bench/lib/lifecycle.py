"""What rules cost before and besides requests: start, compile, restart,
refresh, files and memory. Wall clock times are medians; what a server without
rules needs is subtracted where the name says "extra"."""
import glob
import os
import shutil
import signal
import statistics
import time

import load
import rules
from server import Server, ServerError, Site

RESTARTS = 7
REFRESH_SECONDS = 600


def _first_answer(site, workload):
    """Seconds from the start of the program to its first right answer."""
    with Server(site) as server:
        with server.connect() as connection:
            connection.check(next(rules.requests(workload, site.count, 0, 1)))
        return time.monotonic() - server.started


def _starts(site, workload, times, before=lambda: None):
    seconds = []
    for _ in range(times):
        before()
        seconds.append(_first_answer(site, workload))
    return seconds


def measure_start(bench, case):
    site = Site(bench, bench.systems[case.system], case.count, "s-system")
    try:
        seconds = _starts(site, case.workload, case.numbers[0])
    finally:
        site.remove()
    return ({case.key: round(statistics.median(seconds), 3)},
            {"seconds": seconds})


def _restart(server):
    """Seconds from SIGHUP to the line that says the server is up again."""
    ready = "resuming normal operations"
    before = server.site.error_log().count(ready)
    begin = time.monotonic()
    server.signal(signal.SIGHUP)
    while server.site.error_log().count(ready) == before:
        if not server.alive() or time.monotonic() > begin + 60:
            raise ServerError("httpd did not restart")
        time.sleep(0.0005)
    return time.monotonic() - begin


def _restarts(site, workload):
    with Server(site) as server:
        request = next(rules.requests(workload, site.count, 0, 1))
        with server.connect() as connection:
            connection.check(request)
        seconds = []
        for _ in range(RESTARTS):
            time.sleep(0.3)
            seconds.append(_restart(server))
        with server.connect() as connection:
            connection.check(request)
    return seconds


def _memory(pid):
    """Kilobytes of a process: (private, shared). A clean page of a mapped
    file is the page cache's, even while only one process has touched it."""
    private = shared = 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name == "Private_Dirty":
                private += int(rest.split()[0])
            elif name in ("Private_Clean", "Shared_Clean", "Shared_Dirty"):
                shared += int(rest.split()[0])
    return private, shared


def _memory_per_child(bench, site, workload, seconds):
    """The largest of each after load on all rules."""
    paths = load.write_paths(site, workload)
    with Server(site) as server:
        with server.connect() as connection:
            connection.check(next(rules.requests(workload, site.count, 0, 1)))
        status = 404 if workload == "miss" else 307
        load.run_wrk(bench, server.port, paths, seconds, status)
        used = [_memory(pid) for pid in server.children()]
    if len(used) < 2:
        raise ServerError("the server has fewer than two children")
    return {"private_kb": max(p for p, _ in used),
            "shared_kb": max(s for _, s in used)}


def _moved_elsewhere(site):
    """The next version of the rules: rule 0 has another target. Returns the
    request and the answers before and after."""
    path, status, location = rules.path(0), 307, rules.target(0)
    other = location.replace("safe.example", "next.example")
    new = site.rules + ".new"
    with open(site.rules, "rb") as old, open(new, "wb") as out:
        out.write(old.readline().replace(location.encode(), other.encode()))
        shutil.copyfileobj(old, out, 1 << 20)
    if os.geteuid() == 0:
        shutil.chown(new, *_owner(site.rules))
    os.rename(new, site.rules)
    return path, (status, location), (status, other)


def _owner(name):
    info = os.stat(name)
    return info.st_uid, info.st_gid


def _refresh(site):
    """Seconds from the rename of the source to the first answer from it."""
    with Server(site) as server, server.connect() as connection:
        connection.check((rules.path(0), 307, rules.target(0)))
        path, before, after = _moved_elsewhere(site)
        begin = time.monotonic()
        while (answer := connection.ask(path)) != after:
            if answer != before or time.monotonic() > begin + REFRESH_SECONDS:
                raise ServerError(f"refresh ended in {answer}")
            time.sleep(0.005)
        return time.monotonic() - begin


def _size_of(directory, pattern):
    return sum(os.stat(name).st_size
               for name in glob.glob(os.path.join(directory, pattern)))


def _measure(bench, case, idle, site):
    """All of it, in the order that leaves the compiled file in place."""
    state = os.path.join(site.root, "state")
    seconds = 2 if bench.quick else 10
    return {
        "idle_start": _starts(idle, "miss", RESTARTS),
        "cold_start": _starts(site, case.workload, case.numbers[0],
                              lambda: shutil.rmtree(state, True)),
        "file_bytes": _size_of(state, "*.table"),
        "counter_bytes": _size_of(state, "*.counts.*"),
        "warm_start": _starts(site, case.workload, RESTARTS),
        "idle_restart": _restarts(idle, "miss"),
        "restart": _restarts(site, case.workload),
        "idle_memory": _memory_per_child(bench, idle, "miss", seconds),
        "memory": _memory_per_child(bench, site, case.workload, seconds),
        "refresh": _refresh(site),
    }


def _extra(raw, name, idle):
    return statistics.median(raw[name]) - statistics.median(raw[idle])


def _values(raw, count):
    memory, idle = raw["memory"], raw["idle_memory"]
    return {
        "compile_s": round(_extra(raw, "cold_start", "idle_start"), 3),
        "file_bytes_per_rule": round(raw["file_bytes"] / count, 1),
        "counter_bytes_per_rule": round(raw["counter_bytes"] / count, 1),
        "warm_start_extra_ms":
            round(1000 * _extra(raw, "warm_start", "idle_start"), 1),
        "restart_extra_ms":
            round(1000 * _extra(raw, "restart", "idle_restart"), 1),
        "refresh_s": round(raw["refresh"], 2),
        "private_extra_kb": memory["private_kb"] - idle["private_kb"],
        "shared_extra_kb": memory["shared_kb"] - idle["shared_kb"],
    }


def measure_table(bench, case):
    idle = Site(bench, bench.systems["idle"], 1, "l-idle")
    site = Site(bench, bench.systems[case.system], case.count, "l-system")
    try:
        raw = _measure(bench, case, idle, site)
    finally:
        idle.remove()
        site.remove()
    values = _values(raw, case.count)
    return {f"table/{case.count}/{name}": value
            for name, value in values.items()}, raw
