"""Puts the rules of the benchmark into databases, with the schemas of share/.
Rule number i has the id i + 1."""
import os
import subprocess

import rules

SHARE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                     "share")
RULESET = "moved"

# A patch has so many rows. None of them changes an answer of a workload.
PATCHED = 1000
MARK, MARK_TARGET = "/patched", "https://safe.example/patched"


class StoreError(Exception):
    pass


def schema(name):
    return os.path.join(SHARE, f"redirect307-{name}.sql")


def _lines(count, render):
    for begin in range(0, count, 10_000):
        end = min(begin + 10_000, count)
        yield "".join(render(i) for i in range(begin, end))


def fill_postgresql(database, count):
    """database: a postgres.Postgres. The log of changes gets one only: writing
    it is not what is measured."""
    def write(out):
        out.write("SET session_replication_role = replica;\n"
                  "COPY redirect307_rule (id, ruleset, kind, path, target)"
                  " FROM STDIN;\n")
        for text in _lines(count, lambda i: f"{i + 1}\t{RULESET}\tprefix\t"
                           f"{rules.path(i)}\t{rules.target(i)}\n"):
            out.write(text)
        # as after any history: the log has a last change
        out.write("\\.\nSET session_replication_role = origin;\n"
                  "UPDATE redirect307_rule SET note = 'imported' WHERE id = 1;\n"
                  "VACUUM ANALYZE redirect307_rule;\nCHECKPOINT;\n")

    database.psql("-f", schema("postgresql"))
    database.psql(write=write)


def _sqlite(file_name, parts):
    client = subprocess.Popen(["sqlite3", "-batch", "-bail", file_name],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8")
    try:
        for part in parts:
            client.stdin.write(part)
    except BrokenPipeError:
        pass                            # it says why
    said, _ = client.communicate()
    if client.returncode != 0:
        raise StoreError(f"sqlite3: {said[-300:]}")


def fill_sqlite(file_name, count):
    with open(schema("sqlite"), encoding="ascii") as file:
        text = file.read()
    head = ("INSERT INTO redirect307_rule (id, ruleset, kind, path, target)"
            " VALUES ")
    _sqlite(file_name, (
        "BEGIN;\n", text,
        *(f"{head}{part.rstrip()[:-1]};\n" for part in
          _lines(count, lambda i: f"({i + 1}, '{RULESET}', 'prefix',"
                 f" '{rules.path(i)}', '{rules.target(i)}'),\n")),
        "COMMIT;\n"))


def patch_sqlite(file_name, count):
    """One transaction that touches some rules, spread evenly, and adds one
    that shows that it has arrived."""
    step = max(count // PATCHED, 1)
    _sqlite(file_name, (
        "BEGIN;\n",
        f"UPDATE redirect307_rule SET note = 'patched' WHERE id % {step} = 0;\n",
        "INSERT INTO redirect307_rule (id, ruleset, kind, path, target)"
        f" VALUES ({count + 1}, '{RULESET}', 'exact', '{MARK}',"
        f" '{MARK_TARGET}');\n",
        "COMMIT;\n"))
