"""The training run: what it learns, that it goes on where it stopped, and what it averages."""

import gzip
import itertools
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.training import made, recipe
from models.training.examples import Example, Share, Target
from models.training.learn import Schedule, learn, losses, order, rate
from tests.checkpoints import save_checkpoint

SCHEDULE = Schedule(peak=3e-3, end=0.0, warmup=2, batch_tokens=256, max_length=32, save_every=5)


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
    batches = order(lengths, 200, seed=1)
    assert sorted(itertools.chain.from_iterable(batches)) == list(range(500))
    assert all(len(batch) * max(lengths[at] for at in batch) <= 200 for batch in batches)
    assert order(lengths, 200, seed=1) == batches != order(lengths, 200, seed=2)


def test_rate_rises_then_falls_to_its_end() -> None:
    """The warm-up ends at the peak, the last step is near the end's rate."""
    rates = [rate(step, 100, SCHEDULE) for step in range(100)]
    assert max(rates) == SCHEDULE.peak
    assert rates[0] < rates[1]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < SCHEDULE.peak / 50


def test_learns(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """A tiny model tells after a short run what it could not tell before."""
    few = Schedule(peak=2e-3, end=0.0, warmup=20, batch_tokens=128, max_length=32)
    lines: list[str] = []
    learn(start, examples * 24, few, tmp_path / "run", lines.append, seed=1)
    first, last = (float(line.split("loss ")[1].split(",")[0]) for line in (lines[0], lines[-1]))
    assert last < first - 0.1


def test_an_interrupted_run_ends_as_an_uninterrupted_one(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """Stopped after some steps and started again, it ends with the same weights, the averaged ones included."""
    schedule = Schedule(peak=3e-3, end=0.0, warmup=2, batch_tokens=128, max_length=32, save_every=7, averaged=0.9)
    whole = learn(start, examples * 6, schedule, tmp_path / "whole", lambda _: None, seed=1)

    def killed(line: str) -> None:
        raise KilledError(line)

    with pytest.raises(KilledError):
        learn(start, examples * 6, schedule, tmp_path / "parts", killed, seed=1)
    assert (tmp_path / "parts" / "state.pt").exists()
    parts = learn(start, examples * 6, schedule, tmp_path / "parts", lambda _: None, seed=1)
    for folder in ("", "last"):
        one, other = (load_file(run / folder / "model.safetensors") for run in (whole, parts))
        assert all(torch.equal(one[name], other[name]) for name in one)
    mean, last = load_file(whole / "model.safetensors"), load_file(whole / "last" / "model.safetensors")
    assert not all(torch.equal(mean[name], last[name]) for name in mean)
    assert not (parts / "state.pt").exists()


def test_a_finished_run_is_left_alone(start: Path, examples: list[Example], tmp_path: Path) -> None:
    """Running the recipe again does not train again."""
    out = learn(start, examples[:32], SCHEDULE, tmp_path / "run", lambda _: None, seed=1)
    before = (out / "model.safetensors").stat().st_mtime_ns
    learn(start, examples, SCHEDULE, out, lambda _: None, seed=2)
    assert (out / "model.safetensors").stat().st_mtime_ns == before


def test_the_stages_follow_each_other(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage starts from what the one before ended with; one that was done is not done again."""
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
    monkeypatch.setattr(
        recipe,
        "STAGES",
        (
            recipe.Stage(name="sets", made=False, schedule=SCHEDULE, seed=1),
            recipe.Stage(name="mixed", made=True, share=0.5, schedule=SCHEDULE, seed=2),
        ),
    )
    lines: list[str] = []
    assert recipe.train(tmp_path, start, tmp_path / "work", lines.append) == tmp_path / "work" / "mixed"
    counts = [line for line in lines if "examples" in line]
    assert counts == ["sets: 40 examples", "mixed: 30 examples"]
    weights = [
        load_file(folder / "model.safetensors") for folder in (start, tmp_path / "work/sets", tmp_path / "work/mixed")
    ]
    changed = [
        any(not torch.equal(one[name], other[name]) for name in one) for one, other in itertools.pairwise(weights)
    ]
    assert changed == [True, True]
    lines.clear()
    recipe.train(tmp_path, start, tmp_path / "work", lines.append)
    assert lines == ["sets: done before", "mixed: done before"]
