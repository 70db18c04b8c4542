"""The reliability plot: the share of responses that are not supported, by score, as SVG."""

from collections.abc import Iterable

from workers.bench.detection_results import Reliability

_SIZE, _MARGIN = 360, 56
_WHOLE = _SIZE + 2 * _MARGIN
_INK = "#6e7781"  # readable on white and on black
_DOT = "#2f81f7"


def reliability_plot(found: Reliability) -> str:
    """One dot for each bin, its area by the bin's rows; on the diagonal the score would be the probability itself."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WHOLE} {_WHOLE}" width="{_WHOLE}" role="img"',
            f'  font-family="sans-serif" font-size="13" fill="{_INK}">',
            "<title>Share of responses that are not supported, by score</title>",
            *_axes(),
            f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="{_INK}" stroke-dasharray="4 4"/>',
            *_dots(found),
            f'<text x="{_x(0.5)}" y="{_y(0) + 42}" text-anchor="middle">score (mean of the bin)</text>',
            f'<text transform="translate({_x(0) - 40} {_y(0.5)}) rotate(-90)" text-anchor="middle">share not supported</text>',
            f'<text x="{_x(0.02)}" y="{_y(0.95)}">expected calibration error {found.error:.3f}</text>',
            "</svg>",
            "",
        )
    )


def _axes() -> Iterable[str]:
    yield f'<rect x="{_x(0)}" y="{_y(1)}" width="{_SIZE}" height="{_SIZE}" fill="none" stroke="{_INK}"/>'
    for tenths in range(0, 11, 2):
        at = tenths / 10
        yield f'<text x="{_x(at)}" y="{_y(0) + 20}" text-anchor="middle">{at:g}</text>'
        yield f'<text x="{_x(0) - 8}" y="{_y(at) + 4}" text-anchor="end">{at:g}</text>'


def _dots(found: Reliability) -> Iterable[str]:
    rows = sum(each.rows for each in found.bins)
    for each in found.bins:
        radius = 20 * (each.rows / rows) ** 0.5
        yield (
            f'<circle cx="{_x(each.score)}" cy="{_y(each.unsupported)}" r="{max(3.0, radius):.1f}" fill="{_DOT}" '
            f'fill-opacity="0.7"><title>{each.rows:,} responses: score {each.score:.2f}, not supported '
            f"{each.unsupported:.0%}</title></circle>"
        )


def _x(share: float) -> float:
    return round(_MARGIN + share * _SIZE, 1)


def _y(share: float) -> float:
    return round(_MARGIN + (1 - share) * _SIZE, 1)
