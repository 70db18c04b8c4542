"""Golden sets on disk: what is read, and how what is not valid is named."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import GoldenSetUnknownError, StartRefusedError
from service.core.golden import sets
from service.core.golden.item import GoldenItem
from service.core.golden.sets import Floor, read_items, read_quarantine, read_set, scan_items, shipped_set
from tests.unit.service.golden.runs import item

QUARANTINE = '[[items]]\nid = "a"\nuntil = 2026-12-01\nreason = "flaky since r2"\n'


def lines(*items: GoldenItem | dict[str, Any] | str) -> str:
    """A file of these."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in map(_plain, items)]
    return "".join(f"{text}\n" for text in texts)


def _plain(each: GoldenItem | dict[str, Any] | str) -> dict[str, Any] | str:
    return each.model_dump(mode="json") if isinstance(each, GoldenItem) else each


def folder(path: Path, **texts: str) -> Path:
    """A set in a folder: its files by their names without what follows the dot."""
    path.mkdir(exist_ok=True)
    texts = {"items": lines(item("a"), item("b"))} | texts
    for name, text in texts.items():
        (path / f"{name}.{'jsonl' if name == 'items' else 'toml'}").write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(StartRefusedError) as refused:
        read_set(str(path))
    return str(refused.value)


# --- what is read


def test_a_folder(tmp_path: Path) -> None:
    """It is named as the folder is, and has items, quarantine and floors."""
    path = folder(tmp_path / "mine", quarantine=QUARANTINE, floors="[ff00]\nfound = 0.7\npassed = 0.95\n")
    found = read_set(str(path))
    assert (found.name, found.folder, found.items) == ("mine", path, (item("a"), item("b")))
    assert [(each.id, each.reason) for each in found.quarantined] == [("a", "flaky since r2")]
    assert found.floors == {"ff00": Floor(found=0.7, passed=0.95)}


def test_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder one stands in has a name too."""
    monkeypatch.chdir(folder(tmp_path / "mine"))
    assert read_set(".").name == "mine"


def test_items_alone(tmp_path: Path) -> None:
    """A file of items is a set without quarantine and floors; so is a folder that has no such files."""
    path = tmp_path / "some.jsonl"
    path.write_text(lines(item("a")), encoding="utf-8")
    found = read_set(str(path))
    assert (found.name, found.folder, found.quarantined, found.floors) == ("some", None, (), {})
    bare = read_set(str(folder(tmp_path / "bare")))
    assert (bare.quarantined, bare.floors) == ((), {})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n  \n"])
def test_ends_of_lines(tmp_path: Path, end: str) -> None:
    """Blank lines, and line ends of any system, are read over; what Unicode calls a line end is text."""
    path = tmp_path / "items.jsonl"
    text = item("a", response="one\u2028two\x85three")
    dumped = json.dumps(text.model_dump(mode="json"), ensure_ascii=False)
    path.write_bytes((dumped + end + json.dumps({"id": "b"}) + end).encode())
    assert read_items(path) == (text, GoldenItem(id="b"))


@pytest.mark.parametrize("name", sets.SHIPPED)
def test_shipped_sets_are_found_by_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names the shipped sets are found from anywhere; one's own of that name goes first, but not for probes."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    folder(shipped / name)
    monkeypatch.setattr(sets, "FOLDER", shipped)
    monkeypatch.chdir(tmp_path)
    assert len(read_set(name).items) == len(shipped_set(name).items) == 2
    folder(tmp_path / name, items=lines(item("own")))
    assert [each.id for each in read_set(name).items] == ["own"]
    assert len(shipped_set(name).items) == 2


@pytest.mark.parametrize("name", ["nowhere", "", "a\0b", "core/x"])
def test_unknown_sets(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither a shipped set, a folder nor a file is unknown, and what there is is named."""
    monkeypatch.chdir(tmp_path)
    if name:
        with pytest.raises(GoldenSetUnknownError) as unknown:
            read_set(name)
        assert "core or probes" in str(unknown.value)
    with pytest.raises(GoldenSetUnknownError):
        shipped_set(name)


def test_a_name_that_no_file_can_have() -> None:
    """A name that is too long for a file is refused like any that cannot be read."""
    assert "cannot be read" in refusal(Path("a" * 5_000))


# --- quarantine


