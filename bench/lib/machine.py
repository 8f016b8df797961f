"""What a result must say about where it comes from, and no more: neither the
name of the machine nor a path on it."""
import datetime
import os
import platform
import re
import subprocess

VERSIONS = (
    ("valgrind", ["valgrind", "--version"]),
    ("wrk", ["wrk", "-v"]),
    ("nginx", ["nginx", "-v"]),
    ("HAProxy", ["haproxy", "-v"]),
    ("Caddy", ["caddy", "version"]),
    ("compiler", ["cc", "--version"]),
    ("PCRE2", ["pcre2-config", "--version"]),
)


def _output(command, **options):
    env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, env=env,
                              **options)
    except FileNotFoundError:
        return ""
    return done.stdout.decode(errors="replace").strip()


def _version(command):
    found = re.search(r"\d+\.\d+[\w.+-]*", _output(command))
    return found.group(0).rstrip(".") if found else "none"


def commit(directory):
    """The commit, and whether the tree had changes besides the results."""
    name = _output(["git", "-C", directory, "rev-parse", "--short=12", "HEAD"])
    if not re.fullmatch(r"[0-9a-f]{12}", name):
        return "unknown, not a git checkout"
    changed = _output(["git", "-C", directory, "status", "--porcelain",
                       "--untracked-files=no", "--", ":/",
                       ":(exclude,top)bench/results*",
                       ":(exclude,top)bench/cost*"])
    return name + (" with changes" if changed else "")


def _field(file_name, pattern):
    try:
        with open(file_name, encoding="utf-8") as file:
            found = re.search(pattern, file.read(), re.M)
    except FileNotFoundError:
        return None
    return found.group(1) if found else None


def describe(bench):
    memory = int(_field("/proc/meminfo", r"^MemTotal:\s+(\d+)") or 0)
    about = {
        "commit": commit(bench.directory),
        "date": datetime.date.today().isoformat(),
        "run": "quick" if bench.quick else "full",
        "processor": _field("/proc/cpuinfo", r"^model name\s*: (.*)")
        or platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{memory / 2 ** 20:.0f} GB",
        "system": _field("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
        or platform.system(),
        "httpd": _version([bench.httpd, "-v"]),
    }
    about.update((name, _version(command)) for name, command in VERSIONS)
    return about
