"""Runtimes of scorers: what is kept of them, how those of several workers are one, and when rounding may have changed."""

import pytest

from service.core.golden.runtime import is_moved, joined, runtime_of

A, B = {"backend": "x", "device": "a"}, {"backend": "x", "device": "b"}


def test_the_model_is_no_runtime() -> None:
    """Its name and revision are in the fingerprint: another model on the same processor rounds alike."""
    assert runtime_of({**A, "model": "m", "revision": "r"}) == A


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        (A, A, False),
        (A, B, True),
        (A, {**A, "capabilities": "FP16"}, True),
        (A, {**B, "backend": "y"}, False),
        (joined(A, B), joined(B, A), True),
        (A, joined(A, B), True),
        (None, A, False),
        (A, None, False),
        (None, None, False),
    ],
)
def test_moved(before: dict[str, str] | None, now: dict[str, str] | None, moved: bool) -> None:  # noqa: FBT001
    """To another processor or library; among several always, and never to another backend, which is another scorer."""
    assert is_moved(before, now) is moved


def test_joined() -> None:
    """The same in whatever order workers came, and as often as they came."""
    assert joined(A, B) == joined(B, A) == joined(joined(A, B), A) == {"backend": "x", "device": "a | b"}
    assert joined(A, A) == A
    assert joined(A, {**A, "dtype": "half"}) == {**A, "dtype": "half | untold"}
