"""The drawing of a comparison's intervals against its margin, as SVG with its text beside it. Pure."""

from collections.abc import Callable, Sequence

from service.core.golden.comparison_schemas import ComparisonAnswer, EndpointAnswer
from workers.golden.html_text import Html, element, joined, text
from workers.golden.wording import NAMES, UNKNOWN, margin_points, points, span

_WIDTH, _SIDE = 360.0, 12.0  # units that are about pixels on a telephone
_TOP, _ROW, _BOTTOM = 24.0, 44.0, 38.0
_LEAST = 0.35  # share of the width that is left of no change, at least a good part of it for its label
_MOST_CHARS = 500


def drawing(comparison: ComparisonAnswer) -> Html:
    """One bar for each endpoint that has items; nothing where none has."""
    shown = [each for each in comparison.endpoints if each.items]
    if not shown:
        return Html("")
    low, high = _ends(shown, comparison.margin)
    height = _TOP + _ROW * len(shown) + _BOTTOM

    def at(share: float) -> float:
        return round(_SIDE + (share - low) / (high - low) * (_WIDTH - 2 * _SIDE), 1)

    margin = at(comparison.margin)
    parts = [
        element("title", text("Differences with their intervals, against the margin", _MOST_CHARS)),
        element("desc", text(_described(shown, comparison.margin), _MOST_CHARS)),
        _rectangle(margin, _WIDTH - _SIDE - margin, height - _TOP - _BOTTOM),
        _words("worse than allowed", _WIDTH - _SIDE, 16, "end"),
        _words("no change", at(0.0), height - 22, "middle"),
        _words(f"margin {margin_points(comparison.margin)} points", min(margin, _WIDTH - 50), height - 6, "middle"),
    ]
    for row, each in enumerate(shown):
        parts += _bar(each, comparison.margin, at, _TOP + _ROW * row)
    size = f'viewBox="0 0 {_WIDTH:g} {height:g}" role="img" xmlns="http://www.w3.org/2000/svg"'
    return element("svg", *parts, attributes=size)


def _ends(shown: Sequence[EndpointAnswer], margin: float) -> tuple[float, float]:
    """What the axis has to hold, with room at both sides."""
    high = max(1.4 * margin, *(each.difference.ci_high for each in shown))
    low = min(-margin, *(each.difference.ci_low for each in shown))
    room = 0.06 * (high - low)
    high += room
    return min(low - room, -high * _LEAST / (1 - _LEAST)), high


def _described(shown: Sequence[EndpointAnswer], margin: float) -> str:
    lines = [
        f"{NAMES[each.name]}: {points(each.difference.value, margin)} points, interval "
        f"{span(each.difference.ci_low, each.difference.ci_high, margin)}."
        for each in shown
    ]
    return " ".join([*lines, f"The margin is {margin_points(margin)} points; above 0 is worse."])


def _bar(each: EndpointAnswer, margin: float, at: Callable[[float], float], top: float) -> list[Html]:
    found = each.difference
    middle = top + 28
    told = UNKNOWN if found.value is None else points(found.value, margin)
    label = f"{NAMES[each.name]}: {told} ({span(found.ci_low, found.ci_high, margin)})"
    parts = [
        _words(label, _SIDE, top + 14, "start", quiet=False),
        _line("axis", at(0.0), middle),
        _line("margin", at(margin), middle),
        _stroke(at(found.ci_low), at(found.ci_high), middle, middle),
        *(_stroke(at(end), at(end), middle - 5, middle + 5) for end in (found.ci_low, found.ci_high)),
    ]
    if found.value is not None:
        parts.append(Html(f'<circle class="dot" cx="{at(found.value):g}" cy="{middle:g}" r="5"/>'))
    return parts


def _stroke(x1: float, x2: float, y1: float, y2: float) -> Html:
    return Html(f'<line class="bar" x1="{x1:g}" x2="{x2:g}" y1="{y1:g}" y2="{y2:g}"/>')


def _line(cls: str, x: float, middle: float) -> Html:
    return Html(f'<line class="{cls}" x1="{x:g}" x2="{x:g}" y1="{middle - 10:g}" y2="{middle + 14:g}"/>')


def _rectangle(x: float, width: float, height: float) -> Html:
    return Html(f'<rect class="beyond" x="{x:g}" y="{_TOP:g}" width="{max(0.0, width):g}" height="{height:g}"/>')


def _words(words: str, x: float, y: float, anchor: str, *, quiet: bool = True) -> Html:
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return element("text", joined(text(words, _MOST_CHARS)), cls="low" if quiet else "", attributes=place)
