"""Load from wrk; requests per second, and processor time per request, as
ratios of two servers that are asked in turn."""
import glob
import os
import re
import statistics
import subprocess

import rules
from server import Server, ServerError, Site

CONNECTIONS = 16

# How many different paths are asked for, in turn. Most traffic goes to few
# rules, and what those need stays in the caches of the processor. 100,000 is
# the worst there is: no cache holds what they touch, so each request waits for
# memory several times.
PATHS = {"popular": 100, "hit": 100_000, "miss": 100_000}

# Short, so that both sides of a pair meet the same machine.
RUN_SECONDS = 1

# Both servers are started that often, and an equal part of the pairs is
# measured each time: where the kernel happens to place a process in memory
# changes its rate by a few per cent for as long as it lives.
STARTS = 3

# Runs of each start before the first that counts: every child has met every
# path then, so that pages are mapped and rules have been hit before.
WARM_RUNS = 4


def write_paths(site, workload):
    """The file of paths that paths.lua reads."""
    name = os.path.join(site.root, "paths")
    many = PATHS[workload] if site.count > 1 or workload == "miss" else 1
    with open(name, "w", encoding="ascii") as file:
        for path, _, _ in rules.requests(workload, site.count, 0, many):
            file.write(path + "\n")
    return name


def run_wrk(bench, port, paths, seconds, status, wrapper=()):
    """(requests, requests per second); any answer that is not of the
    expected class is an error."""
    done = subprocess.run(
        [*wrapper, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s",
         "--timeout", "10s", "-s", os.path.join(bench.directory, "paths.lua"),
         f"http://127.0.0.1:{port}/", "--", paths],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode()
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", said, re.M)
    if done.returncode != 0 or not rate or "Socket errors" in said:
        raise ServerError(f"wrk: {said[-300:]}")
    refused = re.search(r"^\s*Non-2xx or 3xx responses: (\d+)", said, re.M)
    answered = re.search(r"^\s*(\d+) requests in", said, re.M).group(1)
    if (refused.group(1) if refused else "0") != (
            answered if status >= 400 else "0"):
        raise ServerError(f"wrk got other answers than {status}: {said}")
    return int(answered), float(rate.group(1))


def _processors():
    """What puts the server on one processor and wrk on another: the server
    is then what limits the rate."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return [], []
    return (["taskset", "-c", str(cpus[0])], ["taskset", "-c", str(cpus[1])])


def _processor_time(server):
    """Nanoseconds that all threads of a server have run."""
    total = 0
    for pid in [server.process.pid, *server.children()]:
        for name in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with open(name, encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


def _run(bench, server, paths, status, wrapper):
    """(requests per second, nanoseconds of the processor per request)."""
    before = _processor_time(server)
    requests, rate = run_wrk(bench, server.port, paths, RUN_SECONDS, status,
                             wrapper)
    return rate, round((_processor_time(server) - before) / requests)


def _check_first(server, workload, count):
    request = next(rules.requests(workload, count, 0, 1))
    with server.connect() as connection:
        connection.check(request)
    return request[1]


def _pairs(bench, case, sites, count):
    """Pairs of what _run() gives, of the system and of the constant, from one
    start of both."""
    server_cpu, wrk_cpu = _processors()
    with Server(sites[0], server_cpu) as ours, \
            Server(sites[1], server_cpu) as constant:
        paths = write_paths(sites[0], case.workload)
        sides = [(ours, _check_first(ours, case.workload, case.count)),
                 (constant, _check_first(constant, "hit", 1))]

        def both(turn):
            # The one that begins changes: A B, B A, A B...
            order = sides if turn % 2 == 0 else sides[::-1]
            runs = [_run(bench, server, paths, status, wrk_cpu)
                    for server, status in order]
            return runs if turn % 2 == 0 else runs[::-1]

        for turn in range(WARM_RUNS):
            both(turn)
        return [both(turn) for turn in range(count)]


def _ratio(pairs, which):
    return round(statistics.median(ours[which] / constant[which]
                                   for ours, constant in pairs), 4)


def measure(bench, case):
    systems = bench.systems
    sites = [Site(bench, systems[case.system], case.count, "t-system"),
             Site(bench, systems["constant"], 1, "t-constant")]
    full, quick = case.numbers
    try:
        count = -(-(quick if bench.quick else full) // STARTS)
        pairs = [pair for _ in range(STARTS)
                 for pair in _pairs(bench, case, sites, count)]
    finally:
        for site in sites:
            site.remove()
    name = case.key.partition("/")[2]
    return ({case.key: _ratio(pairs, 0), f"processor/{name}": _ratio(pairs, 1)},
            {"rate_and_nanoseconds": pairs})
