"""Breaking a scorer on purpose, in ways in which scorers break."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from models.load import Model
from models.tokens import Encoder
from models.types import Context, EncodedPair, Item, NliBackend, Probability


@dataclass(frozen=True, kw_only=True, slots=True)
class SwappedBackend:
    """A backend whose entailment is taken for contradiction and the other way round, as by a wrong order of labels."""

    backend: NliBackend

    @property
    def attributes(self) -> Mapping[str, str]:
        """The backend's."""
        return self.backend.attributes

    @property
    def group(self) -> int:
        """The backend's."""
        return self.backend.group

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """The probabilities under the wrong names."""
        return [
            Probability(entailment=found.contradiction or 0.0, neutral=found.neutral, contradiction=found.entailment)
            for found in self.backend.predict(pairs, progress)
        ]


def swapped(model: Model) -> Model:
    """The model with its labels swapped."""
    return replace(model, backend=SwappedBackend(backend=model.backend))


def cut_contexts(item: Item, encoder: Encoder, most: int) -> Item:
    """The item with its contexts, one after the other, ended after so many tokens in all."""
    kept, left = [], most
    for context in item.contexts:
        ends = encoder.encode(context.text).ends
        text = context.text if len(ends) <= left else context.text[: ends[left - 1] if left else 0]
        kept.append(Context(id=context.id, text=text))
        left = max(0, left - len(ends))
    return replace(item, contexts=tuple(kept))
