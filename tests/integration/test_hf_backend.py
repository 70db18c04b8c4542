"""Any Hugging Face model: what it says of a pair is what the reference library says, however it is asked."""

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from models.backends.hub import find_checkpoint
from models.backends.pair_tokens import PairEncoder, _same_words
from models.backends.torch import TorchBackend
from models.claims import plain
from models.labels import head_of, read_names
from models.load import ScorerConfig, load_scorer
from models.tokens import pack, unpack
from models.types import Context, EncodedPair, Item, NotFiniteError, Scored, Unscored, UnscoredReason
from tests.checkpoints import FAMILIES, NLI, POSITIONS, edit_json, keep_sentencepiece_only, save_checkpoint

HEADS = (NLI, ("contradiction", "entailment", "neutral"), ("not_entailment", "entailment"), ("consistent",))
PAIRS = [
    ("Paris is the capital of France.", "Lyon is a city."),
    ("The shop opens at nine. " * 4, "  The café isn't open 😀."),
    ("x", "y"),
    ("It snowed in Tokyo\n\n and the tower is 324 metres.", "unreasonable"),
    ("Kettles can be returned.", "你好。世界很大。"),
]
CONTEXT = (
    "Opening hours 😀: the shop opens at nine. It closes at five, except on Sundays!\n\n"
    "- Kettles can be returned within 30 days of delivery.\n- Toasters can't.\n\n"
    "The  café\u0301 is on the second floor. " + "It snowed in Tokyo, where nobody had expected it. " * 6
)
RESPONSE = "The **shop** opens at ten. Toasters can be returned. The cafe\u0301 is on the second floor; it snowed 😀."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> "Folders":
    return Folders(tmp_path_factory.mktemp("checkpoints"))


class Folders:
    """Checkpoints, made when they are first asked for and not to be changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.get = cache(self._get)
        self.backend = cache(self._backend)

    def _get(self, family: str, labels: tuple[str, ...] = NLI) -> Path:
        return save_checkpoint(self._root / f"{family} {' '.join(labels)}", family, labels)

    def _backend(self, family: str, labels: tuple[str, ...] = NLI) -> tuple[PairEncoder, TorchBackend]:
        return load(self.get(family, labels))


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def load(folder: Path, threads: int = 0) -> tuple[PairEncoder, TorchBackend]:
    checkpoint = find_checkpoint(str(folder), "")
    encoder = PairEncoder(checkpoint)
    return encoder, TorchBackend(checkpoint, head_of(read_names(folder / "config.json")), encoder, threads)


def pair(encoder: PairEncoder, window: str, claim: str) -> EncodedPair:
    return encoder.join(pack(encoder.encode(window).ids), pack(encoder.encode(claim).ids))


def reference(folder: Path, pairs: list[tuple[str, str]]) -> "np.typing.NDArray[np.float32]":
    """One row of probabilities per pair, in the order of the model's labels."""
    model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    return np.asarray(model.predict(pairs, apply_softmax=True, show_progress_bar=False)).reshape(len(pairs), -1)


@pytest.mark.parametrize("labels", HEADS, ids=" ".join)
@pytest.mark.parametrize("family", FAMILIES)
def test_parity_with_the_reference_library(folders: Folders, family: str, labels: tuple[str, ...]) -> None:
    """A pair's probabilities are those of sentence-transformers, label by label."""
    encoder, backend = folders.backend(family, labels)
    found = backend.predict([pair(encoder, *texts) for texts in PAIRS], lambda: None)
    expected = reference(folders.get(family, labels), PAIRS)
    meanings = head_of(labels).meanings
    at = meanings.index("entailment")
    assert [one.entailment for one in found] == pytest.approx(expected[:, at].tolist(), abs=1e-5)
    if labels in HEADS[:2]:
        others = [[one.neutral, one.contradiction] for one in found]
        order = [meanings.index("neutral"), meanings.index("contradiction")]
        assert np.array(others) == pytest.approx(expected[:, order], abs=1e-5)
    else:
        assert {(one.neutral, one.contradiction) for one in found} == {(None, None)}


