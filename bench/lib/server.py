"""Starts and stops the servers that are measured.

Every server runs as an unprivileged user in a directory of its own, on a
loopback port that nobody else uses, and is only ever stopped by the process
id it was started with.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import addresses
import client
import stores

# "nobody" and "nogroup" of Debian; used only when root runs the benchmark.
NOBODY = 65534

START_SECONDS = 900
STOP_SECONDS = 300
NUDGE_SECONDS = 15

PROGRAMS = ("httpd", "nginx", "haproxy", "caddy")


class ServerError(Exception):
    pass


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def expand(text, values):
    """Fill in @NAME@; a name without a value is a mistake in a table."""
    return re.sub(r"@([A-Z0-9_]+)@", lambda m: values[m.group(1)], text)


def user():
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def give_away(directory):
    if os.geteuid() == 0:
        for place, _, files in os.walk(directory):
            os.chown(place, NOBODY, NOBODY)
            for name in files:
                os.chown(os.path.join(place, name), NOBODY, NOBODY)


def _run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode != 0:
        raise ServerError(f"{command[0]}: {done.stdout.decode()[-300:]}")


class Site:
    """The directory of one system with a number of rules: what a server
    needs to start, any number of times."""

    def __init__(self, bench, system, count, name, database=""):
        self.bench = bench
        self.database = database        # where it is, of systems that have one
        self.system = system
        self.count = count
        self.root = os.path.join(bench.scratch, name)
        for part in ("run", "logs", "htdocs"):
            os.makedirs(os.path.join(self.root, part))
        self.rules = self._place_rules()
        self.addresses = self._place_addresses()
        self._write_htaccess()
        give_away(self.root)

    def _place_rules(self):
        if not self.system.rules:
            return ""
        place = os.path.join(self.root, self.system.rules)
        if self.system.needs == "sqlite3":
            self.database = place
            stores.fill_sqlite(place, self.count)
            return place
        rules = self.bench.rules.get(self.system.line, self.count)
        if self.system.needs == "httxt2dbm":
            _run(["httxt2dbm", "-f", "sdbm", "-i", rules, "-o", place])
        else:
            os.link(rules, place)
        return place

    def _place_addresses(self):
        if self.system.needs != "addresses":
            return ""
        place = os.path.join(self.root, "addresses.mmdb")
        addresses.write(place)
        return place

    def fields(self):
        """What every request to this system carries."""
        return self.bench.header_fields(self.system.vars.get("HEADERS"))

    def _write_htaccess(self):
        name = f"{self.system.template}.htaccess"
        if os.path.exists(self.bench.conf(name)):
            shutil.copy(self.bench.conf(name),
                        os.path.join(self.root, "htdocs", ".htaccess"))

    def values(self, ports, mpm):
        return {"ROOT": self.root, "PORT": str(ports[0]),
                "PORT2": str(ports[1]), "PORT3": str(ports[2]), "MPM": mpm,
                "RULES": self.rules, "ADDRESSES": self.addresses,
                "LIBEXECDIR": self.bench.libexecdir,
                "MODULE": self.bench.module, "CONST307": self.bench.const307,
                "MATCH": "", "MAP": "", "TABLE_OPTIONS": "",
                "COUNTERS": "On", "DATABASE": self.database,
                **self.system.vars}

    def write_conf(self, ports, mpm):
        names = [f"{self.system.template}.conf"]
        if self.system.program == "httpd":
            names.insert(0, "httpd.conf")
        conf = os.path.join(self.root, "server.conf")
        with open(conf, "w", encoding="ascii") as out:
            for name in names:
                with open(self.bench.conf(name), encoding="ascii") as file:
                    out.write(expand(file.read(), self.values(ports, mpm)))
        return conf

    def error_log(self):
        try:
            with open(os.path.join(self.root, "logs", "error_log"),
                      encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


def _command(site, conf, single):
    program = site.system.program
    if program == "nginx":
        return ["nginx", "-p", site.root, "-c", conf,
                "-e", os.path.join(site.root, "logs", "error_log")]
    if program == "haproxy":
        return ["haproxy", "-db", "-f", conf]
    if program == "caddy":
        return ["caddy", "run", "--adapter", "caddyfile", "--config", conf]
    # -X: one process, no parent.
    mode = ["-X"] if single else ["-D", "FOREGROUND"]
    return [site.bench.httpd, *mode, "-d", site.root, "-f", conf]


# For an end in the middle of a measurement.
_running = set()
_closed = threading.Event()


def stop_all():
    """Stop every server, and let none be started any more."""
    _closed.set()
    for running in list(_running):
        running.signal(signal.SIGTERM)


class Server:
    """A running server; leave the `with` block to stop it.

    wrapper: what runs the program, for example valgrind and its options.
    single: one process of the prefork MPM; otherwise a parent and children
    of the event MPM.
    """

    def __init__(self, site, wrapper=(), single=False):
        if _closed.is_set():
            raise ServerError("not started: the benchmark is being stopped")
        self.site = site
        ports = free_port(), free_port(), free_port()
        self.port, self.port2 = ports[:2]
        conf = site.write_conf(ports, "prefork" if single else "event")
        self.output = open(os.path.join(site.root, "output"), "wb")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*wrapper, *_command(site, conf, single)], cwd=site.root,
            stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"] + ":/usr/sbin", "LC_ALL": "C"},
            **user())
        _running.add(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self.process.poll() is None

    def connect(self):
        try:
            sock = client.wait_for_listener(
                self.port, self.started + START_SECONDS, self.alive)
        except OSError as error:
            raise ServerError(self._complaint()) from error
        return client.Connection(sock, self.site.fields())

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self._wait_until_idle()
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            if not self._wait(NUDGE_SECONDS):
                self._nudge()
            if not self._wait(STOP_SECONDS):
                self.process.kill()
        finally:
            self.process.wait()
            self.output.close()
            _running.discard(self)

    def _wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _wait_until_idle(self):
        """httpd -X misses a signal that comes between its look at the flag
        and its wait for connections."""
        asleep = 0
        for _ in range(100):
            asleep = asleep + 1 if _stat(self.process.pid, 0) == "S" else 0
            if asleep == 3 or not self.alive():
                return
            time.sleep(0.02)

    def _nudge(self):
        """If it has missed it all the same, a connection makes it look."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except OSError:
            pass                    # it is on its way

    def children(self):
        """Process ids of the server's children."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and _stat(entry, 1) == str(self.process.pid):
                found.append(int(entry))
        return found

    def _complaint(self):
        with open(self.output.name, encoding="utf-8",
                  errors="replace") as file:
            said = (file.read() + self.site.error_log()).strip()
        return f"{self.site.system.id} did not start: {said[-600:]}"


def _stat(pid, field):
    """A field of the process: 0 its state, 1 its parent. None if it ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[field]
    except (FileNotFoundError, ProcessLookupError):
        return None
