"""Claims: what is checked, what is not, and that spans are exact."""

import time

import pytest

from models.claims import ClaimKind, plain, split_claims


def texts(response: str, kind: ClaimKind = ClaimKind.CHECKABLE) -> list[str]:
    return [claim.text for claim in split_claims(response) if claim.kind is kind]


@pytest.mark.parametrize(
    "response",
    [
        "The 😀 sat. It is 𝒳 here.",
        "One thing.\r\n\r\n2. Another thing.\r\n- Third thing.\r\n",
        "The cafe\u0301 opened. It closed.",
        "你好。世界很大。",
        "\u2028A line.\u2028Another.",
    ],
)
def test_span_gives_claim_back(response: str) -> None:
    """response[start:end] is the claim, whatever the characters."""
    claims = split_claims(response)
    assert claims
    assert all(response[claim.start : claim.end] == claim.text == claim.text.strip() for claim in claims)


def test_list_items_lose_their_markers() -> None:
    """Each list item is a claim of its own, without its marker."""
    assert texts("It sells:\n- red apples\n* green pears\n1. Blue plums.\n(2) figs") == [
        "red apples",
        "green pears",
        "Blue plums.",
        "figs",
    ]


def test_numbers_inside_a_sentence_do_not_end_it() -> None:
    """A decimal, an abbreviation or an initial does not end a claim."""
    sentence = "Dr. J. Smith paid 3.5 dollars to the U.S. government."
    assert texts(sentence) == [sentence]


def test_marker_in_the_middle_of_a_line_joins_what_follows() -> None:
    """A lone list marker is never a claim."""
    assert texts("1. First thing. 2. Second thing.") == ["First thing.", "Second thing."]


def test_wrapped_line_goes_on() -> None:
    """A line that the next continues in lower case is one sentence with it."""
    assert texts("The tower was built\nin 1889 by Eiffel.") == ["The tower was built\nin 1889 by Eiffel."]


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello!",
        "Hi there,",
        "I hope this helps!",
        "Let me know if you have any other questions.",
        "What would you like to know?",
        "Sure!",
        "You're welcome!",
        "# A heading",
        "Here are the main points:",
        "Thank you for your question.",
        "---",
        "1.\n2.\n",
        "```\nx = 1\n```",
        "",
        " \n\t",
    ],
)
def test_not_checkable(sentence: str) -> None:
    """Questions, courtesies, headings, markers and code are not checked."""
    assert {claim.kind for claim in split_claims(sentence)} <= {ClaimKind.NOT_CHECKABLE}


@pytest.mark.parametrize(
    "sentence",
    [
        "Hi, your order 123 ships on Monday.",
        "Sure, Paris is the capital.",
        "The policy does not cover flood damage.",
        "The defendant was not found in the house.",
        "The text was written in 1990.",
        "I don't know, but it is Lyon.",
        "The context does not mention the price, but the shop opens at nine.",
        "**Paris**",
        "42.",
        "Paris",
    ],
)
def test_checkable(sentence: str) -> None:
    """Whatever states something is checked, however it begins."""
    assert texts(sentence) == [sentence]


@pytest.mark.parametrize(
    "sentence",
    [
        "I don't have information about that.",
        "The context does not mention the price.",
        "The provided documents do not contain information about X.",
        "I cannot answer this question based on the provided context.",
        "I'm sorry, but I can't help with that.",
        "Unfortunately, there is no information available on that.",
        "Based on the context, the price is not specified in the document.",
        "This is not mentioned in the passage.",
        "I don't know.",
        "I cannot find it, but I can help you search.",
        "Not enough information.",
        "I’m unable to determine the date.",
    ],
)
def test_refusal(sentence: str) -> None:
    """Declining to answer is a refusal, not a claim."""
    assert texts(sentence, ClaimKind.REFUSAL) == [sentence]


def test_bold_line_is_a_heading_beside_others() -> None:
    """A bold line is the answer only when nothing else is stated."""
    assert texts("**Summary**\nThe shop opens at nine.") == ["The shop opens at nine."]


def test_plain_drops_markup() -> None:
    """The model reads words, not emphasis or citation numbers."""
    assert plain("**Paris** is `big` [1, 2].").split() == ["Paris", "is", "big", "."]


def test_long_paragraph_is_split_as_short_ones_are() -> None:
    """A paragraph longer than one stretch of the splitter loses and moves no sentence."""
    sentences = [f"Number {number} has a sentence of its own here." for number in range(1000)]
    assert texts(" ".join(sentences)) == sentences


@pytest.mark.timed
@pytest.mark.parametrize("sign", ["`", '"', "a? ", "(1) ", "*", "[1]", "The cat.\n", "I cannot ", "```"])
def test_two_hundred_thousand_characters_take_seconds(sign: str) -> None:
    """Splitting is linear, whatever the response is made of."""
    begun = time.monotonic()
    split_claims((sign * 200_000)[:200_000])
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ('The 15" screen is bright. It costs 300 euros. It has a 2" frame.', 3),
        ('A 15" screen is here. He called it "nice. Very nice". Done.', 3),
        ('He chose "Model 15" today. It is good.', 2),
        ('He said "stop. Now 15" and left.', 1),
    ],
)
def test_inches_quote_nothing(text: str, sentences: int) -> None:
    """A mark behind a digit while no quotation is open ends up in its sentence and opens none; one that closes does."""
    assert len(split_claims(text)) == sentences
    assert all(text[claim.start : claim.end] == claim.text for claim in split_claims(text))
