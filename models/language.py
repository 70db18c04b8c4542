"""The language: whether a text is in one that the model reads.

"No" takes evidence: letters of another script, or words and accents of other languages with hardly a word of the
model's own. A short text, a name, a table, code or a mixture is readable: unknown is not another language.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from models.lexicon import DENSE_SCRIPTS, LANGUAGES, LATIN, LATIN_LETTERS, LOAN_LETTERS, NAME_WORDS, SCRIPTS
from models.types import ModelError

# Raise with any change to the rules below or to the lexicon: it is part of every scorer's fingerprint.
_RULES = "1"

# A word that is no part of an address, a path, an identifier, a compound or a short form such as "'s".
_WORD = re.compile(rf"(?<![\w'’./@\\-])[{LATIN_LETTERS}]++(?![-./@\\]?\w)")
_NEVER = re.compile(r"(?!)")

# Of a text longer than all of these together, as many pieces are read, at even distances.
_PIECES = 16
_PIECE_CHARACTERS = 500

_SHARED, _HALF, _FULL = 0.0, 0.5, 1.0  # evidence of one word
_OWN_SHARE = 0.2  # with more of the model's own words among those that tell, a text is a mixture
_SHARE = 0.1  # with less evidence than this for each word, it is chance
_LEAST = 2.0  # evidence, with a whole word of a list in it
_LEAST_DOUBTFUL = 3.0  # evidence, with rare letters in it instead, or some listed words that names have too
_LEAST_LISTED = 3
_LEAST_TELLING = 2  # different words that tell
_LEAST_WORDS = 5
_LEAST_SCRIPT = 1.0  # ten letters, or four where a letter is a word

_Patterns = tuple[re.Pattern[str], re.Pattern[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """How the texts of some languages are told from all others."""

    own: frozenset[str]  # words that only these languages have
    weights: Mapping[str, float]  # evidence of each word that other languages have
    letters: frozenset[str]  # of these languages, beside a to z
    english: bool  # it is the only one of these in Latin letters
    scripts: _Patterns  # of these languages, beside Latin
    other_scripts: _Patterns


def language_version() -> str:
    """Name and version of everything that decides whether a text is readable."""
    return f"language {_RULES}"


def check_languages(languages: Collection[str]) -> None:
    """Raises ModelError for a code that `readable` knows nothing of."""
    unknown = sorted(set(languages) - LANGUAGES)
    if unknown:
        raise ModelError(f"unknown language {', '.join(unknown)}: known are {', '.join(sorted(LANGUAGES))}")


def readable(text: str, languages: frozenset[str]) -> bool:
    """Whether the text may be in one of these languages (ISO 639-1; none: of any). False only if it clearly is not."""
    if not languages or not languages <= LANGUAGES:
        return True
    reader = _reader(languages)
    sample = _sample(text)
    words = _WORD.findall(sample)
    own_script, script = _amount(reader.scripts, sample), _amount(reader.other_scripts, sample)
    own = sum(word.lower() in reader.own for word in words) + own_script
    evidence = _strange(words, reader)
    if script >= _LEAST_SCRIPT and script > len(words) / 2 + own_script:
        evidence += script
    return not evidence or own > _OWN_SHARE * (own + evidence)


def _sample(text: str) -> str:
    """The text, or pieces of it, its accents composed: piece by piece, for that takes quadratic time."""
    step = max(_PIECE_CHARACTERS, -(-len(text) // _PIECES))
    pieces = (text[start : start + _PIECE_CHARACTERS] for start in range(0, len(text), step))
    sample = ("" if step == _PIECE_CHARACTERS else " ").join(unicodedata.normalize("NFC", piece) for piece in pieces)
    return sample.lower() if sample.isupper() else sample


def _amount(scripts: _Patterns, sample: str) -> float:
    """How much is in these scripts, in the unit of words that tell: of Latin text about every other word does."""
    alphabetic, dense = scripts
    if sample.isascii():
        return 0.0
    return sum(map(len, alphabetic.findall(sample))) / 10 + len(dense.findall(sample)) / 4


def _strange(words: Sequence[str], reader: _Reader) -> float:
    """Evidence of other languages, in words; 0 unless it is clear. Capital words may be names, and tell nothing."""
    plain = [word for word in words if word[0].islower()]
    weights = {word: _weight(word, reader) for word in set(plain)}
    evidence, distinct = sum(weights[word] for word in plain), sum(weights.values())
    if reader.english:  # its words seldom end so: that alone proves nothing, but makes what does stronger
        vowels = sum(word[-1] in "aiou" and word[3:] != "" and weights[word] == _SHARED for word in plain)
        evidence, distinct = evidence + min(evidence, vowels / 2), distinct + min(distinct, vowels / 2)
    telling = {word for word, weight in weights.items() if weight > _SHARED and not (word.isascii() and len(word) == 1)}
    listed = telling & reader.weights.keys()
    whole = {word for word in telling if weights[word] == _FULL}
    clear = (
        len(plain) >= _LEAST_WORDS
        and len(telling) >= _LEAST_TELLING
        and bool(whole or len(listed) >= _LEAST_LISTED)
        and distinct >= (_LEAST if whole & listed else _LEAST_DOUBTFUL)
        and evidence >= _SHARE * len(plain)
    )
    return evidence if clear else 0.0


def _weight(word: str, reader: _Reader) -> float:
    """Evidence of one word against these languages: by the lists, else by its letters."""
    listed = reader.weights.get(word)
    if listed is not None or word in reader.own or word.isascii():
        return listed or _SHARED
    strange = {letter for letter in word if not letter.isascii()} - reader.letters
    if not strange:
        return _SHARED
    return _HALF if strange <= LOAN_LETTERS else _FULL


@lru_cache(maxsize=8)
def _reader(languages: frozenset[str]) -> _Reader:
    own = frozenset[str]().union(*(words for code, (_, words) in LATIN.items() if code in languages))
    other = frozenset[str]().union(*(words for code, (_, words) in LATIN.items() if code not in languages))
    latin = languages & LATIN.keys()
    return _Reader(
        own=own - other,
        weights={word: _SHARED if word in own else _HALF if word in NAME_WORDS else _FULL for word in other},
        letters=frozenset[str]().union(*(LATIN[code][0] for code in latin)),
        english=latin == {"en"},
        scripts=_patterns(languages, theirs=True),
        other_scripts=_patterns(languages, theirs=False),
    )


def _patterns(languages: frozenset[str], *, theirs: bool) -> _Patterns:
    """Letters of the scripts that these languages have, or do not have; runs of three, for "α" and "μs" are symbols."""
    alphabetic, dense = (
        "".join(letters for codes, letters in scripts.items() if languages.isdisjoint(codes.split()) is not theirs)
        for scripts in (SCRIPTS, DENSE_SCRIPTS)
    )
    return re.compile(rf"(?:(?!\d)[{alphabetic}]){{3,}}") if alphabetic else _NEVER, re.compile(
        f"[{dense}]"
    ) if dense else _NEVER
