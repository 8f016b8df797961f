"""Instructions per request, counted by callgrind.

The server runs twice, as one process, for two different numbers of requests
on one keep-alive connection. What the second run needed more, divided by the
requests it served more, is the cost of a request: all that happens once
cancels out. No clock is involved, so other load on the machine changes
nothing.

Of nginx and HAProxy everything is counted. httpd needs another number of
instructions for every start, because APR seeds its hashes with the time, and
with many directives that is more than a request. So everything is counted
from where httpd takes the connection to where it has closed it, whatever
module or library it is in: the whole of every request, and no start.
"""
import os
import re
import zlib

import follow
import rules
import stores
from server import Server, ServerError, Site

# valgrind's own port for debuggers would be one more thing in the process.
VALGRIND = ["valgrind", "--vgdb=no", "--tool=callgrind"]
SYNC_SECONDS = 300
COUNTED = {"httpd": ["--toggle-collect=ap_process_connection"]}


def _total(file_name):
    with open(file_name, encoding="ascii", errors="replace") as file:
        totals = re.findall(r"^(?:summary|totals): (\d+)", file.read(), re.M)
    if not totals:
        raise ServerError("callgrind wrote no total")
    return int(totals[-1])


def _run(site, workload, count):
    """Instructions of a whole run that serves count requests."""
    out = os.path.join(site.root, "run", "callgrind.out")
    wrapper = [*VALGRIND, *COUNTED.get(site.system.program, []),
               f"--callgrind-out-file={out}"]
    with Server(site, wrapper, single=True) as server:
        with server.connect() as connection:
            for request in rules.requests(workload, site.count, 0, count):
                connection.check(request)
    total = _total(out)
    os.unlink(out)
    return total


def _warm(site):
    """Whatever a server keeps from one start to the next is made before: a
    compiled table is not compiled once more under callgrind."""
    with Server(site) as server:
        with server.connect():
            pass


def _sync(site, workload):
    """Likewise for a table of rows, which is there some time after the
    start."""
    path, *answer = next(rules.requests(workload, site.count, 0, 1))
    with Server(site) as server, server.connect() as connection:
        follow.wait_for(connection, path, tuple(answer), SYNC_SECONDS)
        if site.system.vars.get("PATCH"):
            stores.patch_sqlite(site.rules, site.count)
            follow.wait_for(connection, stores.MARK,
                            (307, stores.MARK_TARGET), SYNC_SECONDS)


WARM = {"table": lambda site, workload: _warm(site), "sql": _sync}


def measure(bench, case):
    system = bench.systems[case.system]
    # httpd walks the path of what it serves: all have to be of one length
    site = Site(bench, system, case.count,
                f"i-{zlib.crc32(case.key.encode()):08x}")
    try:
        if system.template in WARM:
            WARM[system.template](site, case.workload)
        totals = [_run(site, case.workload, n) for n in case.numbers]
    finally:
        site.remove()
    few, many = case.numbers
    value = (totals[1] - totals[0]) / (many - few)
    return ({case.key: round(value)},
            {"requests": case.numbers, "instructions": totals})
