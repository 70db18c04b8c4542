"""The training run: what it learns, that it goes on where it stopped, and what it averages."""

import gzip
import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.training import made, recipe
from models.training.average import average
from models.training.encoded import Encoded, Loaded, encode, order, read_tokenizer
from models.training.examples import Example, Share, Target
from models.training.learn import Schedule, learn, losses, rate
from models.training.passes import Mixture, make_pass
from tests.checkpoints import save_checkpoint

SCHEDULE = Schedule(peak=3e-3, passes=1, warmup=2, batch_tokens=256, save_every=5)


def example(premise: str, hypothesis: str, target: Target) -> Example:
    return Example(premise=premise, hypothesis=hypothesis, target=target, source="test", group="")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("start"), "bert")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """The hypothesis says what the premise says, or names another place."""
    places = ("Paris", "Lyon", "Tokyo", "France")
    return [
        example(
            f"The shop is in {one}.", f"It is in {other}.", Target.ENTAILED if one == other else Target.CONTRADICTED
        )
        for one, other in itertools.product(places, places)
    ] * 12


def passes(examples: Sequence[Example], start: Path) -> Callable[[int], Encoded]:
    """The same examples in every pass."""
    encoded = encode(examples, read_tokenizer(start, 32))
    return lambda _: encoded


class KilledError(Exception):
    """What stops a run in its middle."""


def test_what_is_known_of_two_labels() -> None:
    """What is not entailed is learned through the sum of the other two classes, whatever lies between them."""
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, 2.0, 1.0]])
    not_entailed = losses(logits, torch.tensor([Target.NOT_ENTAILED, Target.NOT_ENTAILED]))
    assert not_entailed[0] == pytest.approx(float(not_entailed[1]))
    entailed = losses(logits, torch.tensor([Target.ENTAILED, Target.ENTAILED]))
    assert math.exp(-float(entailed[0])) + math.exp(-float(not_entailed[0])) == pytest.approx(1.0)


def test_batches_hold_every_example_once() -> None:
    """Each within the budget, its padding counted, and none of the examples twice or never."""
    lengths = [3 + (at * 7) % 40 for at in range(500)]
    batches = order(lengths, 200, "1")
    assert sorted(itertools.chain.from_iterable(batches)) == list(range(500))
    assert all(len(batch) * max(lengths[at] for at in batch) <= 200 for batch in batches)
    assert order(lengths, 200, "1") == batches != order(lengths, 200, "2")


def test_a_batch_is_its_pairs(start: Path, examples: list[Example]) -> None:
    """Each row is the pair that was asked for, its padding masked, its hypothesis of the second type."""
    various = [
        *examples[:3],
        example("Short.", "It is a much longer sentence in Paris than the others are.", Target.NEUTRAL),
    ]
    tokenizer = read_tokenizer(start, 32)
    batch = Loaded(encode(various, tokenizer), torch.device("cpu")).batch([3, 1])
    for row, each in enumerate((various[3], various[1])):
        encoding = tokenizer.encode(each.premise, each.hypothesis)
        length = len(encoding.ids)
        assert batch.ids[row, :length].tolist() == encoding.ids
        assert batch.types[row, :length].tolist() == encoding.type_ids
        assert batch.mask[row].tolist() == [1] * length + [0] * (batch.ids.shape[1] - length)
        assert not batch.ids[row, length:].any()
        assert batch.targets[row] == each.target


def test_rate_rises_then_falls_to_its_end() -> None:
    """The warm-up ends near the peak, the last step is near nil."""
    rates = [rate(step, step / 100, SCHEDULE) for step in range(100)]
    assert max(rates) == pytest.approx(SCHEDULE.peak, rel=0.02)
    assert rates[0] < rates[1]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] < SCHEDULE.peak / 50


