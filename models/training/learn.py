"""The training run: from a checkpoint and examples to a checkpoint; goes on where it was interrupted."""

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn.functional import log_softmax
from transformers import AutoModelForSequenceClassification

from models.training.examples import Example, Target
from models.training.trimmed import TrimmedBert

_POOL = 4096  # examples that are sorted by length together
_AVERAGE_EVERY = 20  # steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How a run learns."""

    peak: float  # learning rate after the warm-up
    end: float  # learning rate at the last step; between the two it falls linearly
    warmup: int = 100  # steps
    batch_tokens: int = 2048  # of a step, padding included
    max_length: int = 224  # tokens of a pair; the premise is cut
    weight_decay: float = 0.01
    averaged: float = 0.0  # share of the steps, at the end, whose weights are averaged; 0: the last ones are taken
    save_every: int = 400  # steps


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, mask and types of shape (pairs, tokens), targets of shape (pairs,)."""

    ids: torch.Tensor
    mask: torch.Tensor
    types: torch.Tensor
    targets: torch.Tensor


def losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Of each pair, -log of the probability of what is known of it; shape (pairs,).

    A pair of which only "not entailed" is known is learned through the sum of the other two classes.
    """
    chances = log_softmax(logits, dim=-1)
    known = chances.gather(1, targets.clamp(max=Target.CONTRADICTED).unsqueeze(1)).squeeze(1)
    either = torch.logsumexp(chances[:, Target.NEUTRAL :], dim=1)
    return -torch.where(targets == Target.NOT_ENTAILED, either, known)


def order(lengths: Sequence[int], batch_tokens: int, seed: int) -> list[list[int]]:
    """Positions as batches of like lengths, each of at most `batch_tokens` with its padding, in a drawn order."""
    draw = random.Random(seed)  # noqa: S311 (a draw, no secret)
    shuffled = list(range(len(lengths)))
    draw.shuffle(shuffled)
    batches: list[list[int]] = []
    for at in range(0, len(shuffled), _POOL):
        batch: list[int] = []
        for position in sorted(shuffled[at : at + _POOL], key=lambda position: -lengths[position]):
            if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
                batches.append(batch)
                batch = []
            batch.append(position)
        batches.append(batch)
    draw.shuffle(batches)
    return batches


