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
    found = roc_auc(scores, positive)
    assert (found.value if found else None) == expected


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
        assert found is not None
        assert found.value == pytest.approx(wins / (len(bad) * len(clean)))
        if found.low is None or found.high is None:
            assert found.value in {0, 1}
        else:
            assert 0 <= found.low < found.value < found.high <= 1


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 0.75), (0.85, 0.75), (0.95, 0.5), (0.0, 0.5)])
def test_balanced_accuracy(threshold: float, expected: float) -> None:
    """The mean of sensitivity and specificity; a score at the threshold is flagged."""
    found = balanced_accuracy([0.1, 0.6, 0.5, 0.9], [0, 0, 1, 1], threshold)
    assert found is not None
    assert found.value == expected
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < found.value < found.high <= 1


def test_balanced_accuracy_of_one_class_is_unknown() -> None:
    """Unknown is null."""
    assert balanced_accuracy([0.1], [0], 0.5) is None


def test_interval_of_roc_auc() -> None:
    """The standard error of Hanley and McNeil (1982), here for AUC 0.75 with two of each."""
    found = roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    assert found is not None
    q1, q2 = 0.75 / 1.25, 2 * 0.75**2 / 1.75
    error = ((0.75 * 0.25 + (q1 - 0.75**2) + (q2 - 0.75**2)) / 4) ** 0.5
    assert found.low == pytest.approx(0.75 - 1.959964 * error, abs=1e-6)
    assert found.high == 1.0


def test_interval_of_balanced_accuracy() -> None:
    """With as many of each class and equal shares it is Wilson's for one share, divided by the root of two."""
    scores = [0.9] * 8 + [0.1] * 2 + [0.1] * 8 + [0.9] * 2
    found = balanced_accuracy(scores, [1] * 10 + [0] * 10, 0.5)
    assert found is not None
    low, high = 0.4901625, 0.9433178  # Wilson 1927 for 8 of 10
    assert (found.value, found.low, found.high) == (
        pytest.approx(0.8),
        pytest.approx(0.8 - (0.8 - low) / 2**0.5, abs=1e-6),
        pytest.approx(0.8 + (high - 0.8) / 2**0.5, abs=1e-6),
    )


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
