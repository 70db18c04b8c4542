"""Text of users within GitHub-flavoured Markdown: on one line, and it stays text. Pure.

A mention, an issue's number and an address are found by GitHub in the text that comes out of the Markdown, so an escape does
not keep them from being linked (and people from being told); a space of no width behind their first character does. What is
escaped here is to stand within a line, behind words of a report's own: what is markup at the start of a line alone stays.
"""

import re

from service.core.visible import visible
from workers.golden.report_rows import Rows

_BREAK = "&#8203;"
_SPECIAL = frozenset("\\`*_[]#|~")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "$": "<span>$</span>"}
_LINKED = re.compile(r"(?<=[@#])|(?<=:)(?=//)|(?<=\bGH)(?=-\d)|(?<=\bwww)(?=\.)", re.IGNORECASE)


def escaped(text: str, limit: int) -> str:
    """On one line and cut; nothing in it is markup, a mention or a link."""
    flat = visible(re.sub(r"\s+", " ", text).strip(), limit)
    return _BREAK.join("".join(_character(each) for each in part) for part in _LINKED.split(flat))


def _character(character: str) -> str:
    return _ENTITIES.get(character) or (f"\\{character}" if character in _SPECIAL else character)


def code(text: str, limit: int) -> str:
    """As code, on one line and cut: to be copied, and nobody is mentioned in it. Not within tables."""
    flat = visible(re.sub(r"\s+", " ", text).strip(), limit)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    return f"{fence} {flat} {fence}"


def table(rows: Rows, limit: int) -> str:
    """A table with an empty line behind; empty for no rows."""
    if not rows.rows:
        return ""
    more = f"\nand {rows.more:,} more\n" if rows.more else ""
    lines = [
        [escaped(cell, limit) or " " for cell in rows.columns],
        ["---"] * len(rows.columns),
        *([escaped(cell, limit) for cell in row] for row in rows.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + more + "\n"
