"""The speaker: a pair told as a conversation, in which one says the premise and the hypothesis says who said it."""

import random
from collections.abc import Sequence
from dataclasses import replace

from models.training.dialogues import PEOPLE
from models.training.edits import chance
from models.training.examples import Example, Target
from models.training.rewording import lowered

_SAYS = (
    "{name} says that {said}",
    "{name} says {said}",
    "{name} mentions that {said}",
    "{name} explains that {said}",
    "{name} tells {other} that {said}",
    "According to {name}, {said}",
    "{name} points out that {said}",
    "{name} said that {said}",
)
_ROLES = ("Agent", "Customer", "Manager", "Speaker 1", "Speaker 2", "Moderator", "Analyst", "Doctor", "Professor")
_ROLE = 0.2  # share of conversations between roles
_WRONG = 0.4  # share of entailed pairs told as another's words


def as_spoken(example: Example, others: Sequence[str], draw: random.Random) -> Example:
    """The pair with its premise said by one of two or three people, beside what the others say.

    What another is said to have said is not entailed by who it was that said it. `others` are sentences of other documents.
    """
    names = draw.sample(_ROLES if chance(draw, _ROLE) else PEOPLE, 3)
    one, other = names[0], names[1]
    turns = [(one, example.premise)]
    for sentence in others:
        # The one who says the premise says nothing else: nobody can tell then whether it decides.
        turns.insert(draw.randint(0, len(turns)), (draw.choice(names[1:]), sentence))
    wrong = example.target is Target.ENTAILED and chance(draw, _WRONG)
    told_of, to = (other, one) if wrong else (one, other)
    if chance(draw, 0.2) and wrong:
        told_of = names[2]
    bare = example.hypothesis.strip().rstrip(".")
    hypothesis = draw.choice(_SAYS).format(name=told_of, other=to, said=lowered(bare)) + "."
    between = draw.choice(("\n", " ", "\r\n"))
    return replace(
        example,
        premise=between.join(f"{name}: {text.strip()}" for name, text in turns),
        hypothesis=hypothesis,
        target=Target.NOT_ENTAILED if wrong else example.target,
        source="spoken_wrong" if wrong else "spoken",
    )
