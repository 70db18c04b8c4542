"""The reliability plot of a fit: as SVG before beside after, and as lines of a terminal. Pure."""

from collections.abc import Sequence

from workers.bench.detection_results import Bin as PlottedBin
from workers.bench.detection_results import Reliability as Plotted
from workers.bench.reliability_plot import reliability_plot
from workers.combining.reliability import Reliability

_SIDE = 472  # of one plot, with its margins
_HEAD = 28
_WIDTH = 30  # columns of a bar


def svg_of(before: Reliability, after: Reliability) -> str:
    """Both plots beside each other; the dots' areas are by examples."""
    plots = []
    for at, (name, found) in enumerate((("NLI score as it is", before), ("fitted, cross-validated", after))):
        bins = tuple(PlottedBin(score=each.score, unsupported=each.share, rows=each.examples) for each in found.bins)
        inner = reliability_plot(Plotted(error=found.error.value, sets={}, bins=bins))
        plots.append(
            f'<text x="{at * _SIDE + _SIDE / 2:g}" y="20" text-anchor="middle">{name}</text>\n'
            + inner.replace("<svg ", f'<svg x="{at * _SIDE}" y="{_HEAD}" height="{_SIDE}" ', 1)
        )
    size = f'width="{2 * _SIDE}" height="{_SIDE + _HEAD}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" fill="#6e7781">'
    return "\n".join([head, *plots, "</svg>", ""])


def lines_of(found: Reliability) -> Sequence[str]:
    """A line a bin: the mean score as `|`, the share of hallucinated ones as `o`, `8` where they are at one place."""
    lines = [f"  {'score':>6} {'share':>6} {'n':>6}  0{' ' * (_WIDTH - 2)}1"]
    for each in found.bins:
        bar = ["."] * _WIDTH
        score, share = (min(int(value * _WIDTH), _WIDTH - 1) for value in (each.score, each.share))
        bar[score], bar[share] = "|", "o"
        if score == share:
            bar[score] = "8"
        lines.append(f"  {each.score:6.3f} {each.share:6.3f} {each.examples:6,}  {''.join(bar)}")
    return lines