def test_learns(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """A tiny model tells after a short run what it could not tell before."""
    few = Schedule(peak=2e-3, passes=4, warmup=20, batch_tokens=128)
    lines: list[str] = []
    learn(start, passes(examples * 6, start), few, tmp_path / "run", lines.append, seed=1)
    first, last = (float(line.split("loss ")[1].split(",")[0]) for line in (lines[0], lines[-1]))
    assert last < first - 0.1


def test_an_interrupted_run_ends_as_an_uninterrupted_one(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """Stopped in its second pass and started again, it ends with the same weights, dropout and the average included."""
    schedule = Schedule(peak=3e-3, passes=2, warmup=2, batch_tokens=128, dropout=0.1, save_every=7, averaged=0.9)
    given = passes(examples * 4, start)
    whole = learn(start, given, schedule, tmp_path / "whole", lambda _: None, seed=1)

    def killed(line: str) -> None:
        if float(line.split(", ")[1].split("%", maxsplit=1)[0]) > 50:
            raise KilledError(line)

    with pytest.raises(KilledError):
        learn(start, given, schedule, tmp_path / "parts", killed, seed=1)
    assert (tmp_path / "parts" / "state.pt").exists()
    parts = learn(start, given, schedule, tmp_path / "parts", lambda _: None, seed=1)
    for folder in ("", "last"):
        one, other = (load_file(run / folder / "model.safetensors") for run in (whole, parts))
        assert all(torch.equal(one[name], other[name]) for name in one)
    mean, last = load_file(whole / "model.safetensors"), load_file(whole / "last" / "model.safetensors")
    assert not all(torch.equal(mean[name], last[name]) for name in mean)
    assert not (parts / "state.pt").exists()


def test_a_run_on_time_ends_in_time(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """With seconds given, a run of far too many passes ends when they are over."""
    on_time = replace(SCHEDULE, passes=100_000, seconds=1.0)
    counted: list[int] = []
    given = passes(examples, start)

    def counting(number: int) -> Encoded:
        counted.append(number)
        return given(number)

    assert (learn(start, counting, on_time, tmp_path / "run", lambda _: None, seed=1) / "model.safetensors").exists()
    assert len(counted) < 10_000


def test_a_finished_run_is_left_alone(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """Running the recipe again does not train again."""
    out = learn(start, passes(examples[:32], start), SCHEDULE, tmp_path / "run", lambda _: None, seed=1)
    before = (out / "model.safetensors").stat().st_mtime_ns
    learn(start, passes(examples, start), SCHEDULE, out, lambda _: None, seed=2)
    assert (out / "model.safetensors").stat().st_mtime_ns == before


def test_the_average_of_checkpoints(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """Each weight is the mean of those averaged, by their shares."""
    runs = [
        learn(start, passes(examples, start), SCHEDULE, tmp_path / str(seed), lambda _: None, seed) for seed in (1, 2)
    ]
    average([(runs[0], 1.0), (runs[1], 3.0)], tmp_path / "mean")
    one, other, mean = (load_file(folder / "model.safetensors") for folder in (*runs, tmp_path / "mean"))
    assert all(torch.allclose(mean[name], (one[name] + 3 * other[name]) / 4, atol=1e-6) for name in mean)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one small set."""
    rows = [
        {
            "premise": f"The shop number {at} is in Paris. It opened in 19{at}.",
            "hypothesis": f"Shop {at} is in {where}.",
        }
        | {"label": "entailment" if where == "Paris" else "contradiction", "group": str(at)}
        for at in range(10, 30)
        for where in ("Paris", "Lyon")
    ]
    (tmp_path / "train").mkdir()
    with gzip.open(tmp_path / "train" / "fever_dev.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    monkeypatch.setattr("models.training.examples.SETS", {"fever_dev": Share()})
    monkeypatch.setattr(made, "KINDS", dict.fromkeys(("copied", "edited"), 10))
    return tmp_path


def test_passes_hold_the_sets_and_fresh_made_examples(start: Path, data: Path) -> None:
    """The first ones the sets alone; every later one other made examples, the same ones each time."""
    mixture = Mixture(sets_only=1, made=0.5)
    plain, one, again, other = (make_pass(data, start, mixture, number) for number in (0, 1, 1, 2))
    assert [len(each.targets) for each in (plain, one, other)] == [40, 50, 50]
    assert np.array_equal(one.ids, again.ids)
    assert not np.array_equal(one.ids, other.ids)


def test_the_recipe_averages_its_runs(start: Path, data: Path) -> None:
    """Each run is trained once; what was done is not done again."""
    runs = {
        name: recipe.Run(schedule=SCHEDULE, mixture=Mixture(sets_only=99), share=1.0, seed=seed)
        for seed, name in enumerate(("one", "other"))
    }
    lines: list[str] = []
    out = recipe.train(data, start, data / "work", runs, lines.append, ahead=0)
    one, other, mean = (
        load_file(folder / "model.safetensors") for folder in (data / "work/one", data / "work/other", out)
    )
    assert all(torch.allclose(mean[name], (one[name] + other[name]) / 2, atol=1e-6) for name in mean)
    before = (data / "work/one/model.safetensors").stat().st_mtime_ns
    recipe.train(data, start, data / "work", runs, lines.append, ahead=0)
    assert (data / "work/one/model.safetensors").stat().st_mtime_ns == before
