"""What the weights learn from: what is read of the public sets, and what is made of it."""

import gzip
import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from models.training import edits, made
from models.training.edits import EDITS, Edit, Source, names_in
from models.training.examples import SETS, Example, Share, Target, read_sets
from models.training.made import Maker
from models.training.rewording import lead_in, reword, shorten
from models.training.speakers import as_spoken
from models.training.statements import as_statement

SENTENCE = "Anna Smith joined Northwind in March 2019 and may have sold 1,250 licences within 30 days."


def source(seed: int = 0) -> Source:
    return Source(
        names=("Zoe Adams", "Contoso", "Ben Carter"), nearby=("Oslo",), numbers=("77",), draw=random.Random(seed)
    )


def document(at: int) -> Example:
    text = (
        f"Hall {at} opened in {1900 + at} near Castle Ruby. It has {100 + at} seats and was built by Ada Stone. "
        f"The roof of Hall {at} is higher than the tower. Tickets cost {10 + at} euros on Monday."
    )
    return Example(
        premise=text,
        hypothesis=f"Hall {at} has {100 + at} seats.",
        target=Target.ENTAILED,
        source="fever_dev",
        group=f"g{at}",
    )


@pytest.fixture(scope="module")
def base() -> list[Example]:
    asked = Example(
        premise="The tower was built in 1889. It stands in Paris. Millions visit it.",
        hypothesis="Where does it stand? Paris",
        target=Target.ENTAILED,
        source="xquad_swap",
        group="q",
        question="Who was the builder of the tower?",
        answer="Eiffel",
    )
    more = [
        Example(
            premise=one.premise, hypothesis="It is new.", target=Target.CONTRADICTED, source=one.source, group=one.group
        )
        for one in map(document, range(40))
    ]
    return [*map(document, range(40)), *more, asked]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: str(edit.__name__))
def test_an_edit_changes_one_thing(edit: object) -> None:
    """Something of the sentence is another, the rest is as it was, and it is not entailed any more."""
    sentence = SENTENCE if edit is not edits.swap_roles else "Anna Smith sold the firm to Ben Carter last year."
    sentence = "The new hall was not open before noon." if edit is edits.oppose else sentence
    assert callable(edit)
    for seed in range(40):
        changed = edit(sentence, source(seed))
        assert isinstance(changed, Edit)
        assert changed.text != sentence
        assert changed.target is not Target.ENTAILED
        assert sum((Counter(sentence.split()) - Counter(changed.text.split())).values()) <= 4


def test_nothing_to_change() -> None:
    """A sentence without numbers, names or the like gets none of the edits that need one."""
    found = [edit.__name__ for edit in EDITS if edit("Rain poured.", source()) is not None]
    assert found == ["add"]


def test_a_number_keeps_its_form() -> None:
    """Thousands stay thousands with their comma, decimals keep their places, a year stays a year."""
    for seed in range(60):
        for text, form in (
            ("1,250 sold", r"[\d,]+ sold"),
            ("4.50 paid", r"\d+\.\d\d paid"),
            ("in 1987.", r"in [12]\d{3}\."),
        ):
            changed = edits.change_number(text, Source(names=(), nearby=(), numbers=(), draw=random.Random(seed)))
            assert changed is not None
            assert changed.text != text
            assert re.fullmatch(form, changed.text)


def test_rewording_keeps_numbers_and_names() -> None:
    """What says the same still has every name, and every number in digits or as a word."""
    for seed in range(60):
        said = reword(SENTENCE, random.Random(seed))
        assert "Anna Smith" in said
        assert "1250" in said.replace(",", "")
        assert "2019" in said


def test_shortening_leaves_a_part() -> None:
    """What is left is the beginning of the sentence, closed."""
    text = "The museum of the city reopened yesterday, which surprised its many visitors."
    assert {shorten(text, random.Random(seed)) for seed in range(30)} == {
        text,
        "The museum of the city reopened yesterday.",
    }


def test_leads_keep_names() -> None:
    """A name at the front stays capitalised behind a lead; an article does not."""
    assert all("Anna" in lead_in("Anna left.", random.Random(seed)) for seed in range(30))
    assert all("the cat" in lead_in("The cat left.", random.Random(seed)) for seed in range(30))


