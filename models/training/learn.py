"""The training run: from a checkpoint and passes over examples to a checkpoint; goes on where it was interrupted."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.functional import log_softmax
from transformers import AutoModelForSequenceClassification

from models.training.encoded import Batch, Encoded, Loaded, order
from models.training.examples import Target
from models.training.trimmed import TrimmedBert

_AVERAGE_EVERY = 20  # steps
_SAY_EVERY = 100  # steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How a run learns."""

    peak: float  # learning rate after the warm-up
    passes: int  # over as many examples as a pass has; the rate falls linearly to 0 at the end of the last one
    warmup: int = 100  # steps
    batch_tokens: int = 2048  # of a step, padding included
    weight_decay: float = 0.01
    dropout: float = 0.0  # of what each layer adds; what is seen in a pass or two is not learned by heart
    averaged: float = 0.0  # share of the run, at its end, whose weights are averaged; 0: the last ones are taken
    save_every: int = 400  # steps
    seconds: float | None = None  # by which the run ends, its rate falling as fast; None: a run that can be repeated


def losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Of each pair, -log of the probability of what is known of it; shape (pairs,).

    A pair of which only "not entailed" is known is learned through the sum of the other two classes.
    """
    chances = log_softmax(logits, dim=-1)
    known = chances.gather(1, targets.clamp(max=Target.CONTRADICTED).unsqueeze(1)).squeeze(1)
    either = torch.logsumexp(chances[:, Target.NEUTRAL :], dim=1)
    return -torch.where(targets == Target.NOT_ENTAILED, either, known)


def rate(step: int, done: float, schedule: Schedule) -> float:
    """The learning rate of a step, when a share `done` of the run is behind it."""
    warm = min(1.0, (step + 1) / schedule.warmup)
    return schedule.peak * warm * max(0.0, 1 - done)


def learn(
    start: Path,
    pass_of: Callable[[int], Encoded],
    schedule: Schedule,
    out: Path,
    say: Callable[[str], None],
    seed: int,
) -> Path:
    """Trains from the checkpoint in `start`; returns `out`, where a checkpoint in float32 then lies.

    `pass_of` gives what the pass of a number learns from, the same each time. On a GPU where there is one, in bfloat16
    there. What `out` holds of an interrupted run with the same arguments is gone on from; a finished one is left as it is.
    """
    if (out / "model.safetensors").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(start, schedule, out, seed)
    told = _Told(say)
    done = 0.0
    for number in range(run.number, schedule.passes):
        encoded = pass_of(number)
        batches = order(encoded.lengths, schedule.batch_tokens, f"{seed} {number}")
        loaded = Loaded(encoded, run.device)
        for positions in batches[run.within :]:
            batch = loaded.batch(positions)
            loss, done = run.take(batch, len(batches))
            told.take(run.step, done, batch.ids.numel(), loss)
            if done >= 1:
                break
        if done >= 1:
            break
        run.number, run.within = number + 1, 0
    run.finish()
    return out


class _Run:
    """A run at some step: the model, its optimizer and the mean of its last weights."""

    def __init__(self, start: Path, schedule: Schedule, out: Path, seed: int) -> None:
        self._start, self._schedule, self._out, self._seed = start, schedule, out, seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # It makes a plan for every new shape, which takes longer than a step.
        torch.backends.cuda.enable_cudnn_sdp(False)  # noqa: FBT003 - its name says it
        model = AutoModelForSequenceClassification.from_pretrained(
            start, dtype=torch.float32, hidden_dropout_prob=schedule.dropout
        )
        self._model = model.to(self.device).train()
        self._trimmed = TrimmedBert(self._model)
        groups = _groups(self._model, schedule.weight_decay)
        self._optimizer = torch.optim.AdamW(groups, lr=schedule.peak, fused=True)
        self._mean: dict[str, Any] = {}
        self._averaged = 0
        self._began: float | None = None
        self.step, self.number, self.within = 0, 0, 0  # steps in all, passes that are done, steps of the next one
        if (out / "state.pt").exists():
            self._resume(torch.load(out / "state.pt", weights_only=True, map_location=self.device))

    def take(self, batch: Batch, steps: int) -> tuple[torch.Tensor, float]:
        """One step of a pass of so many; returns its loss and the share of the run that is done."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self.step, self._done(steps), self._schedule)
        if self._schedule.dropout:
            torch.manual_seed(self._seed * 10_000_019 + self.step)
        self._optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self._trimmed(batch.ids, batch.mask, batch.types)
        loss = losses(logits.float(), batch.targets).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self.step += 1
        self.within += 1
        done = self._done(steps)
        if done > 1 - self._schedule.averaged and self.step % _AVERAGE_EVERY == 0:
            self._average()
        if self.step % self._schedule.save_every == 0:
            self._save()
        return loss.detach(), done

    def finish(self) -> None:
        """Writes the checkpoint, and beside it the last weights where it holds the mean of several."""
        if self._mean:
            save_checkpoint(self._model.state_dict(), self._start, self._out / "last")
        save_checkpoint(self._mean or self._model.state_dict(), self._start, self._out)
        (self._out / "state.pt").unlink(missing_ok=True)

    def _done(self, steps: int) -> float:
        done = (self.number + self.within / steps) / self._schedule.passes
        if self._schedule.seconds is None:
            return done
        self._began = self._began or time.monotonic()
        return max(done, (time.monotonic() - self._began) / self._schedule.seconds)

    def _average(self) -> None:
        self._averaged += 1
        for name, value in self._model.state_dict().items():
            mean = self._mean.get(name)
            self._mean[name] = value.clone() if mean is None else mean + (value - mean) / self._averaged

    def _save(self) -> None:
        part = self._out / "state.pt.part"
        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict(), "mean": self._mean}
        at = {"averaged": self._averaged, "step": self.step, "number": self.number, "within": self.within}
        torch.save(state | at, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(self._out / "state.pt")

    def _resume(self, state: Mapping[str, Any]) -> None:
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mean = dict(state["mean"])
        self._averaged, self.step = int(state["averaged"]), int(state["step"])
        self.number, self.within = int(state["number"]), int(state["within"])


class _Told:
    """How far a run is, said now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began, self._tokens, self._first = time.monotonic(), 0, 0.0
        self._losses: list[torch.Tensor] = []

    def take(self, step: int, done: float, tokens: int, loss: torch.Tensor) -> None:
        self._first = self._first or done
        self._tokens += tokens
        self._losses.append(loss)
        if step % _SAY_EVERY == 0:
            took = time.monotonic() - self._began
            left = (1 - done) * took / max(done - self._first, 1e-9) / 60
            mean = float(torch.stack(self._losses).mean())
            self._losses.clear()
            speed = self._tokens / took
            self._say(f"step {step}, {done:.1%}: loss {mean:.3f}, {speed:.0f} tokens/s, {left:.0f} min left")


def save_checkpoint(state: Mapping[str, Any], like: Path, out: Path) -> None:
    """Writes weights, with the configuration and the tokenizer of the checkpoint in `like`."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (out / name).write_bytes((like / name).read_bytes())
    config = json.loads((like / "config.json").read_text(encoding="utf-8")) | {"dtype": "float32"}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    part = out / "model.safetensors.part"
    save_file({name: value.cpu().contiguous() for name, value in state.items()}, part, metadata={"format": "pt"})
    part.replace(out / "model.safetensors")


def _groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    matrices = [value for value in model.parameters() if value.ndim > 1]
    others = [value for value in model.parameters() if value.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
