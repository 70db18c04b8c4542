"""Quotes: what counts as copied, and where it is."""

import time

import pytest

from models.judge.quotes import MOST_GAP, find_quote, normalised

TEXT = "\n The “Harbour  Bridge” — ﬁnished in\u00a01932 — spans 503\u00admetres. Its arch\u200b is of STEEL; café guests see it.\n"


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("spans 503\u00admetres", "spans 503\u00admetres"),
        ("spans 503metres", "spans 503\u00admetres"),
        ("its ARCH is of steel", "Its arch\u200b is of STEEL"),
        ('"harbour bridge" - finished', "“Harbour  Bridge” — ﬁnished"),
        ("'Harbour\n\tBridge'", "“Harbour  Bridge”"),
        ("in 1932 – spans", "in\u00a01932 — spans"),
        ("cafe\u0301 guests see", "café guests see"),
        ("ｓｐａｎｓ ５０３", "spans 503"),
        ("“Its arch is of steel.”", "Its arch\u200b is of STEEL"),
        ("Its arch is ... guests see it", "Its arch\u200b is of STEEL; café guests see it"),
        (
            "Harbour Bridge […] Its arch is … guests see it.",
            "Harbour  Bridge” — ﬁnished in\u00a01932 — spans 503\u00admetres. Its arch\u200b is of STEEL; café guests see it",
        ),
        ("… its arch is of steel …", "Its arch\u200b is of STEEL"),
        ("spans\u200b 503\u200dmet\ufe0fres", "spans 503\u00admetres"),
    ],
)
def test_what_copying_changes_does_not_matter(quote: str, found: str) -> None:
    """Case, whitespace, marks, compatibility forms, invisible characters and an ellipsis are seen through."""
    place = find_quote(quote, TEXT)
    assert place is not None
    assert TEXT[place[0] : place[1]] == found


@pytest.mark.parametrize(
    "quote",
    [
        "",
        " ",
        "...",
        "\u200b" * 99,
        "—" * 99,
        "it",
        "in 1932",  # six letters and digits
        "the harbor bridge",
        "spans 503 metres",  # a space that is not there
        "arch of steel is",
        "guests see it ... Its arch is",  # the wrong way round
        "arch ... see",  # parts that are too short
        "Its arch is of steel and stone",
    ],
)
def test_what_is_not_there_is_not_found(quote: str) -> None:
    """Neither other words, nor too few, nor words in another order."""
    assert find_quote(quote, TEXT) is None


@pytest.mark.parametrize(("quote", "text"), [("42", "42"), ("Paris", " “Paris.”\n"), ("Ja!", "ja")])
def test_all_of_a_short_text_is_long_enough(quote: str, text: str) -> None:
    """A text shorter than the least quote can still be quoted: as a whole."""
    assert find_quote(quote, text) is not None


def test_three_characters_say_enough_in_chinese() -> None:
    """What is long enough is measured in bytes, as scripts differ in what a character says."""
    assert find_quote("建于一九三二年", "大桥建于一九三二年。") == (2, 9)
    assert find_quote("大桥", "大桥建于一九三二年。") is None


@pytest.mark.parametrize(("gap", "near"), [(MOST_GAP, "near"), (MOST_GAP + 1, "far")])
def test_parts_of_a_quote_stand_near_each_other(gap: int, near: str) -> None:
    """An ellipsis joins one passage, not two ends of a document."""
    text = f"The first part{'x' * gap}the second part"
    place = find_quote("The first part ... the second part", text)
    assert place == ((0, len(text)) if near == "near" else None)


def test_a_later_first_part_is_tried() -> None:
    """A part that also stands far before does not hide the passage."""
    text = f"The first part {'-' * 999} the first part, the second part"
    assert find_quote("the first part ... the second part", text) == (len(text) - 31, len(text))


def test_to_the_letter_comes_first() -> None:
    """Where a text holds a quote exactly and otherwise, the exact place counts."""
    assert find_quote("the second part", "The second part. the second part") == (17, 32)


@pytest.mark.timed
def test_no_quote_takes_long() -> None:
    """Time grows with the text, whatever is quoted."""
    texts = ["a" * 300_000, "ab" * 150_000, "ﬃ" * 100_000, "a" * 20 + " " * 300_000, "\u0301" * 100_000]
    quotes = ["b" * 2_000, "a" * 1_999 + "b", "aaaaaaaa ... " + "a" * 1_900 + "b", "f" * 1_000 + "i" + "f" * 900]
    start = time.perf_counter()
    assert [find_quote(quote, text) for text in texts for quote in quotes] == [None] * 20
    assert time.perf_counter() - start < 5


def test_normalised_is_the_form_that_is_compared() -> None:
    """Two texts with one form are one quote."""
    assert normalised(" “Straße”  —\u200bİX\n") == "'strasse' -i\u0307x"
