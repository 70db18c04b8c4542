"""Agreement with labels, against hand-made figures and the definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.strategies import LAW
from workers.offline.agreement import balanced_accuracy, read_label, roc_auc

ROWS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), max_size=30)


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.5, 0.5, 0.5], [0, 1, 1], 0.5),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
        ([0.1, 0.9], [1, 1], None),
        ([], [], None),
    ],
)
def test_roc_auc(scores: list[float], positive: list[int], expected: float | None) -> None:
    """1 where every positive scores above every negative, 0.5 where all tie, null without both classes."""
    assert roc_auc(scores, positive) == expected


@LAW
@given(ROWS)
def test_roc_auc_is_the_share_of_pairs(rows: list[tuple[float, bool]]) -> None:
    """By definition: over all (positive, negative) pairs, the share in which the positive scores higher, ties half."""
    bad = [score for score, positive in rows if positive]
    clean = [score for score, positive in rows if not positive]
    found = roc_auc([score for score, _ in rows], [int(positive) for _, positive in rows])
    if not bad or not clean:
        assert found is None
    else:
        wins = sum((b > c) + (b == c) / 2 for b in bad for c in clean)
        assert found == pytest.approx(wins / (len(bad) * len(clean)))


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 0.75), (0.85, 0.75), (0.95, 0.5), (0.0, 0.5)])
def test_balanced_accuracy(threshold: float, expected: float) -> None:
    """The mean of sensitivity and specificity; a score at the threshold is flagged."""
    assert balanced_accuracy([0.1, 0.6, 0.5, 0.9], [0, 0, 1, 1], threshold) == expected


def test_balanced_accuracy_of_one_class_is_unknown() -> None:
    """Unknown is null."""
    assert balanced_accuracy([0.1], [0], 0.5) is None


@pytest.mark.parametrize(
    ("label", "positive"),
    [
        ("supported", False),
        ("entailment", False),
        ("not_supported", True),
        ("Not supported ", True),
        ("neutral", True),
        ("contradiction", True),
        ("maybe", None),
        (1, None),
        (None, None),
    ],
)
def test_labels(label: object, *, positive: bool | None) -> None:
    """Positive means not supported; a label that says neither counts for nothing."""
    assert read_label(label) is positive
