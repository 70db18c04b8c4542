"""The shape of a row: which of its fields are the question, the contexts, the response and the label."""

from dataclasses import dataclass
from typing import Any

from service.core.config import Settings
from service.core.errors import PayloadInvalidError
from service.core.payload import ALIASES, validate_submission
from service.core.schemas import Submission
from workers.offline.readers import SourceRow

KNOWN = frozenset(Submission.model_fields) | {alias for aliases in ALIASES.values() for alias in aliases}
MAX_ID_CHARS = 200
MAX_IGNORED = 20  # names that are remembered, to be told at the end


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """Names that the caller chose; where none is chosen, the names of `POST /score` count."""

    question: str | None = None
    contexts: tuple[str, ...] = ()  # several columns make several contexts
    response: str | None = None
    label: str | None = None

    @property
    def named(self) -> dict[str, None]:
        """All names that were chosen, in order."""
        return {name: None for name in (self.question, *self.contexts, self.response, self.label) if name}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of the input."""

    line: int
    id: str | None
    content: Submission | PayloadInvalidError  # what to score, or why it cannot be
    label: Any = None


class Shaper:
    """Makes rows of what was read; remembers which fields it ignored, and which that were chosen no row has had."""

    def __init__(self, fields: Fields, settings: Settings) -> None:
        """`settings`: the limits of `POST /score`."""
        self._fields = fields
        self._settings = settings
        self.ignored: dict[str, None] = {}
        self.unseen = fields.named

    def shape(self, source: SourceRow) -> Row:
        """Validates as `POST /score` does, but for fields it does not know: these are ignored, as tables are wide."""
        document, label = source.document, None
        if isinstance(document, dict):
            for name in self.unseen.keys() & document.keys():
                del self.unseen[name]
            label = document.get(self._fields.label) if self._fields.label else None
            document = self._known(document)
        content = source.problem or self._validated(document)
        return Row(line=source.line, id=_readable_id(document), content=content, label=label)

    def _validated(self, document: Any) -> Submission | PayloadInvalidError:
        try:
            return validate_submission(document, self._settings)
        except PayloadInvalidError as error:
            return error

    def _known(self, document: dict[str, Any]) -> dict[str, Any]:
        chosen = self._chosen(document)
        replaced = {alias for name in chosen for alias in (name, *ALIASES[name])}
        taken = {self._fields.question, self._fields.response, self._fields.label, *self._fields.contexts}
        kept = {name: value for name, value in document.items() if name in KNOWN - replaced and name not in taken}
        for name in document:
            if name not in kept and name not in taken and len(self.ignored) < MAX_IGNORED:
                self.ignored[name] = None
        return kept | {name: value for name, value in chosen.items() if value is not None}

    def _chosen(self, document: dict[str, Any]) -> dict[str, Any]:
        fields = self._fields
        chosen: dict[str, Any] = {}
        if fields.question:
            chosen["question"] = document.get(fields.question)
        if fields.response:
            chosen["response"] = document.get(fields.response)
        if fields.contexts:
            chosen["contexts"] = [part for name in fields.contexts for part in _parts(document.get(name))]
        return chosen


def _parts(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _readable_id(document: Any) -> str | None:
    """The id by which a row with a problem can be found again, if it has one that can be written."""
    name = document.get("id") if isinstance(document, dict) else None
    readable = isinstance(name, str) and 0 < len(name) <= MAX_ID_CHARS and name.isprintable()
    return name if readable else None
