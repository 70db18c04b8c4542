"""The made example: what the public sets lack, made from their documents and their pairs."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from models.training.dialogues import make_dialogue
from models.training.documents import Document, Likest, content, read_documents, tokens
from models.training.edits import (
    EDITS,
    Edit,
    Source,
    add,
    chance,
    negate,
)
from models.training.examples import Example, Target
from models.training.rewording import lead_in, lowered, reword, shorten
from models.training.speakers import as_spoken
from models.training.statements import make_statement

_SENTENCE_WORDS = range(6, 41)  # of a sentence that can be a claim
_FUSED_WORDS = 55  # of two sentences as one, at most

# How many are made of each kind; what cannot be made is made less often.
KINDS: Mapping[str, int] = MappingProxyType(
    {
        "copied": 30_000,  # a sentence of the window in other words: entailed
        "copied_edited": 28_000,  # the same with one thing changed
        "edited": 20_000,  # an entailed hypothesis with one thing changed
        "premise_edited": 8_000,  # its premise with one thing changed that the hypothesis says
        "elsewhere": 13_000,  # a sentence of a document beside others of it
        "close": 9_000,  # a sentence beside the likest one of another document
        "joined": 9_000,  # two hypotheses of one premise as one
        "fused": 12_000,  # two sentences of a window as one, true or half true
        "spoken": 14_000,  # a pair as a conversation, and who said it
        "statement": 3_500,  # a question and its answer as a statement, right and wrong
        "dialogue": 9_000,  # who said or will do what, by templates
    }
)
_PADDED = 0.3  # share of pairs whose premise gets sentences around it
_LED_IN = 0.12  # share of hypotheses that begin as an assistant would


class Maker:
    """Makes examples from those of the public sets; the same ones from the same seed."""

    def __init__(self, examples: Sequence[Example], seed: int, share: float = 1.0) -> None:
        """Will make this share of what `KINDS` says."""
        self._share = share
        self._draw = random.Random(seed)  # noqa: S311 (a draw, no secret)
        self._examples = examples
        self._documents = read_documents(examples)
        self._longer = [document for document in self._documents if len(document.sentences) > 1]
        self._names = sorted({name for document in self._documents for name in document.names})
        self._nearby = {document.group: document for document in self._documents}
        self._entailed = [example for example in examples if example.target is Target.ENTAILED and not example.question]
        self._asked = [example for example in examples if example.question]
        self._by_premise: defaultdict[str, list[Example]] = defaultdict(list)
        for example in examples:
            self._by_premise[example.premise].append(example)
        self._sentences = [sentence for document in self._documents for sentence in document.sentences[:12]]
        self._likest = Likest(self._sentences, self._draw)

    def mix(self) -> list[Example]:
        """Every example once, and made ones beside them, some of each padded and led in."""
        mixed = [*self._examples, *self.made()]
        return [self._dressed(example) for example in mixed]

    def made(self) -> list[Example]:
        """As many of each kind as `KINDS` says, or that share of them."""
        makers: Mapping[str, Callable[[], Example | None]] = {
            "copied": self._copied,
            "copied_edited": self._copied_edited,
            "edited": self._edited,
            "premise_edited": self._premise_edited,
            "elsewhere": self._elsewhere,
            "close": self._close,
            "joined": self._joined,
            "fused": self._fused,
            "spoken": self._spoken,
            "statement": lambda: make_statement(self._draw.choice(self._asked), self._draw),
            "dialogue": lambda: make_dialogue(self._draw),
        }
        made: list[Example] = []
        for kind, full in KINDS.items():
            wanted = int(full * self._share)
            found: list[Example] = []
            for _ in range(3 * wanted):
                if len(found) == wanted:
                    break
                example = makers[kind]()
                if example is not None:
                    found.append(example)
            made.extend(found)
        return made

    def _dressed(self, example: Example) -> Example:
        draw = self._draw
        if chance(draw, _PADDED) and len(example.premise) < 500:  # noqa: PLR2004 - characters
            example = replace(example, premise=self._padded(example))
        if chance(draw, _LED_IN) and example.hypothesis[:1].isupper() and not example.question:
            example = replace(example, hypothesis=lead_in(example.hypothesis, draw))
        return example

    def _padded(self, example: Example) -> str:
        """The premise with one or two sentences before or after it: of its document, of one that is like it, or of any."""
        draw = self._draw
        document = self._nearby.get(example.group)
        beside = [s for s in (document.sentences if document else ()) if s not in example.premise]
        # More of the same document may decide what the premise alone leaves open.
        same = beside if example.target is Target.ENTAILED else []
        more = []
        for _ in range(draw.randint(1, 2)):
            if same and chance(draw, 0.7):
                more.append(draw.choice(same))
            elif chance(draw, 0.5):
                like = self._likest.to(example.premise)
                more.append(like or draw.choice(self._sentences))
            else:
                more.append(draw.choice(self._sentences))
        at = draw.randint(0, len(more))
        return " ".join([*more[:at], example.premise, *more[at:]])

    def _window(self) -> tuple[Document, list[str], str] | None:
        """A document, one to three sentences of it in a row, and one of them."""
        draw = self._draw
        document = draw.choice(self._longer if chance(draw, 0.7) else self._documents)
        at = draw.randrange(len(document.sentences))
        sentence = document.sentences[at]
        if len(sentence.split()) not in _SENTENCE_WORDS or sentence.endswith("?"):
            return None
        first = max(0, at - draw.choice((0, 0, 1, 2)))
        return document, list(document.sentences[first : at + draw.choice((1, 1, 2, 3))]), sentence

    def _said(self, sentence: str) -> str:
        draw = self._draw
        said = shorten(sentence, draw) if chance(draw, 0.6) else sentence
        return reword(said, draw) if chance(draw, 0.7) else said

    def _copied(self) -> Example | None:
        found = self._window()
        if found is None:
            return None
        document, window, sentence = found
        return _example(" ".join(window), self._said(sentence), Target.ENTAILED, "copied", document.group)

    def _copied_edited(self) -> Example | None:
        found = self._window()
        if found is None:
            return None
        document, window, sentence = found
        edit = self._edit(self._said(sentence), document.group)
        premise = " ".join(window)
        if edit is None or _undecided(edit, premise):
            return None
        return _example(premise, edit.text, edit.target, f"copied_{edit.kind}", document.group)

    def _edited(self) -> Example | None:
        example = self._draw.choice(self._entailed)
        edit = self._edit(example.hypothesis, example.group)
        if (
            edit is None
            or _undecided(edit, example.premise)
            or (edit.kind in {"roles", "strength"} and example.source == "dnc")
        ):
            return None
        # A hypothesis says less than its premise: what is opposed or stronger may be true beside it.
        target = Target.NOT_ENTAILED if edit.target is Target.CONTRADICTED else edit.target
        return _example(example.premise, edit.text, target, f"edited_{edit.kind}", example.group)

    def _premise_edited(self) -> Example | None:
        example = self._draw.choice(self._entailed)
        edit = self._edit(example.premise, example.group)
        if edit is None or edit.kind in {"addition", "strength", "negation"} or not edit.removed:
            return None
        says = tokens(example.hypothesis)
        gone = tokens(edit.removed)
        if not gone or not gone <= says or gone <= tokens(edit.text):
            return None
        return _example(edit.text, example.hypothesis, Target.NOT_ENTAILED, f"premise_{edit.kind}", example.group)

    def _elsewhere(self) -> Example | None:
        """A sentence of a document beside the ones of it that share most with it, without itself."""
        draw = self._draw
        document = draw.choice(self._longer)
        sentence = draw.choice(document.sentences)
        if len(sentence.split()) not in _SENTENCE_WORDS or len(document.sentences) < 3:  # noqa: PLR2004
            return None
        words = content(sentence)
        others = [other for other in document.sentences if other != sentence and sentence not in other]
        others.sort(key=lambda other: -len(words & content(other)))
        if not others or len(words & content(others[0])) > 0.8 * len(words):
            return None
        chosen = others[: draw.choice((1, 1, 2, 3))]
        premise = " ".join(other for other in document.sentences if other in chosen)
        return _example(premise, self._said(sentence), Target.NEUTRAL, "elsewhere", document.group)

    def _close(self) -> Example | None:
        draw = self._draw
        hypothesis = draw.choice(self._entailed).hypothesis if chance(draw, 0.5) else draw.choice(self._sentences)
        words = content(hypothesis)
        like = self._likest.to(hypothesis)
        if like is None or len(words) < 3 or len(words & content(like)) > 0.7 * len(words):  # noqa: PLR2004
            return None
        return _example(like, hypothesis, Target.NEUTRAL, "close", "")

    def _joined(self) -> Example | None:
        draw = self._draw
        one = draw.choice(self._examples)
        beside = [other for other in self._by_premise[one.premise] if other.hypothesis != one.hypothesis]
        if not beside or one.question or len(one.hypothesis) + len(one.premise) > 600:  # noqa: PLR2004
            return None
        other = draw.choice(beside)
        target = _both(one.target, other.target)
        first, second = one.hypothesis.strip(), other.hypothesis.strip()
        if chance(draw, 0.5):
            joined = f"{first.rstrip('.')}, and {lowered(second)}"
        else:
            joined = f"{first if first.endswith('.') else first + '.'} {second}"
        return _example(one.premise, joined, target, "joined", one.group)

    def _fused(self) -> Example | None:
        """Two sentences of one window as one, or one of the two changed or of elsewhere."""
        draw = self._draw
        found = self._window()
        if found is None:
            return None
        document, window, sentence = found
        others = [other for other in window if other != sentence and len(other.split()) in _SENTENCE_WORDS]
        if not others:
            return None
        said = [self._said(sentence), self._said(draw.choice(others))]
        premise, target = " ".join(window), Target.ENTAILED
        if chance(draw, 0.55):
            at = draw.randrange(2)
            edit = self._edit(said[at], document.group)
            if edit is None or _undecided(edit, premise):
                return None
            said[at], target = edit.text, edit.target
        if chance(draw, 0.5):
            said.reverse()
        if len(" ".join(said).split()) > _FUSED_WORDS:
            return None
        between = draw.choice((", and ", ", while ", "; ", ", and ", ", whereas "))
        fused = f"{said[0].strip().rstrip('.')}{between}{lowered(said[1].strip())}"
        return _example(premise, fused, target, "fused", document.group)

    def _spoken(self) -> Example | None:
        draw = self._draw
        example = draw.choice(self._entailed) if chance(draw, 0.3) else draw.choice(self._examples)
        if example.question or len(example.premise) > 400 or example.source == "infotabs":  # noqa: PLR2004 - characters
            return None
        return as_spoken(example, draw.sample(self._sentences, draw.randint(1, 3)), draw)

    def _edit(self, text: str, group: str) -> Edit | None:
        document = self._nearby.get(group)
        source = Source(
            names=self._names,
            nearby=document.names if document else (),
            numbers=document.numbers if document else (),
            draw=self._draw,
        )
        kinds = list(EDITS)
        self._draw.shuffle(kinds)
        for kind in kinds:
            # These fit nearly anywhere, so that they would be most of all.
            if kind in (add, negate) and chance(self._draw, 0.6):
                continue
            edit = kind(text, source)
            if edit is not None and edit.text != text:
                return edit
        return None


def _undecided(edit: Edit, premise: str) -> bool:
    """Whether the changed sentence may well be true of the premise: it does not say what went, or says what came."""
    says = tokens(premise)
    if edit.removed and edit.kind not in {"negation", "strength", "opposite"} and not tokens(edit.removed) <= says:
        return True
    if edit.kind == "opposite" and not tokens(edit.removed) <= says:
        return True
    if edit.kind == "roles":
        return False
    return edit.kind in {"unit", "date", "opposite"} and tokens(edit.added) <= says


def _both(one: Target, other: Target) -> Target:
    if one is Target.ENTAILED and other is Target.ENTAILED:
        return Target.ENTAILED
    if Target.CONTRADICTED in (one, other):
        return Target.CONTRADICTED
    return Target.NOT_ENTAILED if Target.NOT_ENTAILED in (one, other) else Target.NEUTRAL


def _example(premise: str, hypothesis: str, target: Target, kind: str, group: str) -> Example:
    return Example(premise=premise, hypothesis=hypothesis, target=target, source=kind, group=group)
