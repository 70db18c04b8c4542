"""Layouts: under which names the data sets of other tools hold what an item is made of."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Format(StrEnum):
    """Whose data set a file holds."""

    RAGAS = "ragas"
    DEEPEVAL = "deepeval"
    COLUMNS = "columns"  # anybody's, with the names of columns given


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Names of fields, those that count first in front. Of several the first that holds something is taken."""

    question: tuple[str, ...] = ("question", "input", "query", "user_input")
    contexts: tuple[str, ...] = ("contexts", "context", "retrieved_contexts", "retrieval_context")
    response: tuple[str, ...] = ("response", "answer", "output", "actual_output")
    reference: tuple[str, ...] = ("reference", "ground_truth", "expected_output")
    label: tuple[str, ...] = ("label",)  # words
    hallucinated: tuple[str, ...] = ("hallucinated",)  # yes or no
    id: tuple[str, ...] = ("id",)
    category: tuple[str, ...] = ("category",)
    together: bool = False  # the contexts of all columns count, not of the first alone
    delimiter: str | None = None  # between the contexts of one cell that is no list
    turns: tuple[str, ...] = ()  # fields that a conversation of several turns has


LAYOUTS = {
    Format.COLUMNS: Layout(),
    # RAGAS 0.2 and later: user_input, retrieved_contexts, reference_contexts, response, reference; before: question,
    # contexts, answer, ground_truth, and before that ground_truths. Its test sets have reference_contexts alone, and say in
    # synthesizer_name, formerly evolution_type, what kind of question it is.
    Format.RAGAS: Layout(
        question=("user_input", "question"),
        contexts=("retrieved_contexts", "contexts", "reference_contexts"),
        response=("response", "answer"),
        reference=("reference", "ground_truth", "ground_truths"),
        category=("category", "synthesizer_name", "evolution_type"),
    ),
    # DeepEval: snake case in saved data sets, camel case in test runs and in what comes from Confident AI. The response was
    # made from the retrieval context; `context` is what an ideal retriever finds. Its CSV files join contexts by "|".
    Format.DEEPEVAL: Layout(
        question=("input",),
        contexts=("retrieval_context", "retrievalContext", "context"),
        response=("actual_output", "actualOutput"),
        reference=("expected_output", "expectedOutput"),
        delimiter="|",
        turns=("turns", "scenario"),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """Columns that the caller named; None and empty: those of the format count."""

    question: str | None = None
    contexts: tuple[str, ...] = ()
    response: str | None = None
    label: str | None = None
    id: str | None = None
    category: str | None = None
    delimiter: str | None = None

    @property
    def columns(self) -> list[str]:
        """All that were named, in order."""
        names = (self.question, *self.contexts, self.response, self.label, self.id, self.category)
        return [name for name in names if name]


def layout_of(chosen: Format, named: Named) -> Layout:
    """The layout of a format, with what was named in its place."""
    found = LAYOUTS[chosen]
    if named.question:
        found = replace(found, question=(named.question,))
    if named.contexts:
        found = replace(found, contexts=named.contexts, together=True)
    if named.response:
        found = replace(found, response=(named.response,))
    if named.label:
        found = _labelled_by(found, named.label)
    if named.id:
        found = replace(found, id=(named.id,))
    if named.category:
        found = replace(found, category=(named.category,))
    return found if named.delimiter is None else replace(found, delimiter=named.delimiter or None)


def _labelled_by(layout: Layout, name: str) -> Layout:
    """A column with a name of its own holds words; one called `hallucinated` says yes or no."""
    if name in layout.hallucinated:
        return replace(layout, label=(), hallucinated=(name,))
    return replace(layout, label=(name,), hallucinated=())
