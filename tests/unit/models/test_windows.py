"""Windows: cover, fit and overlap."""

from itertools import pairwise

from models.windows import make_windows, read_source
from tests.unit.models.support import WordEncoder


def cut(text: str, budget: int) -> list[str]:
    source = read_source(text, WordEncoder().encode(text))
    return [text[window.start : window.end] for window in make_windows(source, budget)]


def test_short_context_is_one_window() -> None:
    """A context that fits is read whole."""
    assert cut(" One two. Three four. ", 20) == [" One two. Three four. "]


def test_windows_share_a_sentence() -> None:
    """A window begins with the last sentence of the one before."""
    assert cut("Aa bb. Cc dd. Ee ff.", 6) == ["Aa bb. Cc dd. ", "Cc dd. Ee ff."]


def test_long_sentence_is_cut_with_overlap() -> None:
    """A sentence longer than a window is cut into windows that share words, and none is lost."""
    words = [f"w{number}" for number in range(50)]
    windows = cut(" ".join(words), 8)
    assert all(len(window.split()) <= 8 for window in windows)
    assert all(set(before.split()) & set(after.split()) for before, after in pairwise(windows))
    assert {word for window in windows for word in window.split()} == set(words)


def test_no_window_repeats_the_one_before() -> None:
    """Where two sentences do not fit together, none is read twice."""
    assert cut("Aa bb cc dd ee. Ff gg hh ii jj.", 7) == ["Aa bb cc dd ee. ", "Ff gg hh ii jj."]


def test_nothing_to_read() -> None:
    """A context without tokens has no windows."""
    assert cut("   ", 8) == []
