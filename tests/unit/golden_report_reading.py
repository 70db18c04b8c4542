"""What a person, or a program, reads in the four forms of a golden report."""

import io
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from markdown_it import MarkdownIt
from rich.console import Console

from tests.unit.golden_report_runs import Texts, many, reported
from workers.golden.html import html_report
from workers.golden.junit import junit_report
from workers.golden.markdown import markdown_report
from workers.golden.report import Report
from workers.golden.terminal import show_report

BEFORE = many(8, "+++") | {
    "w-1": "+++",
    "w-2": "+++",
    "b-1": "---",
    "q-1": "+++",
    "u-1": "+++",
    "n-1": "000",
    "g-1": "+++",
}
NOW = many(8, "+++") | {
    "w-1": "---",
    "w-2": "+--",
    "b-1": "+++",
    "q-1": "---",
    "u-1": "+?+",
    "n-1": "000",
    "a-1": "+++",
}


def mixed(texts: Texts | None = None) -> Report:
    """One of each: worse, better, flaky, unknown, declined, quarantined, new, gone."""
    return reported(BEFORE, NOW, texts=texts, quarantined=["q-1"])


def shown(report: Report, *, width: int = 80, terminal: bool = False) -> str:
    file = io.StringIO()
    show_report(Console(file=file, width=width, highlight=False, force_terminal=terminal, color_system=None), report)
    return file.getvalue()


class Page(HTMLParser):
    """Tags with their attributes, and what is read."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[object] = []
        self.words: list[str] = []
        self._style = False
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(tag)
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"comment of {len(data)}")

    def unknown_decl(self, data: str) -> None:
        self.tags.append(f"declaration of {len(data)}")

    def handle_pi(self, data: str) -> None:
        self.tags.append(f"instruction of {len(data)}")

    @property
    def text(self) -> str:
        return " ".join(self.words)


def junit_root(report: Report) -> ET.Element:
    return ET.fromstring(junit_report(report))  # noqa: S314 - it was written here


def outputs(report: Report) -> dict[str, str]:
    """What a person reads in each form."""
    rendered = MarkdownIt("commonmark").enable("table").render(markdown_report(report))
    return {
        "terminal": shown(report),
        "html": Page(html_report(report)).text,
        "junit": " ".join([*junit_root(report).itertext(), *messages(report).values()]),
        "markdown": Page(rendered).text,
    }


def messages(report: Report) -> dict[str, str]:
    """The messages of cases that did not pass, by name."""
    root = junit_root(report)
    cases = root.iter("testcase")
    return {
        case.attrib["name"]: child.attrib["message"] for case in cases for child in case if "message" in child.attrib
    }
