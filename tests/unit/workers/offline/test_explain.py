"""The explanation of a row: the response once, every claim marked, and beside each figure the evidence in its place."""

import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from models.types import Verdict
from service.core.evidence_schemas import EvidenceAnswer
from service.core.sample_schemas import ClaimAnswer, ProbabilityAnswer
from service.core.schemas import ContextSent, Submission
from tests.property.strategies import LAW
from workers.offline.answer import RowAnswer
from workers.offline.explain import AROUND_CHARS, MAX_CLAIMS, MAX_RESPONSE_CHARS, SIGNS, explain
from workers.offline.shape import Row

CONTEXT = "Thank you.\n\nAppliances can be returned within 30 days. The kettle is blue.\nWe are open from nine to six."
RESPONSE = "Great question!\n\n- You have 90 days [1].\n- It is blue.\n"
EVIDENCE = "Appliances can be returned within 30 days."
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def claim_of(response: str, text: str, verdict: Verdict, **given: object) -> ClaimAnswer:
    """A claim where its text stands in the response."""
    start = response.index(text)
    score = None if verdict is Verdict.NOT_CHECKABLE else {"supported": 0.2}.get(verdict.value, 0.8)
    values = {"start": start, "end": start + len(text), "text": text, "score": score, "probability": None}
    return ClaimAnswer.model_validate(values | {"verdict": verdict.value, "evidence": None} | given)


def quoted(text: str, context: str = CONTEXT, name: str = "0") -> EvidenceAnswer:
    """Evidence where its text stands in the context."""
    return EvidenceAnswer(context_id=name, start=context.index(text), end=context.index(text) + len(text), text=text)


def shown(
    claims: Sequence[ClaimAnswer],
    response: str = RESPONSE,
    contexts: Sequence[str] = (CONTEXT,),
    *,
    width: int = 80,
    colour: bool = False,
    score: float = 0.8,
) -> str:
    """What is printed."""
    sent = Submission(response=response, contexts=tuple(ContextSent(id=None, text=text) for text in contexts))
    answer = RowAnswer(
        id="a", status="scored", reason=None, score=score, flagged=score >= 0.5, threshold=0.5, claims=list(claims)
    )
    colours = "truecolor" if colour else None
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=colour, color_system=colours)
    console.print(explain(Row(line=1, id="a", content=sent), answer))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def all_kinds() -> list[ClaimAnswer]:
    """One claim of each kind that the response has."""
    return [
        claim_of(RESPONSE, "Great question!", Verdict.NOT_CHECKABLE),
        claim_of(
            RESPONSE,
            "You have 90 days [1].",
            Verdict.CONTRADICTED,
            probability=ProbabilityAnswer(entailment=0.1, neutral=0.2, contradiction=0.7),
            evidence=quoted(EVIDENCE),
        ),
        claim_of(
            RESPONSE,
            "It is blue.",
            Verdict.SUPPORTED,
            probability=ProbabilityAnswer(entailment=0.9, neutral=None, contradiction=None),
            evidence=quoted("The kettle is blue."),
        ),
    ]


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_the_whole_view() -> None:
    """Without colour: the response in its own lines, then verdict, figures and evidence side by side."""
    assert lines(shown(all_kinds())) == [
        "a  flagged: score 0.80, threshold 0.50, 1 is bad " + "-" * 31,
        "",
        "  [-] Great question!",
        "",
        "  - [✗1] You have 90 days [1].",
        "  - [✓2] It is blue.",
        "",
        "[✗1] contradicted        no context gives 90",
        "     score         0.80  context 0:",
        "     entailment    0.10  Thank you. “Appliances can be returned within 30 days.”",
        "     neutral       0.20  The kettle is blue. We are open from nine to six.",
        "     contradiction 0.70",
        "",
        "[✓2] supported           context 0:",
        "     score         0.20  Thank you. Appliances can be returned within 30 days.",
        "     entailment    0.90  “The kettle is blue.” We are open from nine to six.",
        "",
        "[-] not checkable: nothing that a context could support",
        "",
    ]


def test_colours_are_for_terminals() -> None:
    """On one each claim has the colour of its verdict and the evidence is bold; the words are the same as without."""
    plain, coloured = shown(all_kinds()), shown(all_kinds(), colour=True)
    assert "\x1b" not in plain
    assert ANSI.sub("", coloured) == plain
    for expected in (
        "\x1b[1;31m[✗1] \x1b[0m\x1b[1;31mYou have 90 days [1].\x1b[0m",
        "\x1b[32m[✓2] \x1b[0m\x1b[32mIt is blue.\x1b[0m",
        "\x1b[2m[-] \x1b[0m\x1b[2mGreat question!\x1b[0m",
        "\x1b[1m“The kettle is blue.”\x1b[0m",
    ):
        assert expected in coloured


