"""A PostgreSQL server of the benchmark's own: a fresh cluster in its scratch
directory, on a Unix socket and a loopback port, as an unprivileged user, and
stopped by the process id it was started with. It knows nothing of rules."""
import glob
import os
import shutil
import signal
import subprocess
import time

import server

START_SECONDS = 60
STOP_SECONDS = 120

# Settings that let a large import through without much writing; what is
# measured reads only.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "512MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
}


def _version(directory):
    number = directory.split("/")[-2]
    return [int(part) for part in number.split(".") if part.isdigit()]


def bindir():
    """Where the server's programs are, or None."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version,
                    reverse=True)
    places += os.environ["PATH"].split(":")
    for place in places:
        if os.path.exists(os.path.join(place, "initdb")):
            return place
    return None


def why_not():
    return None if bindir() and shutil.which("psql") \
        else "PostgreSQL is not installed"


class Postgres:
    """A running cluster; leave the `with` block to stop and remove it."""

    def __init__(self, directory):
        self.root = os.path.join(directory, "postgres")
        self.data = os.path.join(self.root, "data")
        self.port = server.free_port()
        os.makedirs(self.data)
        server.give_away(self.root)
        self._run("initdb", "-D", self.data, "-U", "owner", "--auth=trust",
                  "--encoding=UTF8", "--locale=C", "--no-sync")
        self.log = open(os.path.join(self.root, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(bindir(), "postgres"), "-D", self.data,
             "-p", str(self.port), "-k", self.root,
             *(word for name, value in SETTINGS.items()
               for word in ("-c", f"{name}={value}"))],
            cwd=self.root, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True, **server.user())
        self._wait_until_ready()

    def _run(self, program, *args):
        done = subprocess.run(
            [os.path.join(bindir(), program), *args], cwd=self.root,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, **server.user())
        if done.returncode != 0:
            raise server.ServerError(
                f"{program}: {done.stdout.decode()[-300:]}")

    def _wait_until_ready(self):
        pid_file = os.path.join(self.data, "postmaster.pid")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with open(pid_file, encoding="ascii") as file:
                    if "ready" in file.read().splitlines()[-1]:
                        return
            except (OSError, IndexError):
                pass
            time.sleep(0.05)
        self.stop()
        raise server.ServerError("PostgreSQL did not start; its log is in "
                                 + self.log.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.log.close()

    def parameters(self):
        return f"host={self.root} port={self.port} dbname=postgres user=owner"

    def psql(self, *args, write=None):
        """Run psql; `write` gets its standard input to fill."""
        client = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
             self.parameters(), *args], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8")
        try:
            if write:
                write(client.stdin)
        except BrokenPipeError:
            pass                        # it says why
        said, _ = client.communicate()
        if client.returncode != 0:
            raise server.ServerError(f"psql: {said[-300:]}")
        return said.strip()

    def sql(self, text):
        return self.psql("-c", text)
