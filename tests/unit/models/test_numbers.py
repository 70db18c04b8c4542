"""Numbers that a claim states and no context gives."""

import time

import pytest

from models.numbers import given_numbers, missing_numbers


def missing(claim: str, *contexts: str) -> tuple[str, ...]:
    return missing_numbers(claim, given_numbers(contexts))


@pytest.mark.parametrize(
    ("claim", "context"),
    [
        ("Refunds take 14 days.", "Refunds take 14 days."),
        ("Refunds take 14 days.", "Refunds take fourteen days."),
        ("It has 25 seats.", "It has twenty-five seats."),
        ("It has 200 seats.", "It has two hundred seats."),
        ("It has 120 seats.", "It has one hundred and twenty seats."),
        ("It has 2,350 seats.", "It has two thousand three hundred and fifty seats."),
        ("It cost 300 thousand.", "It cost three hundred thousand euros."),
        ("It opened in 1998.", "It opened in nineteen ninety-eight."),
        ("There are 25 of 40.", "Of forty there are twenty-five."),
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
        ("It has 320 seats.", "It has three and twenty seats, one hundred doors.", ("320",)),
        ("An awesome 30 came.", "Nobody came.", ("30",)),  # "some" of "awesome" is not rough
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
        "It takes roughly $450.",
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


@pytest.mark.timed
def test_many_numbers_take_no_time() -> None:
    """A megabyte of decimals and a claim full of numbers: what is looked up is not gone through."""
    given = given_numbers([" ".join(f"{at}.{at % 97}7" for at in range(120_000))])
    claim = " ".join(f"{at}.123456" for at in range(200_000, 204_000))
    started = time.process_time()
    assert len(missing_numbers(claim, given)) == 4_000
    assert len(missing_numbers("exceed" * 20_000 + " 777777 " * 2_000, given)) == 2_000
    assert time.process_time() - started < 2


def test_absurd_numbers_are_numbers() -> None:
    """More digits than a float holds are no error."""
    huge = "9" * 400
    assert missing(f"It is {huge}.", "It is 12.") == (huge,)
    assert missing(f"It is {huge}.", f"It is {huge}.") == ()
    assert missing("It is 0." + "1" * 400, huge) != ()
