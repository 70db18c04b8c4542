"""Adding to golden sets and their quarantine: what stands there keeps its bytes, and a cut leaves the old file or the new one."""

import json
import os
import threading
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from service.core.errors import GoldenSetUnknownError, StartRefusedError
from service.core.golden.item import item_schema
from service.core.golden.sets import FOLDER, read_items, read_quarantine
from tests.unit.workers.golden_support import golden, item, write_items
from workers.golden.adding import add_items, content_key, item_line, stable_id, write_whole
from workers.golden.quarantine import add_entry, entry_of, remove_entry

TODAY = date(2026, 11, 27)
ODD = b'{"id":"odd",  "response":"\\u006bettle", "contexts":[]}'  # valid, but not as anybody here would write it


def test_other_lines_keep_their_bytes(tmp_path: Path) -> None:
    """Also a last line without its end, and blank ones."""
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n" + ODD)
    done = add_items(str(tmp_path), [item("a")])
    assert [each.id for each in done.added] == ["a"]
    assert path.read_bytes() == b"\n" + ODD + b"\n" + item_line(item("a"))


def test_items_come_back_as_they_were(tmp_path: Path) -> None:
    """What a line leaves out is what the format takes for granted."""
    add_items(
        str(tmp_path / "s.jsonl"), [item("a"), item("b", question=None), item("c", response=None, hallucinated=None)]
    )
    assert read_items(tmp_path / "s.jsonl") == (
        item("a"),
        item("b", question=None),
        item("c", response=None, hallucinated=None),
    )


def test_what_is_there_is_said(tmp_path: Path) -> None:
    """The same texts are never added twice, whatever their id; also not within one call."""
    add_items(str(tmp_path), [item("a")])
    same = item("a").model_copy(update={"id": "b", "category": "other"})
    otherwise = item("a").model_copy(update={"id": "c", "hallucinated": True})
    unknown = item("a").model_copy(update={"id": "d", "hallucinated": None})
    taken = item("a", question="Another?")
    before = (tmp_path / "items.jsonl").read_bytes()
    done = add_items(str(tmp_path), [same, otherwise, unknown, taken])
    assert ([each.item.id for each in done.there], [each.item.id for each in done.otherwise]) == (["b", "d"], ["c"])
    assert [(each.item.id, each.other) for each in done.taken] == [("a", "a")]
    assert (done.added, (tmp_path / "items.jsonl").read_bytes()) == ([], before)


def test_a_broken_set_is_not_added_to(tmp_path: Path) -> None:
    """What a line holds that cannot be read might be what is added."""
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"{\n")
    with pytest.raises(StartRefusedError):
        add_items(str(tmp_path), [item("a")])
    assert path.read_bytes() == b"{\n"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file stands whole, and nothing lies beside it."""
    add_items(str(tmp_path), [item("a")])
    before = (tmp_path / "items.jsonl").read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StartRefusedError, match="No space left"):
        add_items(str(tmp_path), [item("b", question="Another?")])
    assert (tmp_path / "items.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["items.jsonl"]


def test_rights_and_links_stay(tmp_path: Path) -> None:
    """A file keeps its mode, a new one has the usual mode, and a link stays a link."""
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    mask = os.umask(0o022)
    try:
        write_whole(real, b"a")
        assert real.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(mask)
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, b"b")
    assert (link.is_symlink(), real.read_bytes(), real.stat().st_mode & 0o777) == (True, b"b", 0o640)


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    """Those who add at the same time wait for each other."""
    threads = [
        threading.Thread(target=add_items, args=(str(tmp_path), [item(f"i-{n}", question=f"{n}?")])) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.id for each in read_items(tmp_path / "items.jsonl")} == {f"i-{n}" for n in range(8)}


def test_a_stable_id_is_one() -> None:
    """It follows from the texts alone."""
    assert stable_id(content_key(item("a"))) == stable_id(content_key(item("a", category="x", hallucinated=True)))
    assert stable_id(content_key(item("a"))) != stable_id(content_key(item("a", response="x")))


# --- quarantine

WRITTEN = """# Who reads this?

[[items]]  # the first
id = "a"
until = 2026-12-01
reason = "Its answer changes with [the day]."

# About b.
[[items]]
id = 'b'
until = 2026-12-31
reason = \"\"\"
[[items]]
two lines\"\"\"
# the end
"""


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A set with a quarantine that a person wrote."""
    write_items(tmp_path / "items.jsonl", *(item(name, question=f"{name}?") for name in "abc"))
    (tmp_path / "quarantine.toml").write_text(WRITTEN, encoding="utf-8")
    return tmp_path / "quarantine.toml"


def test_an_entry_is_added(held: Path) -> None:
    """Behind all else, which keeps its bytes; whatever is in the reason."""
    reason = 'Said "no",\n\\ and \x7f 🙂 then\t'
    assert not add_entry(str(held.parent), entry_of("c", "2026-12-24", reason), TODAY)
    assert held.read_text(encoding="utf-8").startswith(WRITTEN)
    assert read_quarantine(held)[-1].reason == reason


