"""Decoding: prompts of token ids become replies of token ids, many at a time, one token of each a step.

The loop is our own rather than the library's, which draws from torch's global generator, samples all rows of a batch from
one stream, and applies what penalties and cuts a model's files ask for.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One prompt and what its reply is drawn with."""

    ids: Sequence[int]
    random: Random


@dataclass(kw_only=True, slots=True)
class Reply:
    """What was said to one prompt, while it is being said."""

    ids: list[int] = field(default_factory=list)
    total: float = 0.0  # sum of the natural logarithms of the tokens' probabilities
    ended: bool = False  # by one of the end tokens, which is the last of `ids`
    finite: bool = True  # False: the model answered NaN or infinity, and `ids` stops before

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.finite and not self.ended


class Decoder:
    """A model that continues prompts; it knows nothing of text."""

    def __init__(self, model: Any, ends: frozenset[int], chunk_tokens: int) -> None:
        """Of a loaded transformers model in evaluation mode.

        Args:
            model: takes and gives back a cache of keys and values.
            ends: tokens that end a reply.
            chunk_tokens: of prompts, all rows together, that one step may read: what `until` waits for.
        """
        self._model = model
        self._ends = ends
        self._chunk = chunk_tokens
        taken = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in taken
        # Without it a prompt's every token gets a row of logits as wide as the vocabulary.
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    def run(self, prompts: Sequence[Prompt], limit: int, temperature: float, until: Callable[[], bool]) -> list[Reply]:
        """A reply of at most `limit` tokens to each prompt, at least one, all read together.

        Prompts are padded on the left, so that all replies begin in one column; padding is never attended to.
        """
        replies = [Reply() for _ in prompts]
        with torch.inference_mode():
            batch = _Batch(prompts, limit, self._model.device)
            logits = self._read(batch, until)
            while logits is not None:
                tokens, fetched = _choose(logits, temperature, prompts)
                self._take(replies, fetched)
                batch.length += 1
                if until() or batch.length == batch.width + limit or not any(reply.open for reply in replies):
                    break
                logits = self._step(batch, tokens)
        return replies

    def _read(self, batch: "_Batch", until: Callable[[], bool]) -> torch.Tensor | None:
        """The logits after the prompts, one row each; None when `until` came first."""
        logits = None
        step = max(1, self._chunk // batch.rows)
        for start in range(0, batch.width, step):
            if until():
                return None
            end = min(start + step, batch.width)
            logits = self._forward(batch, batch.ids[:, start:end], batch.positions[:, start:end], end)
        return logits

    def _step(self, batch: "_Batch", tokens: torch.Tensor) -> torch.Tensor:
        """The logits after one more token of each row."""
        batch.positions = batch.positions[:, -1:] + 1
        return self._forward(batch, tokens[:, None], batch.positions, batch.length)

    def _forward(self, batch: "_Batch", ids: torch.Tensor, positions: torch.Tensor, length: int) -> torch.Tensor:
        placed = {"position_ids": positions} if self._positions else {}
        out = self._model(
            input_ids=ids,
            attention_mask=batch.mask[:, :length],
            past_key_values=batch.cache,
            use_cache=True,
            **placed,
            **self._last_only,
        )
        batch.cache = getattr(out, "past_key_values", None)
        if batch.cache is None:
            raise TypeError("it keeps no keys and values, so that it is no causal transformer")
        return out.logits[:, -1, :].float()

    def _take(self, replies: Sequence[Reply], fetched: Sequence[Sequence[float]]) -> None:
        for reply, (token, logarithm, finite) in zip(replies, fetched, strict=True):
            if not reply.open:
                continue  # its row goes on with the others, and counts no more
            if not finite:
                reply.finite = False
                continue
            reply.ids.append(int(token))
            reply.total += min(logarithm, 0.0)
            reply.ended = int(token) in self._ends


class _Batch:
    """Prompts side by side, and what the model keeps of them."""

    def __init__(self, prompts: Sequence[Prompt], limit: int, device: torch.device) -> None:
        self.rows = len(prompts)
        self.width = max(len(prompt.ids) for prompt in prompts)
        self.length = self.width  # tokens of each row so far, padding included
        gaps = [self.width - len(prompt.ids) for prompt in prompts]
        padded = [[0] * gap + list(prompt.ids) for gap, prompt in zip(gaps, prompts, strict=True)]
        self.ids = torch.tensor(padded, device=device)
        self.mask = torch.ones((self.rows, self.width + limit), dtype=torch.long, device=device)
        for row, gap in enumerate(gaps):
            self.mask[row, :gap] = 0
        self.positions = (self.mask[:, : self.width].cumsum(-1) - 1).clamp(min=0)
        self.cache: Any = None


def _choose(
    logits: torch.Tensor, temperature: float, prompts: Sequence[Prompt]
) -> tuple[torch.Tensor, list[list[float]]]:
    """The next token of each row, and the same as numbers with its log-probability, fetched at once."""
    total = logits.logsumexp(-1)  # finite unless some logit is NaN or infinite, or all are minus infinity
    if temperature == 0:
        tokens = logits.argmax(-1)
    else:
        # In double precision, as a vocabulary's many small probabilities are added up.
        scaled = (logits.double() - logits.max(-1, keepdim=True).values) / temperature
        sums = scaled.softmax(-1).cumsum(-1)
        drawn = torch.tensor([[prompt.random.random()] for prompt in prompts], dtype=torch.double).to(sums.device)
        # The first token whose sum is above what was drawn: one of probability 0 adds nothing, and never is.
        tokens = torch.searchsorted(sums, drawn * sums[:, -1:], right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
    logarithms = logits.gather(-1, tokens[:, None])[:, 0] - total
    numbers = torch.stack((tokens.double(), logarithms.double(), logarithms.isfinite().double()), -1)
    rows: list[list[float]] = numbers.tolist()
    return tokens, rows
