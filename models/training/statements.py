"""The statement: a question and its answer as one sentence, by the forms of questions."""

import random
import re
from dataclasses import replace

from models.training.documents import content, split
from models.training.examples import Example, Target


def as_statement(question: str, answer: str) -> str | None:
    """A question and its answer as one statement; None for a form of question that is not known."""
    bare = question.strip().rstrip("?").strip()
    answer = answer.strip().rstrip(".")
    capital = answer[:1].upper() + answer[1:]
    if subject := re.match(
        r"(?:Who|What|Which [\w ]+?) ((?:has|have|had|can|could|will|would|was|were|is|are)\b .+|(?!did\b|do\b|does\b)\w+(?:ed|s|ught|de|ld|n|t|k|ew)\b .+)",
        bare,
    ):
        return f"{capital} {subject[1]}."
    if be := re.match(
        r"(When|Where|In what \w+|In which \w+|On what \w+) (was|were|is|are) (the [\w ]+|[A-Z][\w' ]+) (\w+ed|born|held|built|made|found|founded|known|located|set|written|given|taken|lost|won)(.*)",
        bare,
    ):
        preposition = (
            ""
            if re.match(r"(in|on|at|from|during|by|near|within)\b", answer.lower())
            else ("in " if be[1] != "On" else "on ")
        )
        return f"{be[3][0].upper() + be[3][1:]} {be[2]} {be[4]}{be[5]} {preposition}{answer}."
    if number := re.match(r"How (many|much) ([\w -]+?) (are|were|is|was|have|had|can) (.+)", bare):
        return f"{capital} {number[2]} {number[3]} {number[4]}."
    return None


def make_statement(example: Example, draw: random.Random) -> Example | None:
    """The pair of a set of questions with its question and answer as a statement; None where that cannot be done.

    Beside an entailed one stand the sentences around the answer.
    """
    statement = as_statement(example.question, example.answer)
    if statement is None:
        return None
    premise = example.premise
    if example.target is Target.ENTAILED:
        sentences = list(split(premise))
        with_answer = [at for at, sentence in enumerate(sentences) if example.answer in sentence]
        words = content(example.question)
        if with_answer:
            best = max(with_answer, key=lambda at: len(words & content(sentences[at])))
            premise = " ".join(sentences[max(0, best - draw.randint(0, 2)) : best + draw.randint(1, 3)])
    return replace(example, premise=premise, hypothesis=statement, source="statement", question="", answer="")
