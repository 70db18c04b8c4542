"""The trimmed model: a BERT classifier that computes of its last layer what the first token needs, and no more.

The head reads the first token alone, so the last layer needs keys and values of all tokens, but a query, an output and a
feed-forward step of one: a seventh of the matrix products is left out, and its answers stay what they were.
"""

from typing import Any

import torch
from torch.nn import Module
from torch.nn.functional import scaled_dot_product_attention

from models.types import ModelError


class TrimmedBert(Module):  # type: ignore[misc]
    """Logits of shape (pairs, labels) from ids, mask and types of shape (pairs, tokens)."""

    def __init__(self, model: Any) -> None:
        """Takes a `BertForSequenceClassification`. Raises ModelError for another architecture."""
        super().__init__()
        if model.config.model_type != "bert":
            raise ModelError(
                f"the checkpoint is a {model.config.model_type} model: only BERT-style ones can be exported"
            )
        self._model = model
        self._heads = int(model.config.num_attention_heads)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """The logits; dropout is not applied."""
        bert = self._model.bert
        mask = attention_mask[:, None, None, :].bool()
        states = bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        *layers, last = bert.encoder.layer
        for layer in layers:
            states = self._layer(layer, states, states, mask)
        first = self._layer(last, states[:, :1], states, mask)
        logits: torch.Tensor = self._model.classifier(bert.pooler(first))
        return logits

    def _layer(self, layer: Any, queries: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What the layer makes of the states at `queries`."""
        attention = layer.attention.self
        attended = scaled_dot_product_attention(
            self._split(attention.query(queries)),
            self._split(attention.key(states)),
            self._split(attention.value(states)),
            attn_mask=mask,
        )
        joined = attended.transpose(1, 2).flatten(2)
        inner = layer.attention.output(joined, queries)
        outer: torch.Tensor = layer.output(layer.intermediate(inner), inner)
        return outer

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """(pairs, tokens, width) as (pairs, heads, tokens, width of a head)."""
        return states.unflatten(-1, (self._heads, -1)).transpose(1, 2)
