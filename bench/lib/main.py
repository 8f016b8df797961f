"""Runs the cases, one measurement after the other, and writes the results."""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import sys
import time

import bench as bench_module
import client
import follow
import instructions
import lifecycle
import load
import machine
import picture
import report
import server
import stores
import tables
import targets

MEASURES = {
    "instructions": instructions.measure,
    "throughput": load.measure,
    "start": lifecycle.measure_start,
    "table": lifecycle.measure_table,
    "sync": follow.measure,
}

# Clocks are disturbed by other work, counts are not: only these run side by
# side, and before the others.
SIDE_BY_SIDE = ("instructions",)


def parse_arguments(argv):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(
        prog="bench/measure", description="Measure what a redirect costs.")
    parser.set_defaults(directory=here)
    parser.add_argument("--module", help="mod_redirect307.so to measure")
    parser.add_argument("--httpd", default="/usr/sbin/apache2")
    parser.add_argument("--apxs", default="apxs")
    parser.add_argument("--quick", action="store_true",
                        help="fewer cases and smaller sizes")
    parser.add_argument("--only", metavar="REGEX", default="",
                        help="only cases whose name matches, for example"
                             " instructions/table/; targets are not enforced")
    parser.add_argument("--update", action="store_true",
                        help="with --only: measure these cases again, and"
                             " put them in place of those in bench/")
    parser.add_argument("--output", metavar="DIRECTORY",
                        help="where the results go (default: bench/, with"
                             " --quick bench/quick/, with --only"
                             " bench/partial/)")
    parser.add_argument("--list", action="store_true",
                        help="print the names of the cases")
    parser.add_argument("--report", action="store_true",
                        help="measure nothing; write the report once more"
                             " from results.json")
    args = parser.parse_args(argv)
    if not args.output:
        part = ("" if args.update else "partial" if args.only
                else "quick" if args.quick else "")
        args.output = os.path.join(here, part)
    return args


def _short(name, case):
    """How a value is called on the line of its case."""
    measure, _, rest = name.partition("/")
    return measure if case.key.endswith(rest) else name.rpartition("/")[2]


class Run:
    """Collects what the cases give."""

    def __init__(self, bench, cases):
        self.bench = bench
        self.cases = cases
        self.values, self.raw = {}, {}
        self.skipped, self.failed = {}, {}
        self.done = 0

    def leave_out(self):
        """Take out the cases of systems that cannot run here."""
        reasons = {}
        for case in self.cases:
            if case.system not in reasons:
                system = self.bench.systems[case.system]
                reasons[case.system] = self.bench.why_not(system)
            if reasons[case.system]:
                self.skipped[case.key] = reasons[case.system]
        self.cases = [c for c in self.cases if c.key not in self.skipped]

    def one(self, case):
        begin = time.monotonic()
        try:
            values, raw = MEASURES[case.measure](self.bench, case)
        except (server.ServerError, client.WrongAnswer, stores.StoreError,
                OSError) as error:
            self.failed[case.key] = str(error)
            self._say(case, begin, f"FAILED: {error}")
            return
        self.values.update(values)
        self.raw[case.key] = raw
        self._say(case, begin, ", ".join(
            f"{value:,}" if name == case.key else
            f"{_short(name, case)} {value:,}"
            for name, value in values.items()))

    def _say(self, case, begin, text):
        self.done += 1
        print(f"[{self.done}/{len(self.cases)}] {case.key}: {text}"
              f"  ({time.monotonic() - begin:.0f} s)", flush=True)

    def all(self):
        # The longest first, so that they do not run alone at the end.
        aside = sorted((c for c in self.cases if c.measure in SIDE_BY_SIDE),
                       key=lambda case: -case.count)
        pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        try:
            list(pool.map(self.one, aside))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            if sys.exc_info()[0]:
                _ignore_interrupts()
                server.stop_all()
            pool.shutdown()
        for case in self.cases:
            if case.measure not in SIDE_BY_SIDE:
                self.one(case)

    def results(self):
        return {
            "about": machine.describe(self.bench),
            "values": dict(sorted(self.values.items())),
            "skipped": dict(sorted(self.skipped.items())),
            "failed": dict(sorted(self.failed.items())),
            "raw": dict(sorted(self.raw.items())),
        }


def merge(old, new):
    """Results with cases that were measured again."""
    merged = dict(old)
    for part in ("values", "skipped", "failed", "raw"):
        merged[part] = dict(sorted({**old[part], **new[part]}.items()))
    for key in new["raw"]:          # measured after all
        merged["skipped"].pop(key, None)
        merged["failed"].pop(key, None)
    about, now = dict(old["about"]), new["about"]
    again = about.get("measured again", "")
    about["measured again"] = (again + "; " if again else "") + (
        f"{len(new['raw'])} cases with {now['commit']}, {now['date']}")
    merged["about"] = about
    return merged


def write_json(results, directory):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "results.json"), "w",
              encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def read_json(directory):
    try:
        with open(os.path.join(directory, "results.json"),
                  encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise bench_module.BenchError(f"no {error.filename}") from error


def write_report(plan, results, directory):
    picture.write(plan, results, os.path.join(directory, "cost.svg"))
    report.write(plan, results, os.path.join(directory, "results.md"))
    print("written: " + os.path.relpath(os.path.join(directory,
                                                     "results.md")))


def verdict(plan, results, args):
    """The exit status: 0 when every target that this kind of run measures
    was measured and reached, and no case failed."""
    if results["failed"]:
        print(f"{len(results['failed'])} cases failed", file=sys.stderr)
        return 1
    if args.only:
        return 0
    bad = [target.text for target, _, verdict
           in targets.judge(plan.targets, results["values"])
           if verdict == targets.FAIL
           or verdict == targets.MISSING and not args.quick]
    for text in bad:
        print(f"target missed: {text}", file=sys.stderr)
    return 1 if bad else 0


def check_programs():
    missing = [name for name in bench_module.REQUIRED
               if not bench_module.find_program(name)]
    if missing:
        raise bench_module.BenchError(
            f"not installed: {' '.join(missing)}; run \"make bench-deps\"")


def measure(args, plan, cases):
    if not args.module:
        raise bench_module.BenchError("--module says what to measure")
    check_programs()
    bench = bench_module.Bench(args, plan)
    try:
        run = Run(bench, cases)
        run.leave_out()
        run.all()
        return run.results()
    finally:
        _ignore_interrupts()
        server.stop_all()
        bench.close()


def act(args):
    plan = tables.read_plan(args.directory, args.quick)
    cases = [case for case in plan.cases if re.search(args.only, case.key)]
    if args.list:
        print("\n".join(case.key for case in cases))
        return 0
    if args.report:
        results = read_json(args.output)
    else:
        results = measure(args, plan, cases)
        if args.update:
            results = merge(read_json(args.output), results)
        write_json(results, args.output)
    write_report(plan, results, args.output)
    return verdict(plan, results, args)


def _interrupt(*_):
    raise KeyboardInterrupt


def _ignore_interrupts():
    """The second one must not interrupt the cleaning up after the first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main():
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return act(parse_arguments(sys.argv[1:]))
    except (bench_module.BenchError, tables.TableError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
