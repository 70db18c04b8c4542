"""Markdown: how the documents that benches write show sections, tables and figures."""

from collections.abc import Iterable, Sequence

from workers.bench.results import Machine, Series

BUSY = 0.5  # load average above which others were using the machine


def section(title: str, machine: Machine, text: str, tables: str) -> str:
    """A section of a document, with the machine that it was measured on."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    busy = " Others were using the machine." if machine.load_before > BUSY else ""
    return (
        f"## {title}\n\n{text}\n\n{tables}\n{machine.processor}, {machine.cores} cores, {machine.system}; {versions}; "
        f"{machine.measured_at}. Load average before: {machine.load_before}.{busy}\n"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def row(what: str, series: Series, aim: str, *, as_share: bool = False) -> list[str]:
    """A row of one figure."""
    figure, spread = cells(series)
    return [what, f"{series.median:.0%}" if as_share else figure, spread, aim]


def cells(series: Series) -> list[str]:
    """Median and spread."""
    return [rounded(series.median), f"{series.spread:.0%}"]


def times(series: Series, first: Series) -> str:
    """How often the first goes into this one."""
    return f"x {series.median / first.median:.2f}"


def rounded(value: float) -> str:
    """Three digits; all of them before the point where there are more."""
    return f"{value:,.0f}" if value >= 100 else f"{float(f'{value:.3g}'):g}"  # noqa: PLR2004 - three digits
