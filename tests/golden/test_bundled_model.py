"""The bundled weights: they answer as they did when they were made, alone and in any company."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.backends.openvino import OpenvinoBackend
from models.load import BUNDLED, ScorerConfig, load_scorer
from models.tokens import WordPieceEncoder, pack, unpack
from models.types import (
    Context,
    EncodedPair,
    Item,
    ModelError,
    NotFiniteError,
    Scored,
    Scorer,
    Unscored,
    UnscoredReason,
    Verdict,
)
from models.windows import cut_sentences, read_source

# Processors round int8 products differently; other weights differ by far more.
TOLERANCE = 0.03

PREMISE = "France's capital city is Paris. Lyon is another city in France."
# hypothesis -> entailment, neutral, contradiction, as the bundled weights answered on the day they were made
GOLDEN = {
    "Paris is the capital of France.": (0.899, 0.087, 0.014),
    "Lyon is the capital of France.": (0.915, 0.074, 0.011),
    "Lyon is in France.": (0.913, 0.077, 0.010),
    "It snowed in Tokyo.": (0.005, 0.043, 0.952),
    "The capital of France is not Paris.": (0.010, 0.018, 0.972),
}


@pytest.fixture(scope="module")
def encoder() -> WordPieceEncoder:
    return WordPieceEncoder(BUNDLED / "tokenizer.json")


@pytest.fixture(scope="module")
def backend() -> OpenvinoBackend:
    return OpenvinoBackend(BUNDLED, threads=2)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return load_scorer(ScorerConfig(threads=2))


def item(response: str, *contexts: str) -> Item:
    return Item(
        response=response,
        contexts=tuple(Context(id=str(index), text=text) for index, text in enumerate(contexts)),
    )


def pair(encoder: WordPieceEncoder, premise: str, hypothesis: str) -> EncodedPair:
    return encoder.join(pack(encoder.encode(premise).ids), pack(encoder.encode(hypothesis).ids))


@pytest.mark.parametrize("hypothesis", GOLDEN)
def test_golden_probabilities(encoder: WordPieceEncoder, backend: OpenvinoBackend, hypothesis: str) -> None:
    """The weights, the tokenizer and the label order are those that were measured."""
    answer = backend.predict([pair(encoder, PREMISE, hypothesis)], lambda: None)[0]
    assert (answer.entailment, answer.neutral, answer.contradiction) == pytest.approx(GOLDEN[hypothesis], abs=TOLERANCE)


def test_company_changes_nothing(encoder: WordPieceEncoder, backend: OpenvinoBackend) -> None:
    """A pair's answer is the same to the bit alone, in a batch, and in another order."""
    words = PREMISE.split()
    pairs = [pair(encoder, " ".join(words * (1 + at % 9)), " ".join(words[: 1 + at % 8])) for at in range(40)]
    together = backend.predict(pairs, lambda: None)
    order = list(range(len(pairs)))
    random.Random(1).shuffle(order)
    shuffled = backend.predict([pairs[at] for at in order], lambda: None)
    assert [backend.predict([one], lambda: None)[0] for one in pairs] == together
    assert shuffled == [together[at] for at in order]


def test_progress_after_each_batch(encoder: WordPieceEncoder, backend: OpenvinoBackend) -> None:
    """Progress is reported once a batch, so that a stalled model can be told from a busy one."""
    ticks: list[int] = []
    backend.predict([pair(encoder, PREMISE * 10, "Paris.")] * 40, lambda: ticks.append(1))
    assert len(ticks) > 1


