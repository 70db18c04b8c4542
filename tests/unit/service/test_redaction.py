"""Redaction: what the shipped rules take, what they leave, and that the same value stays the same."""

import time

import pytest

from service.core.privacy import Pattern, ShippedRule
from service.redaction import Redactor
from tests.unit.service.redaction_cases import CLINGING, HARD, IN_PART, NEGATIVES, POSITIVES, framed

ALL = Redactor(list(ShippedRule), [])


def one(text: str, redactor: Redactor = ALL) -> str:
    return redactor.redact([text]).texts[0]


@pytest.mark.parametrize(("rule", "value", "before", "after"), framed())
def test_a_value_goes_whole_and_alone(rule: str, value: str, before: str, after: str) -> None:
    """The value becomes its rule's placeholder; what stands around it stays, to the last character."""
    done = ALL.redact([before + value + after])
    assert done.texts == (f"{before}[{rule.upper()}_1]{after}",)
    assert done.counts == {rule: 1}


@pytest.mark.parametrize("text", NEGATIVES)
def test_what_only_looks_like_it_stays(text: str) -> None:
    """Order numbers, dates, prices and versions are what answers are checked for: none may be touched."""
    done = ALL.redact([text])
    assert (done.texts, done.counts) == ((text,), {})


@pytest.mark.parametrize(("plain", "kin"), [(" ", "\u00a0"), (" ", "\u202f"), ("-", "\u2011"), ("-", "\u2013")])
@pytest.mark.parametrize("text", NEGATIVES)
def test_typography_makes_no_value(text: str, plain: str, kin: str) -> None:
    """What is no value with plain spaces and hyphens is none with others."""
    typeset = text.replace(plain, kin)
    assert one(typeset) == typeset


@pytest.mark.parametrize(("text", "left"), CLINGING)
def test_values_that_cling_to_others(text: str, left: str) -> None:
    """A code, a comma, `_`, an escaped line break or a quote beside a value neither hides it nor goes with it."""
    assert one(text) == left


@pytest.mark.parametrize(("text", "left"), IN_PART)
def test_what_goes_only_in_part_is_known(text: str, left: str) -> None:
    """What the documentation says is left of a value is left, and no more."""
    assert one(text) == left


@pytest.mark.parametrize("text", [text for texts in HARD.values() for text in texts])
def test_known_misses_are_known(text: str) -> None:
    """What the documentation names as a miss is one; a rule that learns it moves it to the positives."""
    assert one(text) == text


def test_recall_and_precision_are_as_documented() -> None:
    """The table of docs/privacy.md: of labelled values, how many go; of replaced ones, how many are values."""
    table = {}
    for rule in ShippedRule:
        wanted = [*POSITIVES[rule], *HARD.get(rule, [])]
        redactor = Redactor([rule], [])
        hits = sum(one(f"It is {value}.", redactor) == f"It is [{rule.upper()}_1]." for value in wanted)
        others = [v for name, values in POSITIVES.items() if name != rule for v in values]
        wrong = sum(bool(redactor.redact([text]).counts) for text in [*NEGATIVES, *others])
        table[rule.value] = (hits, len(wanted), wrong)
    assert table == {
        "key": (18, 19, 0),
        "email": (11, 12, 0),
        "iban": (10, 10, 0),
        "card": (14, 19, 0),
        "ipv4": (3, 3, 0),
        "ssn": (3, 3, 0),
        "phone": (22, 26, 2),  # social security numbers that begin with 0, where the rule `ssn` is off
    }


