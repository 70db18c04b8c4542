"""No text of an item breaks out of a golden report: not of HTML, XML, Markdown, a terminal or a runner's commands."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from service.core.visible import visible
from tests.property.strategies import LAW
from tests.unit.golden_report_reading import BEFORE, NOW, Page, junit_root, mixed, shown
from tests.unit.golden_report_runs import HOSTILE, hostile, many, reported
from workers.golden.html import html_report
from workers.golden.markdown import MAX_CHARS, github_annotations, markdown_report

FRAGMENTS = (
    st.lists(st.sampled_from(HOSTILE) | st.text(max_size=8), min_size=1, max_size=4).map("".join).filter(str.strip)
)


@given(FRAGMENTS)
@example("&")
@example("&amp;")
@example("&lt")
@LAW
def test_html_never_holds_an_items_text_as_markup(text: str) -> None:
    """Whatever the texts, the elements are those of a report whose texts of the same lengths are harmless."""
    page, plain = html_report(mixed(hostile(text))), html_report(mixed(hostile("x" * len(text))))
    assert Page(page).tags == Page(plain).tags
    if re.search("[<>&\"']", text):  # as it is, beside what escapes are made of, only the report's own markup has it
        assert _without_escapes(page).count(text) == _without_escapes(plain).count(text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)


def _without_escapes(page: str) -> str:
    return re.sub("&(?:amp|lt|gt|quot|#x27);", "\0", page)


@given(FRAGMENTS)
@LAW
def test_junit_is_xml_whatever_the_texts(text: str) -> None:
    """Control characters that XML cannot hold are replaced."""
    root = junit_root(mixed(hostile(text)))
    assert root.attrib["tests"] == str(len(set(BEFORE) | set(NOW)) + 1)


@given(FRAGMENTS)
@LAW
def test_markdown_never_holds_an_items_text_as_markup(text: str) -> None:
    """Elements, rows and cells are those of a report with harmless texts; nobody is mentioned, nothing linked."""
    flat = re.sub(r"\s+", " ", text.strip())
    written = markdown_report(mixed(hostile(text)))
    assert rendered(written).tags == rendered(markdown_report(mixed(hostile(re.sub(r"\S", "x", flat))))).tags
    told = re.sub("Again: `+ .*", "", written)  # in code GitHub links nothing
    assert not re.search(r"@[A-Za-z0-9]", told)
    assert "://" not in told


@given(FRAGMENTS)
@LAW
def test_markdown_reads_as_it_was_written(text: str) -> None:
    """An escape shows the character, in a list and in a table's cell."""
    flat = re.sub(r"\s+", " ", text).strip()
    read = squeezed("".join(rendered(markdown_report(mixed(hostile(text)))).words))
    assert squeezed(f"Question: {visible(flat, 500)}Response: {visible(flat, 500)}Baseline (") in read
    cell = re.sub(r"\s+", " ", text[:100]).strip()
    assert squeezed(f"by chance{visible(cell, 60)}13") in read


def rendered(written: str) -> Page:
    """Without what only keeps a dollar from beginning a formula."""
    return Page(re.sub(r"<span>\$</span>", "$", MarkdownIt("commonmark").enable("table").render(written)))


def squeezed(text: str) -> str:
    """Without spaces, those of no width too."""
    return re.sub(r"[\s\u200b]", "", text)


@pytest.mark.parametrize("text", [*HOSTILE, "$" * 5_000, "<" * 5_000, "@" * 5_000, "|" * 5_000])
def test_markdown_fits_a_comment(text: str) -> None:
    """However much longer escapes make it."""
    before, now = many(100, "++"), many(100, "--")
    assert len(markdown_report(reported(before, now, texts=hostile(text)))) <= MAX_CHARS


@given(FRAGMENTS)
@LAW
def test_a_terminal_obeys_no_text(text: str) -> None:
    """No control, no mark of direction, no command of a CI runner."""
    written = shown(mixed(hostile(text)))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", written)
    assert not [line for line in written.splitlines() if line.lstrip().startswith("::") or "##[" in line]


@given(FRAGMENTS)
@LAW
def test_annotations_are_commands_of_their_own(text: str) -> None:
    """One line each, and in what is given to a command nothing that ends it."""
    lines = github_annotations(reported(many(100, "+"), many(100, "-"), texts=hostile(text))).split("\n")
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"::(error|warning) title=[^:,\r\n]*::[^\r\n]*", line)
        assert not re.search(r"%(?!25|0D|0A|3A|2C)", line)
