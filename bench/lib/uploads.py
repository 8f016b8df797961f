"""What servers do with request bodies that their redirect does not need.
Writes uploads.md and uploads.json."""
import argparse
import collections
import concurrent.futures
import json
import os
import shutil
import signal
import sys
import tempfile

import bench as bench_module
import machine
import report
import server
import tables
import uploader

try:
    import uploader2
except ImportError:
    uploader2 = None

MB = 1048576
SIZES = (MB, 100 * MB, 1024 * MB)

# A client that sends 1 MB in 40 seconds: longer than servers linger.
SLOW_RATE = 26500
SLOW_SECONDS = 45
FAST_SECONDS = 120

# The parts of the report: what the clients of a part have in common.
Part = collections.namedtuple("Part", "id protocol framed expect slow title")
PARTS = (
    Part("length", "h1", True, False, False,
         "HTTP/1.1, Content-Length"),
    Part("chunked", "h1", False, False, False,
         "HTTP/1.1, Transfer-Encoding: chunked"),
    Part("length-expect", "h1", True, True, False,
         "HTTP/1.1, Content-Length, Expect: 100-continue"),
    Part("chunked-expect", "h1", False, True, False,
         "HTTP/1.1, Transfer-Encoding: chunked, Expect: 100-continue"),
    Part("length-slow", "h1", True, False, True,
         "HTTP/1.1, Content-Length, a slow client"),
    Part("chunked-slow", "h1", False, False, True,
         "HTTP/1.1, Transfer-Encoding: chunked, a slow client"),
    Part("h2-length", "h2", True, False, False,
         "HTTP/2, Content-Length"),
    Part("h2-unknown", "h2", False, False, False,
         "HTTP/2, length not announced"),
    Part("h2-expect", "h2", True, True, False,
         "HTTP/2, Content-Length, Expect: 100-continue"),
    Part("h2-slow", "h2", True, False, True,
         "HTTP/2, Content-Length, a slow client"),
)

ABOUT = ("commit", "date", "processor", "cores", "memory", "system", "httpd",
         "nginx", "HAProxy", "Caddy")

TEXT = """\
# What an upload costs

Written by `bench/uploads`; how is explained in bench/README.md.

A client sends a `PUT` with a body to a URL that is redirected with 307, and
goes on sending when the answer arrives, as programs do that read only when
all is sent. *Before* is how much of the body the server's side had taken
when the answer began to arrive, buffers of its kernel included; *after* is
what it took then. *Answer* is what the client could read when it had come to
the end of sending: 307, *cut off*, or *none*. *End* is why it stopped
sending.
"""


class Place:
    """What server.Site needs to know."""

    def __init__(self, args):
        self.directory = args.directory
        self.quick = args.quick
        self.httpd = args.httpd
        self.libexecdir = bench_module.apxs_query(args.apxs, "LIBEXECDIR")
        self.scratch = tempfile.mkdtemp(prefix="r307-uploads.")
        os.chmod(self.scratch, 0o755)
        self.module = shutil.copy(args.module, os.path.join(
            self.scratch, "mod_redirect307.so"))
        self.const307 = ""

    def conf(self, name):
        return os.path.join(self.directory, "conf", name)

    @staticmethod
    def header_fields(_):
        return []

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)


def case_list(quick):
    """(part, size) of everything that is measured for a server."""
    for part in PARTS:
        sizes = SIZES[:1] if part.slow else SIZES[:2] if quick else SIZES
        if part.slow and quick:
            continue
        for size in sizes:
            yield part, size


def upload(port, port2, part, size):
    what = uploader.Upload(size, part.framed, part.expect,
                           SLOW_RATE if part.slow else None,
                           SLOW_SECONDS if part.slow else FAST_SECONDS)
    if part.protocol == "h2":
        return uploader2.Http2(port2, what).run()
    return uploader.Http1(port, what).run()


def measure_system(place, system, quick):
    """{part/size: result as a dictionary} of one server."""
    found = {}

    def one(case):
        part, size = case
        key = f"{part.id}/{size}"
        result = upload(running.port, running.port2, part, size)
        found[key] = result._asdict()
        print(f"{system.id}/{key}: {result}", flush=True)

    site = server.Site(place, system, 0, system.id)
    cases = [c for c in case_list(quick) if uploader2
             or c[0].protocol != "h2"]
    with server.Server(site) as running:
        with running.connect():     # it is up
            pass
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            slow = [pool.submit(one, c) for c in cases if c[0].slow]
            for case in cases:
                if not case[0].slow:
                    one(case)
            for task in slow:
                task.result()
    return found