class TestSameness:
    def test_the_same_value_is_the_same_placeholder(self) -> None:
        """In question, context and response, however it is written; another value has another number."""
        done = ALL.redact(
            [
                "Whose is Anna@Example.com?",
                "Anna: anna@example.com, +49 30 1234567. Bo: bo@example.com.",
                "0049 30 1234567",
            ]
        )
        assert done.texts == (
            "Whose is [EMAIL_1]?",
            "Anna: [EMAIL_1], [PHONE_1]. Bo: [EMAIL_2].",
            "[PHONE_1]",
        )
        assert done.counts == {"email": 3, "phone": 2}

    def test_ways_to_write_an_accent(self) -> None:
        """Whether letter and accent are one character or two, the address is the same."""
        assert one("jos\u00e9@example.com, jose\u0301@example.com") == "[EMAIL_1], [EMAIL_1]"

    def test_submissions_do_not_share_numbers(self) -> None:
        """Each submission begins at 1: placeholders link nothing across submissions."""
        assert one("bo@example.com") == one("anna@example.com") == "[EMAIL_1]"

    def test_a_placeholder_that_was_sent_keeps_its_number(self) -> None:
        """Text that holds a placeholder already gets no second meaning for it."""
        done = ALL.redact(["[EMAIL_1] wrote to [EMAIL_7]", "bo@example.com"])
        assert done.texts == ("[EMAIL_1] wrote to [EMAIL_7]", "[EMAIL_8]")

    def test_what_hides_in_a_placeholder_is_found(self) -> None:
        """Only a number of up to seven digits makes a placeholder."""
        assert one("[CARD_4111111111111111]") == "[CARD_[CARD_1]]"
        assert one("[CARD 4111111111111111]") == "[CARD [CARD_1]]"


class TestOwnPatterns:
    def test_an_own_pattern(self) -> None:
        """A pattern of the policy works as a shipped rule does, before those that know less."""
        redactor = Redactor(["customer", "phone"], [Pattern(name="customer", regex=r"KD-\d{3}-\d{3}-\d{4}")])
        assert (
            one("KD-212-555-0123, KD-212-555-0123, 212-555-0123", redactor) == "[CUSTOMER_1], [CUSTOMER_1], [PHONE_1]"
        )

    def test_placeholders_are_left_alone(self) -> None:
        """A wide pattern does not eat placeholders, so redacting twice changes nothing."""
        redactor = Redactor(["email", "digits"], [Pattern(name="digits", regex=r"\d+")])
        once = one("a1@example.com has 17 items", redactor)
        assert one(once, redactor) == once

    def test_a_pattern_that_nobody_names_does_nothing(self) -> None:
        """Rules apply where `redact` lists them."""
        assert one("KD-1", Redactor(["email"], [Pattern(name="customer", regex="KD-1")])) == "KD-1"

    @pytest.mark.timed
    @pytest.mark.parametrize("regex", [r"(a+)+$", r"(a|a)*b", r"(\w+\s?)*!", r"a{0,500}b"])
    def test_no_pattern_is_catastrophic(self, regex: str) -> None:
        """Patterns that would take a backtracking engine for ever end in time."""
        redactor = Redactor(["own"], [Pattern(name="own", regex=regex)])
        started = time.perf_counter()
        one("a" * 20_000 + "c", redactor)
        assert time.perf_counter() - started < 2


HOSTILE = [
    "a",
    "a@",
    "1",
    "1 ",
    "DE12 ",
    "a@b.",
    "-----BEGIN PRIVATE KEY-----",
    "eyJ",
    "sk-",
    "4111 ",
    "+1-",
    "01 ",
    "[EMAIL_1]",
    "é@",
    "_4111",
    "\\n030 ",
    "4111 1111 1111 1111 ",
    "4111\u00a01111\u2013",
    "a'",
    "a'@b.c",
    "-----BEGIN PRIVATE KEY-----\n> Comment: a\n",
    "> aaaaaaaaaaaaaaaa\n",
]


@pytest.mark.timed
@pytest.mark.parametrize("unit", HOSTILE)
def test_time_is_linear(unit: str) -> None:
    """Four times the text costs about four times the time, also of text made to hurt; the best of five, for a busy machine."""

    def seconds(characters: int) -> float:
        text = (unit * (characters // len(unit) + 1))[:characters]
        best = float("inf")
        for _ in range(5):
            started = time.process_time()
            ALL.redact([text])
            best = min(best, time.process_time() - started)
        return best

    small, large = seconds(50_000), seconds(200_000)
    assert large < max(8 * small, 0.05)  # sixteen times would be quadratic
