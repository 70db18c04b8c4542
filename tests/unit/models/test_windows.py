"""Windows: every sentence, and the runs that say more of a claim than their parts."""

from itertools import pairwise

from models.windows import LONGEST_RUN, cut_sentences, join_windows, make_runs, read_source
from tests.unit.models.support import WordEncoder


def cut(text: str, budget: int) -> list[str]:
    source = read_source(text, WordEncoder().encode(text))
    return [text[window.start : window.end] for window in cut_sentences(source, budget)]


def runs(text: str, claim: str, budget: int = 20) -> list[str]:
    """The texts of the runs for that claim, every word of which counts."""
    encoder = WordEncoder()
    encoded = encoder.encode(text)
    source = read_source(text, encoded)
    sentences = cut_sentences(source, budget)
    words = set(encoder.encode(claim).ids)
    shared = [frozenset(encoded.ids[window.first : window.last]) & words for window in sentences]
    found = make_runs(sentences, shared, budget)
    joined = [join_windows(source, sentences[first], sentences[last]) for first, last, _ in found]
    return [text[window.start : window.end] for window in joined]


def test_each_sentence_is_a_window() -> None:
    """A context is cut between sentences; the space after one belongs to it."""
    assert cut(" One two. Three four. ", 20) == [" One two. ", "Three four. "]


def test_long_sentence_is_cut_with_overlap() -> None:
    """A sentence longer than a window is cut into windows that share words, and none is lost."""
    words = [f"w{number}" for number in range(50)]
    windows = cut(" ".join(words), 8)
    assert all(len(window.split()) <= 8 for window in windows)
    assert all(set(before.split()) & set(after.split()) for before, after in pairwise(windows))
    assert {word for window in windows for word in window.split()} == set(words)


def test_nothing_to_read() -> None:
    """A context without tokens has no windows."""
    assert cut("   ", 8) == []


def test_run_needs_something_of_each_end() -> None:
    """Neighbours are read together where each holds a word of the claim that the other lacks."""
    text = "The tower is old. It was built in Paris. Rain fell."
    assert runs(text, "tower Paris") == ["The tower is old. It was built in Paris. "]
    assert runs(text, "tower old") == []
    assert runs("The tower is old. The tower is in Paris.", "tower Paris") == []


def test_run_reaches_over_one_sentence() -> None:
    """Three sentences are a run where first and last hold what the others lack; four never are."""
    text = "The tower stands. Nobody came. It is blue. Rain fell."
    assert runs(text, "tower blue") == ["The tower stands. Nobody came. It is blue. "]
    assert runs(text, "tower rain") == []
    assert LONGEST_RUN == 3


def test_run_fits_the_window() -> None:
    """Neighbours that together are longer than a window are not read together."""
    text = "The tower stands. It is blue."
    assert runs(text, "tower blue", budget=7) == []
    assert runs(text, "tower blue", budget=8) == [text]


def test_pieces_of_one_sentence_make_no_run() -> None:
    """Windows that overlap are not joined: their text would be longer than a window."""
    text = " ".join(f"w{number}" for number in range(12))
    assert runs(text, "w1 w7", budget=8) == []
