"""The rewording: a sentence in other words, shorter, or as an assistant would begin it; it says the same or a part."""

import random
import re

from models.phrases import FUNCTION_WORDS
from models.training.edits import chance, names_in, swap_word
from models.training.examples import Target
from models.training.phrasebook import COMMON, LEADS, NUMERALS, SYNONYM

_SHORTEST = 5  # words of what is left of a sentence


def reword(text: str, draw: random.Random) -> str:
    """In other words, the same: synonyms, other ways to write a number, what is in brackets left out."""
    changed = re.sub(r" \([^()]{2,60}\)", "", text) if chance(draw, 0.5) else text
    for _ in range(draw.randint(1, 3)):
        edit = swap_word(changed, SYNONYM, "synonym", Target.ENTAILED, draw)
        changed = edit.text if edit else changed
    if chance(draw, 0.5):
        changed = re.sub(r"(?<=\d)%", " percent", changed) if "%" in changed else changed.replace(" percent", "%")
    if chance(draw, 0.3):
        changed = re.sub(r"(?<=\d),(?=\d{3})", "", changed)
    if chance(draw, 0.4):
        changed = re.sub(r"(?<= )(?:[2-9]|1[0-2])(?= [a-z])", lambda match: NUMERALS[int(match[0]) - 2], changed)
    return changed


def shorten(text: str, draw: random.Random) -> str:
    """A part of what it says: without a clause at its end, or without what led into it."""
    lead = re.match(r"(?:However|Moreover|In addition|Furthermore|Also|Meanwhile|Then|Today|Finally), ", text)
    if lead:
        text = text[lead.end() : lead.end() + 1].upper() + text[lead.end() + 1 :]
    cuts = [match.start() for match in re.finditer(r", (?:which|who|where|including|such as|and later|with) ", text)]
    cuts = [cut for cut in cuts if len(text[:cut].split()) >= _SHORTEST]
    return text[: draw.choice(cuts)] + "." if cuts and chance(draw, 0.6) else text


def lead_in(text: str, draw: random.Random) -> str:
    """As an assistant would begin it."""
    first = text.split(" ", 1)[0]
    keeps = (
        first in {"I", "I'm"}
        or first.isupper()
        or (len(names_in("x " + text)) > 0 and names_in("x " + text)[0].startswith(first) and first not in COMMON)
    )
    return draw.choice(LEADS).format(text if keeps else text[:1].lower() + text[1:])


def lowered(text: str) -> str:
    """To go on with within a sentence: a function word that begins it in small letters."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first.lower() in FUNCTION_WORDS and first != "I" else text
