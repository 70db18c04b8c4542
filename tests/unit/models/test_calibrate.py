"""The calibration: monotone, bounded, and refused when it is not."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from models.calibrate import UNCALIBRATED, Calibration, load_calibration, save_calibration
from models.types import ModelError
from tests.unit.models.support import EVEN


def test_round_trip(tmp_path: Path) -> None:
    """What is saved is loaded."""
    save_calibration(EVEN, tmp_path / "c.json", "model")
    assert load_calibration(tmp_path / "c.json", "model") == EVEN


def test_made_for_another_model(tmp_path: Path) -> None:
    """Points chosen with other weights are refused; a file that names no model fits any."""
    save_calibration(EVEN, tmp_path / "c.json", "model")
    with pytest.raises(ModelError, match="made for another model"):
        load_calibration(tmp_path / "c.json", "other")
    (tmp_path / "c.json").write_text('{"slope": 1, "intercept": 0, "strict": 0.8}')
    assert load_calibration(tmp_path / "c.json", "other") == replace(EVEN, accepted=1.0)


def test_accepted_is_all_alike() -> None:
    """Entailment from the accepted level on gives the least score; a threshold at or below it would flag everything."""
    assert EVEN.score(0.9) == EVEN.score(0.97) == EVEN.least < EVEN.score(0.89)
    with pytest.raises(ModelError, match="least score"):
        EVEN.threshold(0.09)


@pytest.mark.parametrize("accepted", [0.0, 0.5, 1.1])
def test_only_supported_claims_are_accepted(accepted: float) -> None:
    """A level at which a claim would not be supported cannot settle it."""
    with pytest.raises(ModelError, match="calibrate again"):
        replace(EVEN, accepted=accepted)


def test_strict_is_unknown_without_calibration() -> None:
    """Without labelled rows nobody knows where strict lies; the other thresholds are as always."""
    with pytest.raises(ModelError, match=r"ASSAY_THRESHOLD to balanced.*assay calibrate"):
        UNCALIBRATED.threshold("strict")
    assert (UNCALIBRATED.threshold("balanced"), UNCALIBRATED.threshold(0.9)) == (0.5, 0.9)
    assert UNCALIBRATED.score(0.3) == pytest.approx(0.7)


def test_certainty_stays_within_bounds() -> None:
    """Entailment of exactly 0 and 1 gives finite scores within 0..1."""
    assert 0 < EVEN.score(1.0) < 0.5 < EVEN.score(0.0) < 1


@pytest.mark.parametrize(("chosen", "threshold"), [("strict", 0.8), ("balanced", 0.5), (0.3, 0.3), (1, 1.0)])
def test_thresholds(chosen: str | float, threshold: float) -> None:
    """A threshold is a word or a number."""
    assert EVEN.threshold(chosen) == threshold


@pytest.mark.parametrize("chosen", ["lenient", 0, 1.5, float("nan")])
def test_bad_threshold(chosen: str | float) -> None:
    """Another word, or a number outside 0..1, is refused with what to give."""
    with pytest.raises(ModelError, match="give 'strict', 'balanced' or a number"):
        EVEN.threshold(chosen)


@pytest.mark.parametrize(("slope", "strict"), [(0.0, 0.8), (-1.0, 0.8), (1.0, 0.4), (float("inf"), 0.8)])
def test_bad_values(slope: float, strict: float) -> None:
    """A calibration under which the score could rise with support is refused."""
    with pytest.raises(ModelError, match="calibrate again"):
        Calibration(slope=slope, intercept=0.0, strict=strict)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"slope": null, "intercept": 0, "strict": 1}'])
def test_malformed_file(tmp_path: Path, content: str) -> None:
    """A file that is no calibration is a ModelError that says what to run."""
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(ModelError, match="`assay calibrate` writes one"):
        load_calibration(tmp_path / "c.json", "model")


def test_named_thresholds_rise_with_the_claims() -> None:
    """Strict and balanced rise with the number of claims, by the logit; a number that somebody chose stays."""
    rising = replace(EVEN, rise=0.5)
    assert rising.raised("strict", 1) == rising.threshold("strict") == 0.8
    several = rising.raised("strict", 8)
    assert math.log(several / (1 - several)) == pytest.approx(math.log(0.8 / 0.2) + 0.5 * math.log(8))
    assert rising.raised("strict", 200) == several
    assert 0.5 < rising.raised("balanced", 2) < rising.raised("balanced", 3) < 1
    assert rising.raised(0.8, 8) == 0.8
    assert EVEN.raised("strict", 8) == 0.8
    assert replace(rising, strict=1.0).raised("strict", 8) == 1
    with pytest.raises(ModelError, match="rise"):
        replace(EVEN, rise=-0.1)
