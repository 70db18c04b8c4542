"""Agreement with labels, against hand-made figures and the definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.strategies import LAW
from workers.offline.agreement import _hanley_error, balanced_accuracy, read_label, roc_auc

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


@pytest.mark.parametrize(
    ("flagged", "expected"), [([0, 1, 1, 1], 0.75), ([0, 0, 0, 1], 0.75), ([0] * 4, 0.5), ([1] * 4, 0.5)]
)
def test_balanced_accuracy(flagged: list[int], expected: float) -> None:
    """The mean of sensitivity and specificity of what was flagged."""
    found = balanced_accuracy(flagged, [0, 0, 1, 1])
    assert found is not None
    assert found.value == expected
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < found.value < found.high <= 1


def test_balanced_accuracy_of_one_class_is_unknown() -> None:
    """Unknown is null."""
    assert balanced_accuracy([0], [0]) is None


def test_error_of_roc_auc() -> None:
    """Hanley and McNeil's own example (1982): AUC 0.893 from 51 abnormal and 58 normal cases has the error 0.032."""
    assert _hanley_error(0.893, 51, 58) == pytest.approx(0.032, abs=1e-3)


def test_interval_of_balanced_accuracy() -> None:
    """With as many of each class and equal shares it is Wilson's for one share, divided by the root of two."""
    flagged = [1] * 8 + [0] * 2 + [0] * 8 + [1] * 2
    found = balanced_accuracy(flagged, [1] * 10 + [0] * 10)
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
