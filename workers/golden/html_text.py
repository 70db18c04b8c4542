"""HTML that cannot be broken out of: text of users becomes `Html` in `text` alone, and only `Html` goes into elements. Pure."""

import html
from typing import NewType

from service.core.visible import visible
from workers.golden.report_rows import Rows

Html = NewType("Html", str)
MAX_CELL_CHARS = 200


def text(value: str, limit: int) -> Html:
    """A text of a user, escaped and cut; controls and marks of direction are shown, not obeyed."""
    readable = value.replace("\r\n", "\n").replace("\t", "    ")
    return Html(html.escape(visible(readable, limit), quote=True))


def joined(*parts: Html) -> Html:
    """One after the other."""
    return Html("".join(parts))


def element(name: str, *parts: Html, cls: str = "", attributes: str = "") -> Html:
    """An element. Name, class and attributes are this package's own, never a user's."""
    given = (f' class="{cls}"' if cls else "") + (f" {attributes}" if attributes else "")
    return Html(f"<{name}{given}>{''.join(parts)}</{name}>")


def details(summary: Html, *parts: Html) -> Html:
    """What is unfolded by a click, and printed unfolded."""
    return element("details", element("summary", summary), *parts)


def section(title: str, *parts: Html) -> Html:
    """A part of the page; nothing where it has no content."""
    content = joined(*parts)
    return element("section", element("h2", text(title, MAX_CELL_CHARS)), content) if content else Html("")


def table(rows: Rows) -> Html:
    """A table that a narrow screen can move sideways; nothing for no rows."""
    if not rows.rows:
        return Html("")
    head = [element("th", text(name, MAX_CELL_CHARS), attributes='scope="col"') for name in rows.columns]
    body = [element("tr", _heading(row[0]), *map(_cell, row[1:])) for row in rows.rows]
    shown = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    more = element("p", text(f"and {rows.more:,} more", MAX_CELL_CHARS), cls="dim") if rows.more else Html("")
    return joined(element("div", shown, cls="wide", attributes='tabindex="0"'), more)


def _heading(cell: str) -> Html:
    return element("th", text(cell, MAX_CELL_CHARS), attributes='scope="row" dir="auto"')


def _cell(cell: str) -> Html:
    return element("td", text(cell, MAX_CELL_CHARS), attributes='dir="auto"')


def sentences(lines: list[str], limit: int) -> Html:
    """A list; nothing for no lines."""
    return element("ul", *(element("li", text(line, limit)) for line in lines)) if lines else Html("")
