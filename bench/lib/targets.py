"""Compares what was measured with targets.tsv."""

PASS, FAIL, MISSING = "pass", "FAIL", "not measured"


def compute(expression, values):
    """The value of "A", "A - B" or "A / B"; None if one is missing."""
    words = expression.split(" ")
    numbers = [values.get(word) for word in words[0::2]]
    if None in numbers:
        return None
    if len(words) == 1:
        return numbers[0]
    left, right = numbers
    return left - right if words[1] == "-" else left / right


def _holds(value, target):
    if target.op == "<=":
        return value <= target.limit
    return value >= target.limit


def judge(targets, values):
    """(target, measured value or None, verdict) for each target."""
    verdicts = []
    for target in targets:
        value = compute(target.value, values)
        if value is None:
            verdict = MISSING
        else:
            verdict = PASS if _holds(value, target) else FAIL
        verdicts.append((target, value, verdict))
    return verdicts


def names(targets):
    """All names of values that targets are made of."""
    return {word for target in targets
            for word in target.value.split(" ")[0::2]}