def test_an_entry_is_removed(held: Path) -> None:
    """With its table alone: comments of others stay."""
    remove_entry(str(held.parent), "a")
    assert (
        held.read_text(encoding="utf-8")
        == WRITTEN[: WRITTEN.index("[[items]]")] + WRITTEN[WRITTEN.index("# About b.") :]
    )


def test_an_entry_is_replaced(held: Path) -> None:
    """An item has one entry; the rest stays."""
    assert add_entry(str(held.parent), entry_of("a", "2027-01-01", "Still."), TODAY)
    entries = {each.id: str(each.until) for each in read_quarantine(held)}
    assert entries == {"a": "2027-01-01", "b": "2026-12-31"}
    assert "# About b." in held.read_text(encoding="utf-8")


def test_what_cannot_be_changed_safely_is_left_alone(held: Path) -> None:
    """A table within whose text another seems to begin, and a list written in line, are for people to change."""
    with pytest.raises(StartRefusedError, match="cannot be changed safely"):
        remove_entry(str(held.parent), "b")
    assert held.read_text(encoding="utf-8") == WRITTEN
    inline = 'items = [{id = "a", until = 2026-12-01, reason = "r"}]\n'
    held.write_text(inline, encoding="utf-8")
    with pytest.raises(StartRefusedError, match="cannot be changed safely"):
        add_entry(str(held.parent), entry_of("c", "2026-12-24", "r"), TODAY)
    assert held.read_text(encoding="utf-8") == inline


def test_a_new_file_and_one_without_an_end(tmp_path: Path) -> None:
    """An entry is added where there is no file, and behind a line without its end."""
    write_items(tmp_path / "items.jsonl", item("a"))
    add_entry(str(tmp_path), entry_of("a", "2026-12-24", "r"), TODAY)
    path = tmp_path / "quarantine.toml"
    assert [each.id for each in read_quarantine(path)] == ["a"]
    path.write_text("# nothing yet", encoding="utf-8")
    add_entry(str(tmp_path), entry_of("a", "2026-12-24", "r"), TODAY)
    assert [each.id for each in read_quarantine(path)] == ["a"]
    assert path.read_text(encoding="utf-8").startswith("# nothing yet\n")


def test_quarantine_refuses(held: Path, tmp_path: Path) -> None:
    """Unknown items, days that are past, what is not there, sets without a folder, and shipped ones."""
    folder = str(held.parent)
    for entry in (entry_of("zz", "2026-12-24", "r"), entry_of("a", "2026-11-27", "r")):
        with pytest.raises(StartRefusedError):
            add_entry(folder, entry, TODAY)
    for name in ("c", "zz"):
        with pytest.raises(StartRefusedError):
            remove_entry(folder, name)
    with pytest.raises(StartRefusedError):
        entry_of("a", "tomorrow", "r")
    with pytest.raises(StartRefusedError):
        add_entry(str(tmp_path / "items.jsonl"), entry_of("a", "2026-12-24", "r"), TODAY)
    with pytest.raises(StartRefusedError):
        remove_entry("core", "a")
    with pytest.raises(GoldenSetUnknownError):
        remove_entry("none", "a")
    assert held.read_text(encoding="utf-8") == WRITTEN


def test_the_quarantine_command(held: Path) -> None:
    """Adds, lists, removes."""
    folder = str(held.parent)
    assert golden("quarantine", folder, "c", "--until", "2999-01-01", "--reason", "Flaky.").exit_code == 0
    listed = golden("quarantine", folder, columns=80)
    assert (listed.exit_code, "Flaky." in listed.output, "2999-01-01" in listed.output) == (0, True, True)
    assert golden("quarantine", folder, "c", "--remove").exit_code == 0
    assert golden("quarantine", folder, "c", "--remove").exit_code == 2
    assert golden("quarantine", folder, "c").exit_code == 2
    held.unlink()
    assert "Nothing is in quarantine." in golden("quarantine", folder).output


# --- the schema


def test_the_published_schema_is_that_of_the_code() -> None:
    """golden_sets/item.schema.json is what `assay golden schema` prints."""
    published = (FOLDER / "item.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == item_schema()
    assert golden("schema").output == published


def test_the_schema_takes_what_is_written(tmp_path: Path) -> None:
    """It is a valid schema, takes lines that are written here, and refuses others."""
    jsonschema.Draft202012Validator.check_schema(item_schema())
    validator = jsonschema.Draft202012Validator(item_schema())
    assert validator.is_valid(json.loads(item_line(item("a"))))
    assert not validator.is_valid({"id": "no spaces"})
    done = golden("schema", "--out", str(tmp_path / "s.json"))
    assert (done.exit_code, json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))) == (0, item_schema())
