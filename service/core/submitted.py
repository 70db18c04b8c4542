"""What follows from a submission alone: the ids of its contexts, and about what it costs to score."""

from service.core.schemas import Submission

CHARS_PER_TOKEN = 4  # of English text; only balances how much a worker takes at once
CHARS_PER_CLAIM = 120


def context_ids(submission: Submission) -> list[str]:
    """The caller's ids; for a context without one its position, prefixed where that is another context's id."""
    given = {context.id for context in submission.contexts}
    names = []
    for position, context in enumerate(submission.contexts):
        name = context.id if context.id is not None else str(position)
        while context.id is None and name in given:
            name = f"_{name}"
        names.append(name)
    return names


def characters(submission: Submission) -> int:
    """Code points of its texts, alternative responses left out."""
    return len(submission.response) + sum(len(context.text) for context in submission.contexts)


def estimated_tokens(submission: Submission) -> int:
    """Tokens of all its pairs, roughly."""
    of_contexts = sum(len(context.text) for context in submission.contexts)
    claims = 1 + len(submission.response) // CHARS_PER_CLAIM
    tokens = (of_contexts // CHARS_PER_TOKEN + 64) * claims
    # Alternative responses: each beside every claim, and whole answers beside each other both ways.
    answers = [len(submission.response), *map(len, submission.samples)]
    tokens += sum(length // CHARS_PER_TOKEN + 64 for length in answers[1:]) * claims
    tokens += 2 * sum(length // CHARS_PER_TOKEN for length in answers) * (len(answers) - 1)
    return min(tokens, 2**31 - 1)
