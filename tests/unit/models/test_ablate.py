"""The ablation: other ways to put the same answers together."""

import math
from pathlib import Path

import pytest

from models.aggregate import UNFOUNDED
from models.load import ScorerConfig, load_model
from models.training.ablate import VARIANTS, Variant, best, compare, odds, score, write
from models.training.answers import Read, ReadClaim, ReadRow, read_all
from models.training.examples import Example, Target
from models.training.rows import Row
from models.training.stages import classes, kinds
from models.types import Context, Item
from tests.checkpoints import save_checkpoint


def claim(*windows: Read, founded: bool = True, previous: float | None = None, whole: float = 0.5) -> ReadClaim:
    return ReadClaim(windows=windows, whole=whole, previous=previous, founded=founded)


def read(support: float, *, about: bool = True, sentence: bool = True) -> Read:
    return Read(support=support, entailment=support / 2, about=about, sentence=sentence)


def variant(name: str) -> Variant:
    return next(each for each in VARIANTS if name in each.name)


def test_rules_go_one_by_one() -> None:
    """Each rule off lets through what it holds back, and no more."""
    odd = claim(read(0.9, about=False), read(0.4), read(0.6, sentence=False), founded=False)
    assert best(odd) == UNFOUNDED
    assert best(odd, numbers=False) == 0.6
    assert best(odd, numbers=False, about=False) == 0.9
    assert best(odd, numbers=False, runs=False) == 0.4
    assert best(odd, numbers=False, against=False) == 0.3


def test_noisy_or_of_one_claim_is_the_claim() -> None:
    """One claim is as bad as it is; of two, each bad with one half, some is with three quarters."""
    noisy = variant("noisy-or").response
    assert noisy([1.3]) == pytest.approx(1.3)
    assert noisy([0.0, 0.0]) == pytest.approx(math.log(3))
    assert noisy([500.0, 0.0]) > 20


def test_the_sentence_before() -> None:
    """It helps where it is read; the first claim has none and stays what it is."""
    row = ReadRow(supported=True, claims=(claim(read(0.2)), claim(read(0.1), previous=0.8)))
    scores, _ = score([row], variant("the better counts"))
    assert scores == [odds(0.2)]


def test_a_variant_that_tells_nothing_is_worth_less() -> None:
    """Its change is negative with its whole interval, and that of the pipeline as it is is nil."""
    rows = [
        ReadRow(supported=at % 2 == 0, claims=(claim(read(0.9 if at % 2 == 0 else 0.1), whole=0.5),))
        for at in range(40)
    ]
    worths = {worth.name: worth for worth in compare({"a": rows, "b": rows})}
    assert worths["as it is"].auc_change == 0
    assert worths["as it is"].auc == 1
    whole = worths["the whole context as one window"]
    assert (whole.auc, whole.auc_change) == (0.5, -0.5)
    assert whole.high < 0
    assert "| as it is | 1.000 |" in write(
        list(worths.values()), 40, {"x": {"nli": {"mnli": 0.5}, "kinds": {"copied": 0.25}}}
    )


def test_reads_every_pair_of_the_bundled_model() -> None:
    """Windows, the whole context and the claim with the sentence before it, from a row to its answers."""
    context = "The shop opens at nine. It closes at six. Cats sleep. Dogs bark at the moon every night."
    item = Item(response="The shop opens at nine. It closes at 18.", contexts=(Context(id="0", text=context),))
    (found,) = read_all(load_model(ScorerConfig()), [Row(item=item, supported=False)])
    first, second = found.claims
    assert (first.previous is None, second.previous is not None) == (True, True)
    assert (first.founded, second.founded) == (True, False)
    assert sum(window.sentence for window in first.windows) == 4
    assert best(first) > 0.5


def test_classes_of_a_checkpoint(tmp_path: Path) -> None:
    """Each pair gets its own probabilities, in the order asked, whatever is read beside it."""
    folder = save_checkpoint(tmp_path, "bert")
    pairs = [("The shop opens at nine.", "It opens."), ("Paris is the capital of France.", "Lyon is."), ("A", "B")]
    together = classes(folder, pairs)
    assert together.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    for at, pair in enumerate(pairs):
        assert classes(folder, [pair])[0] == pytest.approx(together[at], abs=1e-5)
    example = Example(premise="P", hypothesis="H", target=Target.ENTAILED, source="copied", group="")
    assert kinds(folder, [example])["copied"] in (0.0, 1.0)
