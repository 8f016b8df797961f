"""Servers that follow a database: the first sync, and how long one change
takes and what it costs when the table is large. PostgreSQL is on the same
machine, so the two share its processors."""
import os
import threading
import time

import postgres
import rules
import stores
from server import Server, ServerError, Site

CHANGES = 5
SYNC_SECONDS = 1800
CHANGE_SECONDS = 60
PAUSE_SECONDS = 3                       # with refresh=1

def _processor_seconds(pids):
    """What the threads of these processes have used so far."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat",
                      encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


class _Peak(threading.Thread):
    """Looks at the memory of the children that is their own, and keeps the
    largest; mapped files are not in it."""

    def __init__(self, running):
        super().__init__(daemon=True)
        self.running, self.kilobytes = running, 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            for pid in self.running.children():
                self.kilobytes = max(self.kilobytes, _anonymous(pid))

    def stop(self):
        self.ended.set()
        self.join()
        return self.kilobytes


def _anonymous(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def wait_for(connection, path, wanted, seconds):
    """Ask until the answer is the wanted one; seconds that it took."""
    begin = time.monotonic()
    while (answer := connection.ask(path)) != wanted:
        if time.monotonic() > begin + seconds:
            raise ServerError(f"{path} is still answered with {answer}")
        time.sleep(0.005)
    return time.monotonic() - begin


def _first_sync(running, site):
    """Seconds from the start of httpd, without a compiled table, to an answer
    from the table; and the peak of a child's memory."""
    peak = _Peak(running)
    peak.start()
    path, status, location = next(rules.requests("hit", site.count, 0, 1))
    with running.connect() as connection:
        wait_for(connection, path, (status, location), SYNC_SECONDS)
        seconds = time.monotonic() - running.started
        for request in rules.requests("hit", site.count, 0, 100):
            connection.check(request)
    return seconds, peak.stop()


def _update(database, number):
    target = f"https://next.example/{number}"
    database.sql(f"UPDATE redirect307_rule SET target = '{target}'"
                 " WHERE id = 1")
    return 307, target


def _visible(connection, database):
    """Seconds from one UPDATE to the answer that shows it, some times."""
    return [wait_for(connection, rules.path(0), _update(database, number),
                     CHANGE_SECONDS) for number in range(CHANGES + 1)][1:]


def _processor(running, connection, each):
    """Processor time of the children while each(n) is done, a pause that is
    long enough for it to arrive, and one request."""
    before = _processor_seconds(running.children())
    for number in range(CHANGES):
        wanted = each(number)
        time.sleep(PAUSE_SECONDS)
        answer = connection.ask(rules.path(0))
        if wanted and answer != wanted:
            raise ServerError(f"a change has not arrived: {answer}")
    return _processor_seconds(running.children()) - before


def _changes(running, database):
    """Seconds of each of some changes, and processor time of one: what it
    takes more than the same without a change."""
    with running.connect() as connection:
        seconds = _visible(connection, database)
        idle = _processor(running, connection,
                          lambda _: database.sql("SELECT 1") and None)
        busy = _processor(running, connection,
                          lambda n: _update(database, CHANGES + 1 + n))
    return seconds, (busy - idle) / CHANGES


def _measure(bench, case, database):
    stores.fill_postgresql(database, case.count)
    site = Site(bench, bench.systems[case.system], case.count, "f-system",
                database.parameters())
    try:
        with Server(site) as running:
            sync, memory = _first_sync(running, site)
            seconds, processor = _changes(running, database)
            left = max(map(_anonymous, running.children()))
    finally:
        site.remove()
    return {"sync": sync, "memory_kb": memory, "left_kb": left, "changes": seconds,
            "change_processor": processor}


def measure(bench, case):
    with postgres.Postgres(bench.scratch) as database:
        raw = _measure(bench, case, database)
    key = f"sync/{case.count}"
    return {
        f"{key}/sync_s": round(raw["sync"], 2),
        f"{key}/memory_mb": round(raw["memory_kb"] / 1024, 1),
        f"{key}/memory_after_mb": round(raw["left_kb"] / 1024, 1),
        f"{key}/change_s": round(max(raw["changes"]), 2),
        f"{key}/change_cpu_ms": round(1000 * raw["change_processor"], 1),
    }, raw
