"""Draws instructions per request over the number of rules, on log axes, one
line a system, as an SVG. What is drawn is what results.md has as a table."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 925, 560
LEFT, RIGHT, TOP, BOTTOM = 105, 240, 50, 60
INK, GRID = "#333333", "#dddddd"
COLORS = {
    "redirect307": "#d55e00", "table": "#0072b2", "table-refresh": "#0072b2",
    "alias": "#009e73", "rewritemap-txt": "#cc79a7",
    "rewritemap-dbm": "#e69f00", "nginx": "#56b4e9", "haproxy": "#777777",
}
OURS = ("redirect307", "table", "table-refresh")
LABEL_HEIGHT = 16


def lines_of(plan, results):
    """{system: [(rules, instructions), ...]} for systems with several
    numbers of rules."""
    found = {}
    for key, value in results["values"].items():
        parts = key.split("/")
        if parts[0] == "instructions" and parts[2] == "hit" \
                and plan.systems[parts[1]].group == "prefix":
            found.setdefault(parts[1], []).append((int(parts[3]), value))
    return {name: sorted(points) for name, points in found.items()
            if len(points) > 1}


class Axis:
    """Maps values to pixels, by their logarithms, in whole decades."""

    def __init__(self, values, begin, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def decades(self):
        return [10 ** power for power in range(self.low, self.high + 1)]


def _text(x, y, text, anchor="start", color=INK, size=13):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" '
            f'font-size="{size}" fill="{color}">{escape(text)}</text>')


def _line(x1, y1, x2, y2, color, more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}"{more}/>')


def _grid(x_axis, y_axis):
    parts = []
    for value in x_axis.decades():
        x = x_axis.at(value)
        parts.append(_line(x, y_axis.begin, x, y_axis.end, GRID))
        parts.append(_text(x, y_axis.begin + 20, f"{value:,}", "middle"))
    for value in y_axis.decades():
        y = y_axis.at(value)
        parts.append(_line(x_axis.begin, y, x_axis.end, y, GRID))
        parts.append(_text(x_axis.begin - 8, y + 4, f"{value:,}", "end",
                           size=11))
    return parts


def _curve(points, color, width):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'
            for x, y in points]
    return [f'<polyline points="{path}" fill="none" stroke="{color}" '
            f'stroke-width="{width}"/>', *dots]


def _spread(labels):
    """Move labels apart, from the top down, so that none covers another."""
    placed, last = [], -LABEL_HEIGHT
    for y, *rest in sorted(labels):
        last = max(y, last + LABEL_HEIGHT)
        placed.append((last, *rest))
    return placed


def _labels(ends, x):
    """The name of each line, at the right, tied to the line's end."""
    parts = []
    for y, end_x, end_y, title, color in _spread(ends):
        parts.append(_line(end_x + 5, end_y, x - 4, y, color,
                           ' stroke-width="0.7" stroke-dasharray="2,2"'))
        parts.append(_text(x, y + 4, title, color=color))
    return parts


def draw(lines, titles, constant):
    values = [v for points in lines.values() for _, v in points]
    if constant:
        values.append(constant)
    x_axis = Axis([n for points in lines.values() for n, _ in points],
                  LEFT, WIDTH - RIGHT)
    y_axis = Axis(values, HEIGHT - BOTTOM, TOP)
    parts, ends = _grid(x_axis, y_axis), []
    if constant:
        y = y_axis.at(constant)
        parts.append(_line(x_axis.begin, y, x_axis.end, y, INK,
                           ' stroke-dasharray="6,4"'))
        ends.append((y, x_axis.end, y, "constant 307", INK))
    for name, points in lines.items():
        color = COLORS.get(name, INK)
        pixels = [(x_axis.at(n), y_axis.at(v)) for n, v in points]
        parts += _curve(pixels, color, 3 if name in OURS else 1.5)
        ends.append((pixels[-1][1], *pixels[-1], titles[name], color))
    parts += _labels(ends, WIDTH - RIGHT + 14)
    parts.append(_text(LEFT, TOP - 22, "Instructions per request, hit",
                       size=16))
    parts.append(_text((x_axis.begin + x_axis.end) / 2, HEIGHT - 14,
                       "number of rules", "middle"))
    return parts


def write(plan, results, file_name):
    lines = lines_of(plan, results)
    if not lines:
        parts = [_text(LEFT, TOP, "Nothing was measured over several numbers"
                                  " of rules.")]
    else:
        titles = {name: plan.systems[name].title for name in lines}
        parts = draw(lines, titles,
                     results["values"].get("instructions/constant/hit/1"))
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                   f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
                   f'font-family="sans-serif">\n'
                   f'<rect width="{WIDTH}" height="{HEIGHT}" '
                   f'fill="white"/>\n')
        file.write("\n".join(parts) + "\n</svg>\n")
