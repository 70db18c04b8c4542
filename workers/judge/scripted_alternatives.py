"""What a scripted generator answers: the same statement in other words, or a statement that contradicts it.

The rule: the statement is the sentence of the last user message, no question itself, that shares the most content words
with the message's last question, or of equals, or without a question, the first; one of fewer than three words is none.
Without any, it is `The answer is N.`, with an N that hangs on the message alone. A draw puts it into one of five
framings. In a share `disagree` of the draws the statement's first number is changed, and where it has none, it is denied.
A draw hangs on the scenario's seed, the message, the request's own `seed` (without one: how many requests of this
sample came before) and the choice's place in the reply.
"""

import re
from dataclasses import dataclass

from workers.judge.scenario import Scenario, draw
from workers.judge.scripted_prompt import Asked
from workers.judge.scripted_verdicts import content_words, sentences

_FRAMINGS = ("{}", "In short: {}", "As far as is known: {}", "To answer that: {}", "{} That is the answer.")
_NUMBER = re.compile(r"\d+")
_LEAST_WORDS = 3
_SURE, _UNSURE = 0.1, 0.9  # mean -ln(probability) of a token of a draw that agrees, and of one that does not


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """An alternative response."""

    text: str
    disagrees: bool

    @property
    def unlikelihood(self) -> float:
        """The mean -ln(probability) of its tokens: what disagrees is the less likely."""
        return _UNSURE if self.disagrees else _SURE


def alternative(asked: Asked, scenario: Scenario, before: int, choice: int) -> Drawn:
    """One draw, after so many requests of the same sample."""
    turn = f"seed {asked.seed}" if asked.seed is not None else f"after {before}"
    place = (asked.foreign, turn, choice)
    statement = _statement(asked.message, scenario.seed)
    disagrees = draw(scenario.seed, "disagree", *place) < scenario.disagree
    if disagrees:
        statement = _contradicted(statement, 1 + int(9 * draw(scenario.seed, "change", *place)))
    framing = _FRAMINGS[int(len(_FRAMINGS) * draw(scenario.seed, "framing", *place))]
    return Drawn(text=framing.format(statement), disagrees=disagrees)


def _statement(message: str, seed: int) -> str:
    all_of_it = sentences(message)
    questions = [each for each in all_of_it if each.endswith("?")]
    wanted = frozenset(content_words(questions[-1])) if questions else frozenset()
    said = [each for each in all_of_it if not each.endswith("?") and len(each.split()) >= _LEAST_WORDS]
    if not said:
        return f"The answer is {100 + int(900 * draw(seed, 'answer', message))}."
    return max(said, key=lambda each: len(wanted & frozenset(content_words(each))))


def _contradicted(statement: str, change: int) -> str:
    found = _NUMBER.search(statement)
    if found is None:
        return f"It is not true that {statement[0].lower()}{statement[1:]}"
    return f"{statement[: found.start()]}{int(found[0]) + change}{statement[found.end() :]}"