def rate(step: int, steps: int, schedule: Schedule) -> float:
    """The learning rate of a step."""
    if step < schedule.warmup:
        return schedule.peak * (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(1, steps - schedule.warmup)
    return schedule.peak + (schedule.end - schedule.peak) * done


def learn(
    start: Path, examples: Sequence[Example], schedule: Schedule, out: Path, say: Callable[[str], None], seed: int
) -> Path:
    """Trains from the checkpoint in `start`; returns `out`, where a checkpoint in float32 then lies.

    What `out` holds of an interrupted run with the same arguments is gone on from; a finished one is left as it is.
    """
    if (out / "model.safetensors").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = read_tokenizer(start, schedule.max_length)
    encodings = tokenizer.encode_batch([(example.premise, example.hypothesis) for example in examples])
    batches = order([len(encoding.ids) for encoding in encodings], schedule.batch_tokens, seed)
    run = _Run(start, schedule, out, len(batches))
    told = _Told(run.step, len(batches), say)
    for positions in batches[run.step :]:
        ids, mask, types = collate([encodings[at] for at in positions])
        targets = torch.tensor([examples[at].target.value for at in positions])
        told.take(ids.numel(), run.take(Batch(ids, mask, types, targets)))
    run.finish()
    return out


class _Run:
    """A run at some step: the model, its optimizer and the mean of its last weights."""

    def __init__(self, start: Path, schedule: Schedule, out: Path, steps: int) -> None:
        self._start, self._schedule, self._out, self._steps = start, schedule, out, steps
        self._model = AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32)
        self._trimmed = TrimmedBert(self._model)
        # No dropout: what is learned in two passes is not learned by heart, and it takes an eighth of the time.
        self._model.eval()
        groups = _groups(self._model, schedule.weight_decay)
        self._optimizer = torch.optim.AdamW(groups, lr=schedule.peak, fused=True)
        self._mean: dict[str, Any] = {}
        self._averaged = 0
        self.step = 0
        if (out / "state.pt").exists():
            self._resume(torch.load(out / "state.pt", weights_only=True))

    def take(self, batch: Batch) -> float:
        """One step; returns its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self.step, self._steps, self._schedule)
        self._optimizer.zero_grad()
        loss = losses(self._trimmed(batch.ids, batch.mask, batch.types), batch.targets).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        if self.step >= self._steps * (1 - self._schedule.averaged) and self.step % _AVERAGE_EVERY == 0:
            self._average()
        self.step += 1
        if self.step % self._schedule.save_every == 0:
            self._save()
        return float(loss.detach())

    def finish(self) -> None:
        """Writes the checkpoint, and beside it the last weights where it holds the mean of several."""
        if self._mean:
            save_checkpoint(self._model.state_dict(), self._start, self._out / "last")
        save_checkpoint(self._mean or self._model.state_dict(), self._start, self._out)
        (self._out / "state.pt").unlink(missing_ok=True)

    def _average(self) -> None:
        self._averaged += 1
        for name, value in self._model.state_dict().items():
            mean = self._mean.get(name)
            self._mean[name] = value.clone() if mean is None else mean + (value - mean) / self._averaged

    def _save(self) -> None:
        part = self._out / "state.pt.part"
        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict(), "mean": self._mean}
        torch.save(state | {"averaged": self._averaged, "step": self.step}, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(self._out / "state.pt")

    def _resume(self, state: Mapping[str, Any]) -> None:
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mean = dict(state["mean"])
        self._averaged, self.step = int(state["averaged"]), int(state["step"])


class _Told:
    """How far a run is, said every hundred steps."""

    def __init__(self, step: int, steps: int, say: Callable[[str], None]) -> None:
        self._first, self._step, self._steps, self._say = step, step, steps, say
        self._began, self._tokens, self._loss = time.monotonic(), 0, 0.0

    def take(self, tokens: int, loss: float) -> None:
        self._tokens += tokens
        self._step += 1
        done = self._step - self._first
        self._loss += (loss - self._loss) / min(100, done)
        if self._step % 100 == 0:
            took = time.monotonic() - self._began
            left = (self._steps - self._step) * took / done / 60
            speed = self._tokens / took
            self._say(
                f"step {self._step} of {self._steps}: loss {self._loss:.3f}, {speed:.0f} tokens/s, {left:.0f} min left"
            )


def save_checkpoint(state: Mapping[str, Any], like: Path, out: Path) -> None:
    """Writes weights, with the configuration and the tokenizer of the checkpoint in `like`."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (out / name).write_bytes((like / name).read_bytes())
    config = json.loads((like / "config.json").read_text(encoding="utf-8")) | {"dtype": "float32"}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    part = out / "model.safetensors.part"
    save_file({name: value.contiguous() for name, value in state.items()}, part, metadata={"format": "pt"})
    part.replace(out / "model.safetensors")


def collate(encodings: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask and types of tokenised pairs, each of shape (pairs, tokens of the longest)."""
    longest = max(len(encoding.ids) for encoding in encodings)
    ids, mask, types = (torch.zeros((len(encodings), longest), dtype=torch.int64) for _ in range(3))
    for row, encoding in enumerate(encodings):
        length = len(encoding.ids)
        ids[row, :length] = torch.tensor(encoding.ids)
        mask[row, :length] = 1
        types[row, :length] = torch.tensor(encoding.type_ids)
    return ids, mask, types


def read_tokenizer(folder: Path, max_length: int) -> Tokenizer:
    """The checkpoint's tokenizer; longer pairs are cut."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    return tokenizer


def _groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    matrices = [value for value in model.parameters() if value.ndim > 1]
    others = [value for value in model.parameters() if value.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
