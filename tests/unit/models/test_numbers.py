"""Numbers that a claim states and no context gives."""

import pytest

from models.numbers import given_numbers, missing_numbers


def missing(claim: str, *contexts: str) -> tuple[str, ...]:
    return missing_numbers(claim, [given_numbers(context) for context in contexts])


@pytest.mark.parametrize(
    ("claim", "context"),
    [
        ("Refunds take 14 days.", "Refunds take 14 days."),
        ("Refunds take 14 days.", "Refunds take fourteen days."),
        ("It has 25 seats.", "It has twenty-five seats."),
        ("It has 200 seats.", "It has two hundred seats."),
        ("It cost $1,200,000.", "It cost $1.2 million."),
        ("It cost $1.2 million.", "It cost 1,200,000 dollars."),
        ("It cost $1.2 million.", "It cost $1.2m."),
        ("It holds 1200 people.", "It holds 1,200 people."),
        ("Sales grew by 12.3%.", "Sales grew by 12.34 percent."),
        ("Sales grew by 12%.", "Sales grew by 12.3 percent."),
        ("The share was 37%.", "The share was 0.37."),
        ("It cost $14.2 million.", "Cost (in millions): 14.2"),
        ("It cost 14.2 million.", "It cost between 14.2 and 15.1 million."),
        ("The road is 15 metres wide.", "The road is 15 m wide."),
        ("It ended on 12 May.", "It ended on 12.5.2020."),
        ("It is 50% full.", "It is half full."),
        ("It was founded in 1998.", "Founded: 1998-04-02."),
        ("On 12 May 2020 it ended.", "(12/5/2020) The end."),
    ],
)
def test_a_number_given_otherwise_is_given(claim: str, context: str) -> None:
    """In words, at another scale, more exactly, in a date: it is there."""
    assert missing(claim, context) == ()


@pytest.mark.parametrize(
    ("claim", "context", "expected"),
    [
        ("Refunds take 30 days.", "Refunds take 90 days.", ("30",)),
        ("It rose 12.4%.", "It rose 12.34%, after 12.5%.", ("12.4",)),
        ("It cost $1.3 million in 2019.", "It cost $1.2 million in 2018.", ("1.3 million", "2019")),
        ("It was sold for 25,000.", "", ("25,000",)),
        ("It cost $14.2 million.", "It cost $14.2 billion.", ("14.2 million",)),
    ],
)
def test_what_no_context_gives_is_missing(claim: str, context: str, expected: tuple[str, ...]) -> None:
    """As it stands in the claim, in order."""
    assert missing(claim, context) == expected


@pytest.mark.parametrize(
    "claim",
    [
        "There are 3 options.",  # a reader counts them
        "It weighs about 30 kg.",
        "It takes more than 45 minutes.",
        "COVID-19 spread in the 1990s and the 80's.",
        "Use GPT-4, v2.15 or the A320 at 10:45 on 24/7 duty, in 2018-19.",
        "The 13th one won.",
    ],
)
def test_what_need_not_stand_in_a_text(claim: str) -> None:
    """Counts, rough numbers, and digits of names, times and ranges."""
    assert missing(claim, "Nothing of it is here.") == ()


def test_one_context_is_enough() -> None:
    """A number may stand in any of them."""
    assert missing("It took 47 days.", "It took long.", "47 days passed.") == ()
