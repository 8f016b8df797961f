"""Reads the tables of the benchmark: systems.tsv, cases.tsv, targets.tsv."""
import collections
import os

System = collections.namedtuple(
    "System", "id title group program template needs rules line vars")

Target = collections.namedtuple("Target", "value op limit unit text")

# All of them together: {id: System}, [Case], [Target].
Plan = collections.namedtuple("Plan", "systems cases targets")


class Case(collections.namedtuple(
        "Case", "measure system workload count numbers")):
    @property
    def key(self):
        """The name of the case, and of its value if it has only one."""
        return f"{self.measure}/{self.system}/{self.workload}/{self.count}"


class TableError(Exception):
    pass


def read_rows(file_name, columns):
    """The rows of a table as lists of strings; "-" is an empty field."""
    rows = []
    with open(file_name, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            fields = ["" if f == "-" else f for f in line.split("\t")]
            if len(fields) != columns:
                raise TableError(f"{os.path.basename(file_name)}:{number}: "
                                 f"{len(fields)} columns, not {columns}")
            rows.append(fields)
    return rows


def _pairs(text):
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def read_systems(directory, name):
    rows = read_rows(os.path.join(directory, name), 9)
    systems = [System(*row)._replace(vars=_pairs(row[8])) for row in rows]
    return {system.id: system for system in systems}


def _counts(text):
    return [int(count.replace("_", "")) for count in text.split(",") if count]


def _read_cases(directory, quick):
    """One case for every system, workload and number of rules."""
    cases = []
    rows = read_rows(os.path.join(directory, "cases.tsv"), 6)
    for measure, system, workload, full, few, numbers in rows:
        for count in _counts(few if quick else full):
            cases.append(Case(measure, system, workload, count,
                              _counts(numbers)))
    return cases


def _read_targets(directory):
    rows = read_rows(os.path.join(directory, "targets.tsv"), 5)
    return [Target(*row)._replace(limit=float(row[2])) for row in rows]


def read_plan(directory, quick):
    return Plan(read_systems(directory, "systems.tsv"), _read_cases(directory, quick),
                _read_targets(directory))