def amount(count):
    if count == 0:
        return "0"
    if count % MB == 0 or count >= 10 * MB:
        return f"{count / MB:,.0f} MB"
    return f"{count / 1024:,.0f} KB"


def row(title, size, result):
    answer = result["answer"] + (", after 100" if result["asked"] else "")
    return (title, amount(size), amount(result["before"]),
            amount(result["after"]), answer, result["end"])


def write_report(results, systems, file_name):
    rows = [(k, str(results["about"][k])) for k in ABOUT
            if k in results["about"]]
    parts = [TEXT, report.table(("what", "value"), rows)]
    for part in PARTS:
        lines = []
        for name, found in results["uploads"].items():
            lines += [row(systems[name].title, int(key.split("/")[1]), value)
                      for key, value in found.items()
                      if key.split("/")[0] == part.id]
        if lines:
            parts += [f"## {part.title}\n", report.table(
                ("server", "body", "before", "after", "answer", "end"),
                sorted(lines, key=lambda r: [s.title for s in
                                             systems.values()].index(r[0])))]
    for why in results["left_out"]:
        parts.append(f"Not measured: {why}.\n")
    with open(file_name, "w", encoding="utf-8") as file:
        file.write("\n".join(parts).rstrip("\n") + "\n")


def problems(results):
    """What this module has promised and did not keep."""
    for key, found in results["uploads"].get("redirect307", {}).items():
        if found["answer"] != "307":
            yield f"{key}: the client did not get the answer"
        if found["asked"]:
            yield f"{key}: the client was asked for the body"
        if found["before"] >= MB and not key.startswith("length/1048576"):
            yield f"{key}: {found['before']} bytes were taken before it"


def measure(args, systems):
    results = {"about": {}, "uploads": {}, "left_out": []}
    place = Place(args)
    try:
        results["about"] = machine.describe(place)
        if not uploader2:
            results["left_out"].append("HTTP/2, python3-h2 is not installed")
        for system in systems.values():
            if system.needs and not bench_module.find_program(system.needs):
                results["left_out"].append(
                    f"{system.title}, {system.needs} is not installed")
                continue
            results["uploads"][system.id] = measure_system(place, system,
                                                           args.quick)
    finally:
        server.stop_all()
        place.close()
    return results


def act(args):
    systems = tables.read_systems(args.directory, "uploads.tsv")
    place = os.path.join(args.output, "uploads.json")
    if args.report:
        with open(place, encoding="utf-8") as file:
            results = json.load(file)
    else:
        results = measure(args, systems)
        os.makedirs(args.output, exist_ok=True)
        with open(place, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    write_report(results, systems, os.path.join(args.output, "uploads.md"))
    bad = list(problems(results))
    if not args.quick:
        bad += results["left_out"]
    for text in bad:
        print(f"uploads: {text}", file=sys.stderr)
    return 1 if bad else 0


def parse_arguments(argv):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(
        prog="bench/uploads",
        description="Measure what becomes of bodies that nobody needs.")
    parser.set_defaults(directory=here)
    parser.add_argument("--module", help="mod_redirect307.so to measure")
    parser.add_argument("--httpd", default="/usr/sbin/apache2")
    parser.add_argument("--apxs", default="apxs")
    parser.add_argument("--quick", action="store_true",
                        help="up to 100 MB, no slow clients")
    parser.add_argument("--report", action="store_true",
                        help="measure nothing; write the report once more"
                             " from uploads.json")
    parser.add_argument("--output", metavar="DIRECTORY",
                        help="where the results go (default: bench/, with"
                             " --quick bench/quick/)")
    args = parser.parse_args(argv)
    if not args.module and not args.report:
        parser.error("--module says what to measure")
    if not args.output:
        args.output = os.path.join(here, "quick" if args.quick else "")
    return args


def _interrupt(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return act(parse_arguments(sys.argv[1:]))
    except (bench_module.BenchError, tables.TableError, server.ServerError,
            OSError) as error:
        print(f"uploads: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("uploads: interrupted", file=sys.stderr)
        return 130
