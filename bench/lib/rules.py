"""The rules and requests of the benchmark.

Rule number i is the same in every file that holds it, for every system, and
all rules have the same length: about 75 bytes a line in a rule file. So a
request costs the same to read, and its answer the same to write, whatever the
number of rules. No randomness: two runs measure the same thing.
"""
import os
import threading

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl")
REMAINDER = "/sub/page.html"

# Prime to 10**8, so that different rules have different numbers, and far
# apart, so that files are not sorted.
STEP = 48271
NUMBERS = 10 ** 8

# Rules with these indexes are in no file.
MISSING = 20_000_000

# The part of an unbounded sequence that each multiple of it falls into is
# spread evenly: see index_of().
GOLDEN = 0.6180339887498949


def number(index):
    return (index * STEP + 11) % NUMBERS


def item(index):
    return f"item-{number(index):08d}"


def path(index):
    n = number(index)
    return f"/{LANGUAGES[n % 7]}/cat-{n % 9973:04d}/item-{n:08d}"


def tail(index):
    return f"/catalogue/article/{number(index):08d}"


def target(index):
    return "https://safe.example" + tail(index)


def write(file, line, count):
    """Write the first count rules; line is a format with {path}, {item},
    {target} and {tail}, its path."""
    render = line.format
    for begin in range(0, count, 10_000):
        end = min(begin + 10_000, count)
        file.write("".join(
            render(path=path(i), item=item(i), target=target(i),
                   tail=tail(i)) + "\n"
            for i in range(begin, end)))


class Cache:
    """Rule files in one directory, each made once; for many threads."""

    def __init__(self, directory):
        self.directory = directory
        self.files = {}
        self.lock = threading.Lock()

    def get(self, line, count):
        with self.lock:
            if (line, count) not in self.files:
                self.files[line, count] = self._make(line, count)
            return self.files[line, count]

    def _make(self, line, count):
        name = os.path.join(self.directory, f"rules-{len(self.files)}")
        with open(name, "w", encoding="ascii") as file:
            write(file, line, count)
        return name


def index_of(position, count):
    """The rule that request number `position` asks for. Every stretch of
    consecutive requests is spread evenly over the rules, so that neither a
    cache nor a lucky place in the file helps."""
    return int(position * GOLDEN % 1.0 * count)


# One function a workload: (position, count) -> path, status, Location.

def _hit(position, count):
    i = index_of(position, count)
    return path(i) + REMAINDER, 307, target(i) + REMAINDER


def _same(_position, count):
    return _hit(1, count)


def _exact(position, count):
    i = index_of(position, count)
    return path(i), 307, target(i)


def _miss(position, _count):
    return path(MISSING + position) + REMAINDER, 404, None


WORKLOADS = {"hit": _hit, "popular": _hit, "same": _same, "exact": _exact,
             "miss": _miss}


def requests(workload, count, begin, end):
    ask = WORKLOADS[workload]
    return (ask(position, count) for position in range(begin, end))
