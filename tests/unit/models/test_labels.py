"""Labels: what a head says, and what it does not."""

from pathlib import Path

import pytest

from models.labels import Head, Meaning, head_of, read_names
from models.types import ModelError, NotFiniteError


@pytest.mark.parametrize(
    ("names", "meanings"),
    [
        (["ENTAILMENT", "Neutral", "contradiction"], ["entailment", "neutral", "contradiction"]),
        (["contradiction", "entailment", "neutral"], ["contradiction", "entailment", "neutral"]),
        (["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"], ["entailment", "contradiction", "neutral"]),
        (["entailment", "not_entailment"], ["entailment", "not_entailment"]),
        (["Unsupported", "Supported"], ["not_entailment", "entailment"]),
        (["hallucinated", "consistent"], ["not_entailment", "entailment"]),
        (["Non-Factual", "factual"], ["not_entailment", "entailment"]),
        (["entailment", "contradiction"], ["entailment", "contradiction"]),
        (["consistent"], ["entailment"]),
        (["hallucination"], ["not_entailment"]),
    ],
)
def test_names_are_understood(names: list[str], meanings: list[str]) -> None:
    """The usual names mean what they say, in any case, spelling and order."""
    assert head_of(names).meanings == tuple(Meaning(meaning) for meaning in meanings)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["LABEL_0", "LABEL_1", "LABEL_2"], "such as 'entailment,neutral,contradiction'"),
        (["LABEL_0", "LABEL_1"], "such as 'entailment,not_entailment'"),
        (["LABEL_0"], "'not_entailment' if it means hallucinated"),
        (["positive", "neutral", "negative"], "entailment,neutral,contradiction"),
        (["entailment", "entailment"], "entailment,not_entailment"),
        (["neutral", "contradiction"], "entailment,not_entailment"),
        (["entailment", "neutral", "unsupported"], "entailment,neutral,contradiction"),
        (["neutral"], "'entailment' if a high number means supported"),
        (["entailment", "neutral", "contradiction", "other"], "one, two or three can"),
        ([], "one, two or three can"),
    ],
)
def test_names_that_say_nothing(names: list[str], advice: str) -> None:
    """Outputs of unknown meaning are never guessed: the error names the setting and a value for it."""
    with pytest.raises(ModelError, match="set ASSAY_NLI_LABELS") as caught:
        head_of(names)
    assert advice in str(caught.value)


def test_three_classes_follow_their_order() -> None:
    """Each probability is that of the output so named."""
    probability = head_of(["contradiction", "entailment", "neutral"]).probability([0.0, 3.0, 1.0])
    assert probability.entailment > (probability.neutral or 0) > (probability.contradiction or 0)


def test_two_classes_tell_no_contradiction() -> None:
    """What a head of two labels does not tell apart is unknown, not 0."""
    probability = head_of(["not_entailment", "entailment"]).probability([0.0, 2.0])
    assert probability.entailment == pytest.approx(0.8808, abs=1e-4)
    assert (probability.neutral, probability.contradiction) == (None, None)


def test_two_classes_one_of_them_contradiction() -> None:
    """A head that names contradiction tells it, and nothing of neutral."""
    probability = head_of(["entailment", "contradiction"]).probability([0.0, 2.0])
    assert probability.contradiction == pytest.approx(0.8808, abs=1e-4)
    assert probability.neutral is None


@pytest.mark.parametrize(("name", "entailment"), [("supported", 0.8808), ("hallucinated", 0.1192)])
def test_one_number_is_log_odds(name: str, entailment: float) -> None:
    """One output is the log odds of what it is named for."""
    assert head_of([name]).probability([2.0]).entailment == pytest.approx(entailment, abs=1e-4)


@pytest.mark.parametrize("names", [["supported"], ["entailment", "neutral", "contradiction"]])
def test_nan_is_no_probability(names: list[str]) -> None:
    """NaN and infinity are the model's failure, for every head."""
    with pytest.raises(NotFiniteError):
        head_of(names).probability([float("nan")] * len(names))


def test_more_numbers_than_labels() -> None:
    """A model that answers another number of outputs than it has labels is refused."""
    with pytest.raises(ModelError, match="answered 3 numbers a pair, its labels are 1"):
        Head(meanings=(Meaning.ENTAILMENT,)).probability([1.0, 2.0, 3.0])


@pytest.mark.parametrize("content", ["", "[]", '{"id2label": {"a": "entailment"}}', '{"id2label": 3}'])
def test_no_configuration(tmp_path: Path, content: str) -> None:
    """A file that is no model's configuration is refused by name."""
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match="labels in id2label"):
        read_names(tmp_path / "config.json")


def test_names_are_in_order_of_their_number(tmp_path: Path) -> None:
    """The order is that of the numbers, not of the file; no names at all are the format's two without meaning."""
    (tmp_path / "config.json").write_text('{"id2label": {"10": "c", "2": "b", "0": "a"}}')
    assert read_names(tmp_path / "config.json") == ("a", "b", "c")
    (tmp_path / "config.json").write_text("{}")
    assert read_names(tmp_path / "config.json") == ("LABEL_0", "LABEL_1")