def test_a_tokenizer_of_the_old_form_is_read(tmp_path: Path) -> None:
    """Models published with spm.model and no tokenizer.json are read as the reference library reads them."""
    folder = save_checkpoint(tmp_path / "old", "deberta")
    keep_sentencepiece_only(folder)
    encoder, backend = load(folder)
    found = backend.predict([pair(encoder, *texts) for texts in PAIRS], lambda: None)
    expected = reference(folder, PAIRS)[:, 0].tolist()
    assert [one.entailment for one in found] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_evidence_is_what_the_model_read(folders: Folders, family: str) -> None:
    """The probability that a claim shows is the reference library's for exactly the evidence and claim shown."""
    scorer = load_scorer(ScorerConfig(model=str(folders.get(family)), threshold="balanced"))
    item = Item(response=RESPONSE, contexts=(Context(id="a", text="Nothing here."), Context(id="b", text=CONTEXT)))
    scored = scorer.score([item], lambda: None)[0]
    assert isinstance(scored, Scored)
    assert len(scored.claims) == 3
    for claim in scored.claims:
        assert RESPONSE[claim.start : claim.end] == claim.text
        evidence = claim.evidence
        assert evidence is not None
        assert item.contexts[evidence.context_index].text[evidence.start : evidence.end] == evidence.text
        words = plain(claim.text).strip().replace("  ", " ")
        expected = reference(folders.get(family), [(evidence.text, words)])[0]
        assert claim.probability is not None
        assert claim.probability.entailment == pytest.approx(expected[0], abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_company_changes_nothing(folders: Folders, family: str) -> None:
    """A pair's answer is the same but for rounding alone, in a batch, and in another order."""
    encoder, backend = folders.backend(family)
    words = CONTEXT.split()
    pairs = [pair(encoder, " ".join(words[: 1 + at % 19]), " ".join(words[: 1 + at % 8])) for at in range(40)]
    together = [one.entailment for one in backend.predict(pairs, lambda: None)]
    order = list(range(len(pairs)))
    random.Random(1).shuffle(order)
    shuffled = [one.entailment for one in backend.predict([pairs[at] for at in order], lambda: None)]
    alone = [backend.predict([one], lambda: None)[0].entailment for one in pairs]
    assert alone == pytest.approx(together, abs=1e-6)
    assert shuffled == pytest.approx([together[at] for at in order], abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("aB é.\n\t 😀漢ß\u0301\u200b\x00ﬁ</s>[SEP]") | st.characters(codec="utf-8")))
def test_tokens_stand_for_characters_in_order(folders: Folders, family: str, text: str) -> None:
    """Offsets lie in the text and never decrease, whatever the tokenizer makes of it."""
    encoded = folders.backend(family)[0].encode(text)
    assert len(encoded.ids) == len(encoded.starts) == len(encoded.ends)
    assert all(0 <= start <= end <= len(text) for start, end in zip(encoded.starts, encoded.ends, strict=True))
    assert list(encoded.starts) == sorted(encoded.starts)
    assert list(encoded.ends) == sorted(encoded.ends)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_leave_the_space_before_them_out(folders: Folders, family: str) -> None:
    """A word's token begins at its first letter, though the tokenizer counts the space to it."""
    text = "The shop opens."
    encoded = folders.backend(family)[0].encode(text)
    assert {0, 4, 9} <= set(encoded.starts)
    words = [text[start:end] for start, end in zip(encoded.starts, encoded.ends, strict=True)]
    assert [word for word in words if word.strip() and word != word.strip()] == []


@pytest.mark.parametrize(("family", "sign"), [("bert", "[SEP]"), ("roberta", "</s>"), ("deberta", "[SEP]")])
def test_text_that_spells_a_special_token_is_text(folders: Folders, family: str, sign: str) -> None:
    """A response cannot end the pair early by spelling the model's separator."""
    encoder, _ = folders.backend(family)
    separator = unpack(encoder.join(b"", b"").input_ids)[-1]
    assert separator not in encoder.encode(f"The shop {sign} opens.").ids


@pytest.mark.parametrize("family", FAMILIES)
def test_longest_pair_is_read(folders: Folders, family: str) -> None:
    """A pair of as many tokens as the model has positions is read; a claim that leaves no room is unscored."""
    encoder, backend = folders.backend(family)
    assert backend.max_length == POSITIONS
    longest = encoder.join(pack([9] * (POSITIONS - encoder.join(b"", b"").length - 1)), pack([9]))
    assert 0 < backend.predict([longest], lambda: None)[0].entailment < 1
    scorer = load_scorer(ScorerConfig(model=str(folders.get(family)), threshold=0.7))
    item = Item(response="shop " * 120, contexts=(Context(id="a", text=CONTEXT),))
    assert scorer.score([item], lambda: None) == [Unscored(reason=UnscoredReason.CLAIM_TOO_LONG)]


def test_progress_after_each_batch(folders: Folders) -> None:
    """Progress is reported once a batch, so that a stalled model can be told from a busy one."""
    encoder, backend = folders.backend("bert")
    ticks: list[int] = []
    backend.predict([pair(encoder, CONTEXT[:150], "Paris.")] * 40, lambda: ticks.append(1))
    assert len(ticks) > 1


def test_threads_are_those_asked_for(folders: Folders) -> None:
    """The processor's threads are the setting's."""
    load(folders.get("bert"), threads=1)
    assert torch.get_num_threads() == 1


def test_half_precision_weights_run_in_float32(tmp_path: Path) -> None:
    """On a processor the weights run in float32, whatever they are stored in."""
    folder = save_checkpoint(tmp_path, "bert")
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    edit_json(folder / "config.json", dtype="float16")
    assert load(folder)[1].dtype == "float32"


def test_nan_is_an_error(tmp_path: Path) -> None:
    """A model that answers NaN is refused when it is loaded, not when traffic comes."""
    folder = save_checkpoint(tmp_path, "bert")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NotFiniteError):
        load(folder)


def test_a_word_is_the_same_wherever_it_stands() -> None:
    """Whether a window speaks of a claim must not hang on a space before a word, or on a capital."""
    vocabulary = {"Ġshop": 0, "shop": 1, "Shop": 2, "▁shop": 3, "Ġnine": 4, "?": 5}
    same = _same_words(Tokenizer(WordLevel(vocabulary)))
    assert same == {0: 0, 1: 0, 2: 0, 3: 0, 4: 4, 5: 5}
