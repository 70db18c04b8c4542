"""A combination: what it makes of scorers' values, what it refuses, and its file."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.core.combination import (
    Combination,
    Combined,
    FittedScorer,
    Parts,
    Thresholds,
    Uncombined,
    load_combination,
    make_combination,
    save_combination,
)
from service.core.errors import PolicyInvalidError

NLI = FittedScorer(name="nli", fingerprint="n1", slopes={"nli": 0.5}, absent=None)
JUDGE = FittedScorer(name="judge", fingerprint="j1", slopes={"judge": 3.0}, absent=0.75)
CONSISTENCY = FittedScorer(name="consistency", fingerprint="c1", slopes={"selfcheck": 1.0, "entropy": 2.0}, absent=1.25)
WHOLE = Parts(
    nli=0.9,
    nli_fingerprint="n1",
    judge=2 / 3,
    judge_fingerprint="j1",
    selfcheck=0.5,
    entropy=0.25,
    consistency_fingerprint="c1",
)
NOT_JUDGED = Parts(nli=0.9, nli_fingerprint="n1", selfcheck=0.5, entropy=0.25, consistency_fingerprint="c1")


def fitted(*scorers: FittedScorer, strict: float = 0.8) -> Combination:
    return make_combination(
        intercept=-2.0,
        scorers=scorers or (NLI, JUDGE, CONSISTENCY),
        thresholds=Thresholds(balanced=0.5, strict=strict),
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
        figures={"examples": 100},
    )


def log_odds(found: Combined | Uncombined) -> float:
    assert isinstance(found, Combined)
    return math.log(found.score / (1 - found.score))


def test_by_hand() -> None:
    """The intercept, half the NLI score's logit, three times 2/3, and 0.5 + 2 x 0.25."""
    found = fitted().combine(WHOLE)
    assert log_odds(found) == pytest.approx(-2 + 0.5 * math.log(9) + 2 + 1)
    assert isinstance(found, Combined)
    assert (found.used, found.threshold, found.flagged) == (("nli", "judge", "consistency"), 0.8, True)
    assert found.fit == fitted().digest


def test_a_missing_scorer_adds_what_stands_for_its_absence() -> None:
    """Without a verdict the judge adds 0.75, and is not among those that were used."""
    found = fitted().combine(NOT_JUDGED)
    assert log_odds(found) == pytest.approx(-2 + 0.5 * math.log(9) + 0.75 + 1)
    assert isinstance(found, Combined)
    assert found.used == ("nli", "consistency")


def test_half_of_a_pair_is_missing() -> None:
    """Contradiction without entropy is not what the fit saw: both count as missing."""
    half = Parts(nli=0.9, nli_fingerprint="n1", selfcheck=0.5, consistency_fingerprint="c1")
    assert log_odds(fitted().combine(half)) == pytest.approx(-2 + 0.5 * math.log(9) + 0.75 + 1.25)


def test_another_judge_counts_as_missing() -> None:
    """The fit knows nothing of a judge with another prompt."""
    other = Parts(
        nli=0.9,
        nli_fingerprint="n1",
        judge=0.0,
        judge_fingerprint="j2",
        selfcheck=0.5,
        entropy=0.25,
        consistency_fingerprint="c1",
    )
    assert fitted().combine(other) == fitted().combine(NOT_JUDGED)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (Parts(nli=0.9, nli_fingerprint="n2", judge=1.0, judge_fingerprint="j1"), Uncombined.OTHER_SCORER),
        (Parts(nli=0.9), Uncombined.OTHER_SCORER),
        (Parts(judge=1.0, judge_fingerprint="j1"), Uncombined.NEVER_MISSING),
        (Parts(), Uncombined.NEVER_MISSING),
    ],
)
def test_what_the_fit_cannot_know_has_no_score(parts: Parts, why: Uncombined) -> None:
    """Of another NLI scorer, or without what no labelled response was without: no number, and why."""
    assert fitted().combine(parts) is why


def test_nothing_that_speaks_is_no_score() -> None:
    """Absences alone are no score, even where the fit knows what each means."""
    known = FittedScorer(name="nli", fingerprint="n1", slopes={"nli": 0.5}, absent=1.0)
    assert fitted(known, JUDGE).combine(Parts()) is Uncombined.NO_SCORE


@pytest.mark.parametrize(("chosen", "threshold"), [("strict", 0.8), ("balanced", 0.5), (0.25, 0.25)])
def test_the_threshold_is_the_chosen_one(chosen: Any, threshold: float) -> None:
    """By name as the fit has it, or a number."""
    found = fitted().combine(WHOLE, chosen)
    assert isinstance(found, Combined)
    assert (found.threshold, found.flagged) == (threshold, found.score >= threshold)


def test_certainty_is_bounded() -> None:
    """An NLI score of 1 is as 0.999, so that no single scorer is infinitely sure."""
    sure = Parts(nli=1.0, nli_fingerprint="n1")
    assert log_odds(fitted(NLI).combine(sure)) == pytest.approx(-2 + 0.5 * math.log(999))


def test_the_file_brings_it_back(tmp_path: Path) -> None:
    """What was written is what is read, with the same digest; when it was made and measured changes no digest."""
    path = tmp_path / "combination.json"
    save_combination(fitted(), path)
    assert load_combination(path) == fitted()
    assert fitted().model_copy(update={"figures": {}}).meaning == fitted().digest
    assert fitted(strict=0.9).digest != fitted().digest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"intercept": -1.0}, "digest"),
        ({"intercept": None}, "intercept"),
        ({"version": 2}, "version"),
        ({"scorers": []}, "scorers"),
        ({"scorers": [JUDGE.model_dump()]}, "`nli`"),
        ({"scorers": [NLI.model_dump(), NLI.model_dump()]}, "once"),
        ({"scorers": [NLI.model_dump() | {"slopes": {"nli": -0.5}}]}, "slopes"),
        ({"scorers": [NLI.model_dump() | {"slopes": {"other": 0.5}}]}, "needs slopes of nli"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """The error names the file, what is wrong, and how to make another."""
    path = tmp_path / "combination.json"
    path.write_text(json.dumps(json.loads(fitted().model_dump_json()) | change))
    with pytest.raises(PolicyInvalidError) as refused:
        load_combination(path)
    assert said in refused.value.detail
    assert str(path) in refused.value.detail
    assert "assay calibrate" in refused.value.next_step


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, cut or no JSON: the same error, no traceback of another kind."""
    path = tmp_path / "combination.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyInvalidError, match="combination"):
        load_combination(path)