def test_quarantine_ends_on_its_day(tmp_path: Path) -> None:
    """An item counts for nothing before `until`, and counts again on that day."""
    found = read_set(str(folder(tmp_path / "set", quarantine=QUARANTINE)))
    days = (date(2026, 11, 27), date(2026, 11, 30), date(2026, 12, 1), date(2027, 1, 1))
    assert [set(found.quarantine_on(day)) for day in days] == [{"a"}, {"a"}, set(), set()]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[items]]\nid = "a"\nreason = "x"\n', "items.0.until: Field required"),
        (QUARANTINE + QUARANTINE.replace('"a"', '"a b"'), "items.1.id: "),
        (QUARANTINE.replace("2026-12-01", '"soon"'), "items.0.until: "),
        (QUARANTINE.replace("flaky since r2", ""), "items.0.reason: "),
        (QUARANTINE + "owner = 3\n", "items.0.owner: "),
        (QUARANTINE.replace("items", "item"), "item: "),
        ("items = 5\n", "items: "),
        ("items = ", "cannot be read: "),
        ("a = " + "[" * 100_000, "cannot be read: "),
    ],
)
def test_a_quarantine_that_is_not_valid(tmp_path: Path, text: str, named: str) -> None:
    """It is refused with the file, the entry and the field: an entry that is read over would count after all."""
    path = folder(tmp_path / "set", quarantine=text)
    assert f"quarantine.toml{' ' if named.startswith('cannot') else ': '}{named}" in refusal(path)


def test_no_quarantine(tmp_path: Path) -> None:
    """No file and an empty one put nothing in quarantine."""
    assert read_quarantine(tmp_path / "quarantine.toml") == ()
    assert read_set(str(folder(tmp_path / "set", quarantine="# nothing\n"))).quarantined == ()


# --- floors


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[ff]\nfound = 0.7\n", "ff.passed: Field required"),
        ("[ff]\nfound = 0.7\npassed = 1.1\n", "ff.passed: "),
        ("[ff]\nfound = 0.7\npassed = 1.0\nother = 1\n", "ff.other: "),
        ("ff = 1\n", "ff: "),
    ],
)
def test_floors_that_are_not_valid(tmp_path: Path, text: str, named: str) -> None:
    """They are refused with the file, the fingerprint and the field."""
    assert f"floors.toml: {named}" in refusal(folder(tmp_path / "set", floors=text))


# --- what is not valid in a file of items


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"id": "c", "hallucinated": "yes"}', "line 3: hallucinated: "),
        ('{"id": "c", "contexts": [{"id": "x"}]}', "line 3: contexts.0.text: Field required"),
        ('{"id": "c", "label": true}', "line 3: label: "),
        ('{"question": "q"}', "line 3: id: Field required"),
        ("5", "line 3: the line: "),
        ('{"id": "c"', "line 3: not a JSON object"),
        ('{"id": "c", "question": "\\ud800"}', "line 3: question: "),
        ("[" * 100_000, "line 3: not a JSON object"),
    ],
)
def test_errors_name_line_and_field(tmp_path: Path, line: str, named: str) -> None:
    """The first line that is wrong is named with its field, and how many more there are; blank lines are counted."""
    path = folder(tmp_path / "set", items=lines(item("a"), "", line, item("b")))
    assert f"items.jsonl, {named}" in refusal(path)
    assert "more lines" not in refusal(path)
    path = folder(tmp_path / "set", items=lines(item("a"), "", line, item("b"), "{", "{"))
    assert "(2 more lines)" in refusal(path)
    good, problems = scan_items(path / "items.jsonl")
    assert ([each.id for each in good], len(problems)) == (["a", "b"], 3)


def test_ids_are_unique(tmp_path: Path) -> None:
    """An id that stands there twice is named."""
    assert "the id 'b' stands there twice" in refusal(folder(tmp_path / "set", items=lines(*map(item, "abcb"))))


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_no_items(tmp_path: Path, text: str) -> None:
    """A set without items is none."""
    assert "has no items" in refusal(folder(tmp_path / "set", items=text))


def test_not_utf_8(tmp_path: Path) -> None:
    """Any other encoding is refused, not guessed."""
    path = folder(tmp_path / "set")
    (path / "items.jsonl").write_bytes(lines(item("a")).encode() + '{"id": "ä"}\n'.encode("latin-1"))
    assert "is not UTF-8" in refusal(path)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    """As editors on Windows write it."""
    path = folder(tmp_path / "set")
    (path / "items.jsonl").write_text(lines(item("a")), encoding="utf-8-sig")
    assert [each.id for each in read_set(str(path)).items] == ["a"]


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused before it is read; one of just that size is read."""
    path = folder(tmp_path / "set")
    size = (path / "items.jsonl").stat().st_size
    monkeypatch.setattr(sets, "MAX_FILE_BYTES", size)
    assert len(read_set(str(path)).items) == 2
    monkeypatch.setattr(sets, "MAX_FILE_BYTES", size - 1)
    assert f"is over {size - 1} bytes" in refusal(path)


def test_a_folder_without_items(tmp_path: Path) -> None:
    """A folder that has no items.jsonl is refused by the name of that file."""
    assert "items.jsonl cannot be read: No such file" in refusal(tmp_path)