def test_every_verdict_has_a_sign() -> None:
    """What can be checked is numbered, with a sign that needs no colour."""
    assert set(SIGNS) == set(Verdict) - {Verdict.NOT_CHECKABLE}


def test_closest_is_no_proof() -> None:
    """The sentence beside an unsupported claim is only the nearest that there is."""
    claims = [claim_of(RESPONSE, "It is blue.", Verdict.UNSUPPORTED, evidence=quoted("Thank you."))]
    assert "closest in context 0:" in shown(claims)


def test_a_long_context_is_cut_between_words() -> None:
    """A little of the text on both sides of the evidence is shown, and that there is more."""
    context = "before " * 100 + EVIDENCE + " after" * 100
    claims = [claim_of(RESPONSE, "It is blue.", Verdict.SUPPORTED, evidence=quoted(EVIDENCE, context))]
    text = " ".join(shown(claims, contexts=[context], width=400).split())
    found = re.search(rf"…((?:before )+)“{re.escape(EVIDENCE)}”((?: after)+)…", text)
    assert found
    assert all(AROUND_CHARS - 10 < len(side) <= AROUND_CHARS for side in found.groups())


def test_each_context_by_its_own_id() -> None:
    """The quotation is taken from the context that it names."""
    claims = [claim_of(RESPONSE, "It is blue.", Verdict.SUPPORTED, evidence=quoted(EVIDENCE, name="1"))]
    assert f"context 1: Thank you. “{EVIDENCE}”" in " ".join(
        shown(claims, contexts=["Another one.", CONTEXT], width=200).replace("score         0.20", "").split()
    )


def test_a_quotation_that_is_not_there_stands_alone() -> None:
    """Offsets that do not fit are never shown as if they did."""
    wrong = quoted(EVIDENCE).model_copy(update={"start": 3})
    text = shown([claim_of(RESPONSE, "It is blue.", Verdict.SUPPORTED, evidence=wrong)])
    assert f"“{EVIDENCE}”" in text
    assert "Thank you" not in text


def test_a_score_beside_its_threshold() -> None:
    """Two numbers that would look the same get more digits."""
    assert "not flagged: score 0.4990, threshold 0.5000" in shown(all_kinds(), score=0.499)


def test_the_worst_of_many_are_listed() -> None:
    """Of a long response those claims are shown that made it bad, in the order of the text; the rest is counted."""
    response = " ".join(f"Whale number {n:03} sings in the sea, and it sings well." for n in range(100))
    claims = [
        claim_of(response, f"Whale number {n:03} sings in the sea, and it sings well.", Verdict.UNSUPPORTED).model_copy(
            update={"score": 0.9 if n % 5 == 4 else 0.6}
        )
        for n in range(100)
    ]
    text = shown(claims, response)
    assert len(response) > MAX_RESPONSE_CHARS
    assert re.findall(r"Whale number (\d+)", " ".join(text.split())) == [f"{n:03}" for n in range(4, 100, 5)]
    assert re.findall(r"(?m)^\[\?(\d+)\]", text) == [str(n) for n in range(5, 101, 5)]
    assert text.count("…") == MAX_CLAIMS
    assert "and 80 more claims, none worse" in text


@pytest.mark.parametrize("width", [40, 80, 140])
def test_it_fits(width: int) -> None:
    """No line is longer than the terminal is wide."""
    assert max(map(len, shown(all_kinds(), width=width).splitlines())) <= width


TEXTS = st.text(max_size=60)
PIECES = st.lists(st.tuples(TEXTS, st.sampled_from([None, *Verdict])), max_size=12)


@LAW
@given(PIECES, st.text(min_size=1, max_size=200), st.data())
def test_nothing_is_lost_and_nothing_obeyed(
    pieces: list[tuple[str, Verdict | None]], context: str, data: st.DataObject
) -> None:
    """Whatever the texts and spans: all of a short response is shown, and no control but the end of a line."""
    response, claims = "", []
    for text, verdict in pieces:
        if verdict is not None:
            start = data.draw(st.integers(0, len(context)))
            end = data.draw(st.integers(start, len(context)))
            evidence = EvidenceAnswer(context_id="0", start=start, end=end, text=context[start:end])
            claim = claim_of(text, text, verdict, evidence=evidence)
            claims.append(claim.model_copy(update={"start": len(response), "end": len(response) + len(text)}))
        response += text
    text = shown(claims, response or "x", [context], width=10_000)
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in text)
    if claims:
        kept = [character for character in response if character.isalnum()]
        told = iter(text)
        assert all(character in told for character in kept)


def test_says_which_number_no_context_gives() -> None:
    """A claim that is not supported names the numbers that stand nowhere; a supported one has none to name."""
    text = shown(all_kinds())
    assert "no context gives 90" in text
    assert text.count("no context gives") == 1
    assert "no context gives" not in shown(all_kinds(), contexts=(CONTEXT, "It was 90 days once."))
