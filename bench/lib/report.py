"""Writes results.md from results."""
import targets

GROUPS = (
    ("prefix", "hit", "Prefix rules, hit",
     "Three segments deep; the rest of the path is appended. Each request"
     " asks for another rule, spread evenly over all."),
    ("prefix", "same", "Prefix rules, the same URL again and again",
     "What the cache of mod_rewrite makes of it."),
    ("prefix", "miss", "Prefix rules, miss",
     "No rule matches: 404."),
    ("sql", "hit", "Prefix rules in a database, hit",
     "To be compared with Redirect307Table, refresh=1, above."),
    ("sql", "miss", "Prefix rules in a database, miss", ""),
    ("exact", "exact", "Whole paths, hit", ""),
    ("regex", "hit", "Regular expressions, hit",
     "`^/en/cat-0001/item-00000001/(.*)$` has a literal prefix,"
     " `^/[a-z][a-z]/[^/]+/item-00000001/(.*)$` has none."),
    ("regex", "miss", "Regular expressions, miss", ""),
    ("htaccess", "hit", "Rules in .htaccess, hit", ""),
    ("htaccess", "miss", "Rules in .htaccess, miss", ""),
    ("geo", "hit", "A choice by what is known of the visitor, hit",
     "One rule. Every second line is a rule that chooses; the line before it"
     " is a plain rule with the same fields in the request."),
)

TABLE_COLUMNS = (
    ("compile_s", "compile, s"),
    ("file_bytes_per_rule", "file, bytes a rule"),
    ("counter_bytes_per_rule", "counters beside it, bytes a rule"),
    ("warm_start_extra_ms", "start, source unchanged, ms"),
    ("restart_extra_ms", "restart, source unchanged, ms"),
    ("refresh_s", "refresh, s"),
    ("private_extra_kb", "private memory of a child, KB"),
    ("shared_extra_kb", "shared memory of a child, KB"),
)

SYNC_COLUMNS = (
    ("sync_s", "first sync, s"),
    ("memory_mb", "memory of the process that syncs, MB"),
    ("memory_after_mb", "afterwards, MB"),
    ("change_s", "one change is visible, s"),
    ("change_cpu_ms", "one change, processor time of the server, ms"),
)


def number(value):
    if value is None:
        return ""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _about(results):
    about = results["about"]
    rows = [(name, str(value)) for name, value in about.items()]
    return table(("what", "value"), rows)


def _targets(plan, results):
    rows = []
    for target, value, verdict in targets.judge(plan.targets,
                                                results["values"]):
        rows.append((target.text, number(value),
                     f"{target.op} {number(target.limit)}", target.unit,
                     verdict))
    return table(("target", "measured", "wanted", "unit", "verdict"), rows)


def matrix(plan, results, measure, group, workload):
    """Systems by numbers of rules, or None when nothing was measured."""
    found = {}
    for key, value in results["values"].items():
        parts = key.split("/")
        if parts[0] != measure or len(parts) != 4 or parts[2] != workload:
            continue
        if not group or plan.systems[parts[1]].group == group:
            found.setdefault(parts[1], {})[int(parts[3])] = value
    counts = sorted({count for row in found.values() for count in row})
    rows = [(system.title, *(number(found[name].get(count))
                             for count in counts))
            for name, system in plan.systems.items() if name in found]
    if not rows:
        return None
    return table(("", *(number(count) for count in counts)), rows)


def _baselines(plan, results):
    rows = []
    for key, value in results["values"].items():
        parts = key.split("/")
        if parts[0] == "instructions" \
                and plan.systems[parts[1]].group == "base":
            rows.append((plan.systems[parts[1]].title,
                         "307" if parts[2] == "hit" else "404",
                         number(value)))
    return table(("", "status", "instructions"), rows)


def _instructions(plan, results):
    parts = ["## Instructions per request\n",
             "Columns are numbers of rules.\n", _baselines(plan, results)]
    for group, workload, title, text in GROUPS:
        numbers = matrix(plan, results, "instructions", group, workload)
        if numbers:
            parts += [f"### {title}\n"] + ([text + "\n"] if text else [])
            parts.append(numbers)
    return parts


def _throughput(plan, results):
    parts = ["## Throughput\n",
             "Requests per second as a ratio to the constant module: the"
             " median of alternating pairs of runs, event MPM, server and"
             " client on one processor each. Popular rules: requests go to"
             " 100 different paths in turn, as most traffic goes to few rules."
             " Each request another rule: to 100,000, which is the worst there"
             " is, since no cache holds what they touch.\n",
             *_matrices(plan, results, "throughput"),
             "Processor time of the server per request, of the same runs, also"
             " as a ratio: what other work on the machine disturbs less.\n",
             *_matrices(plan, results, "processor")]
    return parts if len(parts) > 3 else []


def _matrices(plan, results, measure):
    parts = []
    for workload, title in (("popular", "Popular rules:"),
                            ("hit", "Each request another rule:"),
                            ("miss", "404:")):
        numbers = matrix(plan, results, measure, "", workload)
        if numbers:
            parts += [f"{title}\n", numbers]
    return parts


def _starts(plan, results):
    numbers = _matrices(plan, results, "start")
    return ["## From start to first answer, seconds\n", *numbers] \
        if numbers else []


def _lives(results, measure, columns, title, text):
    """What was measured of tables, a line for each number of rules."""
    values = results["values"]
    counts = sorted({int(key.split("/")[1]) for key in values
                     if key.startswith(measure + "/")})
    if not counts:
        return []
    rows = [(number(count), *(number(values.get(f"{measure}/{count}/{name}"))
                              for name, _ in columns)) for count in counts]
    return [f"## {title}\n", text + "\n",
            table(("rules", *(head for _, head in columns)), rows)]


def _table_life(results):
    return _lives(
        results, "table", TABLE_COLUMNS, "A table's life",
        "Times and memory are what is needed beyond a server that has the"
        " module loaded and no table. Refresh is from the rename of a new"
        " source to the first answer from it, with `refresh=1`.")


def _sync(results):
    return _lives(
        results, "sync", SYNC_COLUMNS, "Following PostgreSQL",
        "On the same machine, with `refresh=1`. The first sync is from the"
        " start of httpd to the first answer from the table. A change is one"
        " UPDATE, the slowest of some. Memory is what is the process's own,"
        " mapped files left out, at its highest.")


def _left_out(results):
    parts = []
    for name, title in (("failed", "Failed"), ("skipped", "Not measured")):
        if results[name]:
            parts.append(f"## {title}\n")
            parts.append("\n".join(f"- {key}: {' '.join(why.split())}"
                                   for key, why in results[name].items())
                         + "\n")
    return parts


def write(plan, results, file_name):
    parts = ["# What a redirect costs\n",
             "Written by `bench/measure`; how is explained in"
             " bench/README.md.\n",
             _about(results),
             "## Targets\n", _targets(plan, results),
             "![Instructions per request over the number of rules]"
             "(cost.svg)\n",
             *_instructions(plan, results),
             *_throughput(plan, results),
             *_table_life(results),
             *_sync(results),
             *_starts(plan, results),
             *_left_out(results)]
    with open(file_name, "w", encoding="utf-8") as file:
        file.write("\n".join(parts).rstrip("\n") + "\n")