@pytest.mark.parametrize(
    ("question", "answer", "statement"),
    [
        ("Who was the builder of the tower?", "Eiffel", "Eiffel was the builder of the tower."),
        ("Who wrote the book?", "Ann Lee", None),
        ("When was the tower built?", "1889", "The tower was built in 1889."),
        ("How many people were at the fair?", "300", "300 people were at the fair."),
        ("Why?", "Because", None),
    ],
)
def test_statements(question: str, answer: str, statement: str | None) -> None:
    """A question of a known form becomes a statement."""
    found = as_statement(question, answer)
    assert found == statement or (statement is None and found is not None and answer in found)


def test_made_is_what_it_says(base: list[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed makes the same; every kind is there; a copy is entailed, an edit of it is not."""
    monkeypatch.setattr(made, "KINDS", dict.fromkeys(made.KINDS, 30))
    one, other = (Maker(base, 3).made() for _ in range(2))
    assert one == other
    assert Maker(base, 4).made() != one
    kinds = Counter(example.source.split("_")[0] for example in one)
    assert {"copied", "edited", "premise", "elsewhere", "close", "joined", "dialogue"} <= set(kinds)
    for example in one:
        if example.source == "copied":
            assert example.target is Target.ENTAILED
        if example.source.startswith(("copied_", "edited_", "premise_", "elsewhere", "close")):
            assert example.target is not Target.ENTAILED
        if example.source == "elsewhere":
            assert example.hypothesis not in example.premise


def test_two_sentences_as_one(base: list[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fused claim is entailed only when both of its halves stand in the window to the letter, or in other words."""
    monkeypatch.setattr(made, "KINDS", {"fused": 60})
    examples = Maker(base, 3).made()
    assert {example.target for example in examples} > {Target.ENTAILED}
    for example in examples:
        numbers = set(re.findall(r"\d+", example.hypothesis)) - set(re.findall(r"\d+", example.premise))
        assert not (numbers and example.target is Target.ENTAILED)


def test_who_said_it_matters() -> None:
    """Told as another's words, what one said is not entailed; told as theirs, the pair stays what it was."""
    pair = Example(
        premise="The shop is open.", hypothesis="The shop is not closed.", target=Target.ENTAILED, source="x", group="g"
    )
    told = [as_spoken(pair, ("Cats sleep.", "It rains."), random.Random(seed)) for seed in range(60)]
    for example in told:
        speaker = next(turn for turn in re.split(r"\s(?=\w+(?: \d)?: )", example.premise) if "shop" in turn).split(":")[
            0
        ]
        by_speaker = example.hypothesis.removeprefix("According to ").startswith(speaker)
        assert by_speaker == (example.target is Target.ENTAILED), example
        assert "he shop is not closed." in example.hypothesis
    assert {example.target for example in told} == {Target.ENTAILED, Target.NOT_ENTAILED}
    against = as_spoken(replace(pair, target=Target.CONTRADICTED), (), random.Random(1))
    assert against.target is Target.CONTRADICTED


def test_the_mix_has_every_example(base: list[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding keeps the premise and leads keep the hypothesis, so that all examples are in the mix with their targets."""
    monkeypatch.setattr(made, "KINDS", dict.fromkeys(made.KINDS, 5))
    mixed = Maker(base, 3).mix()
    for before, after in zip(base, mixed, strict=False):
        assert before.premise in after.premise
        assert before.hypothesis[1:] in after.hypothesis
        assert before.target is after.target


def test_sets_are_read_with_their_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each subset at most its share, drawn by the seed; two labels are kept apart from three."""
    rows = [
        {"premise": f"P{at}", "hypothesis": "H", "label": "not_supported", "group": str(at), "subset": "ab"[at % 2]}
        for at in range(20)
    ]
    with gzip.open(tmp_path / "some.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    monkeypatch.setattr("models.training.examples.SETS", {"some": Share(subsets={"a": 4})})
    found = read_sets(tmp_path, 1)
    assert len(found) == 4
    assert {int(example.premise[1:]) % 2 for example in found} == {0}
    assert {example.target for example in found} == {Target.NOT_ENTAILED}
    assert read_sets(tmp_path, 1) == found


def test_nothing_non_commercial_is_learned_from() -> None:
    """RTE states research only, and Gigaword premises are LDC's: neither is read."""
    assert "rte" not in SETS
    assert not any(name.endswith("news") for name in SETS["seminli"].subsets or {})


def test_names() -> None:
    """Capitalised words in a row, not the first of the sentence, not months."""
    assert names_in(SENTENCE) == ["Smith", "Northwind"]