def test_nan_is_an_error(encoder: WordPieceEncoder, backend: OpenvinoBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NaN from the runtime is never a probability."""
    monkeypatch.setattr(backend, "_finish", lambda _lane: [[float("nan"), 0.0, 0.0]])
    with pytest.raises(NotFiniteError):
        backend.predict([pair(encoder, PREMISE, "Paris.")], lambda: None)


def test_too_long_a_pair_is_refused(backend: OpenvinoBackend) -> None:
    """The backend cuts nothing: more tokens than the model has positions are refused."""
    with pytest.raises(ValueError, match="longest padded length"):
        backend.predict([EncodedPair(input_ids=pack([101] * 513), token_type_ids=bytes(513))], lambda: None)


def test_labels_come_from_the_config(tmp_path: Path) -> None:
    """Labels that say nothing are not guessed: nothing is loaded."""
    (tmp_path / "config.json").write_text('{"id2label": {"0": "LABEL_0"}}')
    with pytest.raises(ModelError, match="does not say what each means"):
        OpenvinoBackend(tmp_path, threads=1)


def test_no_model_is_a_model_error(tmp_path: Path) -> None:
    """A folder without weights is refused by name."""
    (tmp_path / "config.json").write_text((BUNDLED / "config.json").read_text())
    with pytest.raises(ModelError, match="could not be loaded"):
        OpenvinoBackend(tmp_path, threads=1)


def test_tokenizer_is_missing(tmp_path: Path) -> None:
    """A missing tokenizer is refused with what writes one."""
    with pytest.raises(ModelError, match=r"models\.training\.export"):
        WordPieceEncoder(tmp_path / "tokenizer.json")


def test_pair_is_joined_as_trained(encoder: WordPieceEncoder) -> None:
    """[CLS] window [SEP] claim [SEP], the claim and its [SEP] of type 1."""
    joined = pair(encoder, "a", "b c")
    ids = unpack(joined.input_ids)
    assert (ids[0], ids[2], ids[-1]) == (101, 102, 102)
    assert joined.token_type_ids == bytes((0, 0, 0, 1, 1, 1))


def test_text_that_spells_a_special_token_is_text(encoder: WordPieceEncoder) -> None:
    """A response cannot end the pair early by spelling the model's separator."""
    assert {101, 102}.isdisjoint(encoder.encode("The shop [SEP] opens. [CLS]").ids)


def test_threads_change_nothing(encoder: WordPieceEncoder, backend: OpenvinoBackend) -> None:
    """A pair's answer is the same by one thread as by several."""
    words = PREMISE.split()
    pairs = [pair(encoder, " ".join(words * (1 + at % 20)), " ".join(words[: 1 + at % 8])) for at in range(60)]
    alone = OpenvinoBackend(BUNDLED, threads=1).predict(pairs, lambda: None)
    together = backend.predict(pairs, lambda: None)
    assert [one.entailment for one in alone] == pytest.approx([one.entailment for one in together], abs=1e-5)


class RecordingBackend(OpenvinoBackend):
    """Notes the shape of each batch that the runtime is given."""

    def __init__(self) -> None:
        self.shapes: set[tuple[int, int]] = set()
        super().__init__(BUNDLED, threads=2)

    def _start(self, lane: int, pairs: Sequence[EncodedPair], length: int) -> None:
        self.shapes.add((len(pairs), length))
        super()._start(lane, pairs, length)


def test_nothing_is_prepared_while_pairs_are_read() -> None:
    """Every shape that the runtime is given by traffic it was given at the start: no pair waits for a kernel."""
    recording = RecordingBackend()
    at_start = recording.shapes.copy()
    sizes = [3 + at * 7 % 380 for at in range(300)]
    for count in (1, 2, 3, 5, 50, 300):
        pairs = [EncodedPair(input_ids=pack([2_000] * size), token_type_ids=bytes(size)) for size in sizes[:count]]
        recording.predict(pairs, lambda: None)
    assert recording.shapes == at_start


@pytest.mark.timed
@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 200_000, "😀" * 100_000, "漢" * 100_000, "." * 200_000])
def test_large_contexts_are_covered(encoder: WordPieceEncoder, text: str) -> None:
    """Windows of real tokens fit, and cover the context to its end, in seconds."""
    begun = time.monotonic()
    windows = cut_sentences(read_source(text, encoder.encode(text)), 128)
    assert (windows[0].start, windows[-1].end) == (0, len(text))
    assert all(window.last - window.first <= 128 for window in windows)
    assert time.monotonic() - begun < 30


def test_supported_and_unsupported(scorer: Scorer) -> None:
    """A restatement is supported, with the sentence as evidence; an invention is not."""
    scored = scorer.score(
        [item("Hello! Paris is the capital of France. It snowed in Tokyo.", "", PREMISE)], lambda: None
    )[0]
    assert isinstance(scored, Scored)
    assert [claim.verdict is Verdict.SUPPORTED for claim in scored.claims] == [False, True, False]
    assert scored.claims[0].verdict is Verdict.NOT_CHECKABLE
    evidence = scored.claims[1].evidence
    assert evidence is not None
    assert (evidence.context_index, evidence.text) == (1, "France's capital city is Paris.")


def test_claim_beyond_the_model_is_unscored(scorer: Scorer) -> None:
    """A claim with no room for a window is unscored, and a long one with room is scored whole."""
    outcomes = scorer.score([item("word " * 400, PREMISE), item("word " * 200, PREMISE)], lambda: None)
    assert outcomes[0] == Unscored(reason=UnscoredReason.CLAIM_TOO_LONG)
    assert isinstance(outcomes[1], Scored)


@pytest.mark.timed
def test_a_megabyte_is_read_within_bounds(scorer: Scorer) -> None:
    """A megabyte of one sentence is one pair; one of many that support nothing is refused after as many as may be."""
    begun = time.monotonic()
    same = scorer.score([item("Paris is big.", "Some words here. " * 60_000)], lambda: None)[0]
    assert isinstance(same, Scored)
    assert same.pairs == 1
    bounded = load_scorer(ScorerConfig(threads=2, max_pairs=64))
    many = "".join(f"The bus number {number} was late on Monday. " for number in range(25_000))
    assert bounded.score([item("It snowed in Tokyo.", many)], lambda: None) == [
        Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
    ]
    assert time.monotonic() - begun < 30


def test_another_language_is_not_guessed(scorer: Scorer) -> None:
    """A response, or contexts, in a language that the model does not read are unscored; so is a word it cannot know."""
    german = "Frankreichs Hauptstadt ist Paris, und Lyon ist eine andere Stadt in diesem Land."
    outcomes = scorer.score(
        [item(german, PREMISE), item("Paris is the capital.", german), item("x" * 1_000_000, PREMISE)], lambda: None
    )
    assert outcomes == [Unscored(reason=UnscoredReason.LANGUAGE)] * 3
    assert isinstance(scorer.score([item("Paris is the capital.", german, PREMISE)], lambda: None)[0], Scored)


def test_fingerprint_is_stable(scorer: Scorer) -> None:
    """Loading again, with other threads, is the same scorer; another threshold is not."""
    assert load_scorer(ScorerConfig(threads=1)).fingerprint == scorer.fingerprint
    assert load_scorer(ScorerConfig(threshold="balanced")).fingerprint != scorer.fingerprint
    assert {"backend", "openvino", "device", "capabilities"} <= set(scorer.attributes)
