"""The edit: one thing of a sentence changed, so that it says something else or, in other words, the same."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from models.training.examples import Target

_WORD = re.compile(r"[A-Za-z]+(?:n't)?")
_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w,.-]*\d)")
# Names: capitalised words in a row, not the first word of the sentence.
_NAME = re.compile(r"(?<=[\w,;:)] )(?:[A-Z][\w'’-]+)(?: [A-Z][\w'’-]+)*")


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


_MONTHS = _words("January February March April May June July August September October November December")
_DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_NUMERALS = _words("two three four five six seven eight nine ten eleven twelve")
_AUXILIARIES = _words("is are was were can could will would has have had did does do should must")
_UNITS = (
    ("seconds", "minutes", "hours", "days", "weeks", "months", "years", "decades"),
    ("second", "minute", "hour", "day", "week", "month", "year", "decade"),
    ("thousand", "million", "billion"),
    ("miles", "kilometres", "metres", "feet"),
    ("kilometers", "meters", "yards", "inches"),
    ("km", "cm"),
    ("kg", "mg"),
    ("pounds", "dollars", "euros"),
    ("daily", "weekly", "monthly", "yearly"),
    ("MB", "GB", "TB"),
    ("once", "twice"),
    ("first", "second", "third", "fourth"),
)
_OPPOSITES = (
    "increase/decrease increases/decreases increased/decreased increasing/decreasing rise/fall rises/falls rose/fell "
    "rising/falling grow/shrink grew/shrank growing/shrinking higher/lower highest/lowest high/low more/less most/least "
    "before/after earlier/later early/late first/last up/down above/below over/under win/lose wins/loses won/lost "
    "winning/losing winner/loser open/closed opened/closed opens/closes start/end started/ended starts/ends began/ended "
    "begins/ends accept/reject accepted/rejected accepts/rejects approve/reject approved/rejected allow/forbid "
    "allowed/forbidden allows/forbids old/new older/newer large/small larger/smaller largest/smallest big/small "
    "bigger/smaller best/worst better/worse good/bad positive/negative success/failure successful/unsuccessful "
    "succeeded/failed passed/failed north/south northern/southern east/west eastern/western male/female man/woman "
    "men/women boy/girl boys/girls he/she his/her father/mother son/daughter brother/sister husband/wife king/queen "
    "minimum/maximum always/never everyone/nobody everything/nothing majority/minority include/exclude "
    "included/excluded includes/excludes including/excluding buy/sell bought/sold buying/selling import/export gain/loss "
    "gained/lost gains/losses improve/worsen improved/worsened improves/worsens improvement/decline strong/weak "
    "stronger/weaker young/old younger/older youngest/oldest fast/slow faster/slower hot/cold same/different "
    "similar/different rich/poor public/private internal/external left/right day/night morning/evening agree/disagree "
    "agreed/disagreed agrees/disagrees like/dislike likes/dislikes liked/disliked love/hate loves/hates loved/hated "
    "remember/forget remembered/forgot arrive/leave arrived/left expensive/cheap safe/dangerous legal/illegal "
    "possible/impossible able/unable with/without inside/outside often/rarely support/oppose supported/opposed "
    "supports/opposes confirm/deny confirmed/denied confirms/denies hired/fired married/divorced born/buried "
    "near/far full/empty long/short longer/shorter longest/shortest heavy/light wide/narrow deep/shallow easy/difficult "
    "simple/complex happy/sad happier/sadder clean/dirty dry/wet alive/dead healthy/sick indoors/outdoors many/few "
    "sitting/standing awake/asleep quiet/loud empty/crowded true/false required/optional enable/disable "
    "enabled/disabled enables/disables active/inactive add/remove added/removed adds/removes upgrade/downgrade "
    "credit/debit sender/recipient employer/employee buyer/seller lender/borrower teacher/student doctor/patient "
    "optimistic/pessimistic benefit/harm reduce/raise reduced/raised reduces/raises because/although common/rare "
    "innocent/guilty victory/defeat friend/enemy ancient/modern temporary/permanent voluntary/mandatory domestic/foreign"
)
_STRONGER = MappingProxyType(
    {
        "may": ("will",),
        "might": ("will",),
        "could": ("will",),
        "can": ("must",),
        "should": ("must",),
        "some": ("all", "no"),
        "many": ("all", "no"),
        "several": ("all", "most"),
        "most": ("all",),
        "few": ("no",),
        "often": ("always",),
        "usually": ("always",),
        "sometimes": ("always", "never"),
        "likely": ("certain",),
        "probably": ("certainly",),
        "possibly": ("certainly",),
        "suggests": ("proves",),
        "suggested": ("proved",),
        "suggest": ("prove",),
        "nearly": ("more than",),
        "almost": ("more than",),
        "around": ("exactly",),
        "approximately": ("exactly",),
        "planned": ("completed",),
        "plans": ("refuses",),
        "expected": ("guaranteed",),
        "associated": ("caused",),
        "linked": ("caused",),
        "or": ("and",),
    }
)
_ALIKE = (
    "big/large begin/start begins/starts began/started buy/purchase bought/purchased buys/purchases quick/rapid "
    "quickly/rapidly help/assist helps/assists helped/assisted show/demonstrate shows/demonstrates showed/demonstrated "
    "people/individuals children/kids build/construct built/constructed get/obtain gets/obtains got/obtained "
    "need/require needs/requires needed/required end/finish ended/finished get/receive use/utilize uses/utilizes "
    "used/utilized important/significant many/numerous near/close additional/extra entire/whole film/movie films/movies "
    "make/create makes/creates made/created about/approximately annual/yearly ill/sick maybe/perhaps car/automobile "
    "physician/doctor physicians/doctors attorney/lawyer attorneys/lawyers error/mistake errors/mistakes "
    "reply/answer replied/answered wealthy/rich stop/halt stopped/halted allow/permit allows/permits allowed/permitted "
    "different/distinct difficult/hard live/reside lives/resides lived/resided choose/select chose/selected "
    "chosen/selected famous/well-known located/situated also/additionally company/firm companies/firms country/nation "
    "countries/nations city/town job/occupation jobs/occupations picture/image pictures/images road/street "
    "several/multiple say/state says/states said/stated try/attempt tried/attempted tries/attempts enough/sufficient "
    "buyer/purchaser rise/increase rises/increases fall/drop falls/drops fell/dropped happy/glad talk/speak "
    "talks/speaks talking/speaking start/commence started/commenced home/house smart/intelligent strange/odd "
    "ocean/sea big/huge shop/store shops/stores while/whereas however/nevertheless despite/notwithstanding "
    "roughly/approximately lowers/reduces lowered/reduced boost/increase boosted/increased"
)
_ADDITIONS = (
    " in {year}",
    " for {count} years",
    " by {count}%",
    " on {day}",
    " in {month}",
    ", according to {name}",
    " together with {name}",
    " in {name}",
    ", mainly for financial reasons",
    ", which had never happened before",
    " for the first time",
    ", despite strong criticism",
    " because of the bad weather",
    " free of charge",
    " at a cost of ${count} million",
    ", as was widely expected",
    ", for safety reasons",
    " without any further approval",
)
_LEADS = (
    "According to the context, {}",
    "According to the provided documents, {}",
    "Based on the information provided, {}",
    "The context states that {}",
    "The document mentions that {}",
    "The passage indicates that {}",
    "As stated in the text, {}",
    "In summary, {}",
    "Overall, {}",
    "Additionally, {}",
    "Furthermore, {}",
    "In short, {}",
    "Yes, {}",
    "It is noted that {}",
    "It was also mentioned that {}",
    "Specifically, {}",
    "From the source: {}",
)


def _pairs(listed: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pair in listed.split():
        one, other = pair.split("/")
        found[one] = (*found.get(one, ()), other)
        found[other] = (*found.get(other, ()), one)
    return MappingProxyType(found)


_PAIR = 2
_SHORTEST = 5  # words of what is left of a sentence

_OPPOSITE = _pairs(_OPPOSITES)
_SYNONYM = _pairs(_ALIKE)
_UNIT = MappingProxyType({unit: tuple(other for other in row if other != unit) for row in _UNITS for unit in row})


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A changed sentence."""

    text: str
    kind: str
    target: Target  # of the changed sentence, where the one before was entailed
    removed: str  # the words that went; a premise that does not say them cannot decide
    added: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where an edit takes other names and numbers from, and its draws."""

    names: Sequence[str]  # of all documents
    nearby: Sequence[str]  # names of the same document
    numbers: Sequence[str]  # of the same document
    draw: random.Random


def chance(draw: random.Random, share: float) -> bool:
    """True in this share of the draws."""
    return draw.random() < share


def names_in(text: str) -> list[str]:
    """What looks like a name in it, in order."""
    return [name for name in _NAME.findall(text) if name not in _MONTHS and name not in _DAYS]


def numbers_in(text: str) -> list[str]:
    """The numbers in digits in it, in order."""
    return _NUMBER.findall(text)


def change_number(text: str, source: Source) -> Edit | None:
    """Another number: near by, of another size, or of the same document."""
    found = list(_NUMBER.finditer(text))
    if not found:
        numerals = [match for match in _WORD.finditer(text) if match[0].lower() in _NUMERALS]
        if not numerals:
            return None
        match = source.draw.choice(numerals)
        other = source.draw.choice([word for word in _NUMERALS if word != match[0].lower()])
        return _edit(text, match, _like(match[0], other), "number", Target.CONTRADICTED)
    match = source.draw.choice(found)
    others = [number for number in source.numbers if number != match[0] and len(number) == len(match[0])]
    if others and chance(source.draw, 0.4):
        return _edit(text, match, source.draw.choice(others), "number", Target.NOT_ENTAILED)
    return _edit(text, match, _other_number(match[0], source.draw), "number", Target.CONTRADICTED)


def change_unit(text: str, source: Source) -> Edit | None:
    """Another unit or magnitude of the same kind."""
    return _swap_word(text, _UNIT, "unit", Target.CONTRADICTED, source.draw)


def change_date(text: str, source: Source) -> Edit | None:
    """Another month or day of the week."""
    found = [match for match in _WORD.finditer(text) if match[0] in _MONTHS or match[0] in _DAYS]
    found = [match for match in found if match[0] != "May" or text[match.end() : match.end() + 2].strip().isdigit()]
    if not found:
        return None
    match = source.draw.choice(found)
    row = _MONTHS if match[0] in _MONTHS else _DAYS
    return _edit(
        text, match, source.draw.choice([other for other in row if other != match[0]]), "date", Target.CONTRADICTED
    )


def change_name(text: str, source: Source) -> Edit | None:
    """Another name, of the same document where there is one."""
    found = [match for match in _NAME.finditer(text) if match[0] not in _MONTHS and match[0] not in _DAYS]
    if not found:
        return None
    match = source.draw.choice(found)
    words = match[0].count(" ")
    near = [name for name in source.nearby if name.count(" ") == words and not _overlap(name, match[0])]
    far = [name for name in source.draw.sample(source.names, min(40, len(source.names))) if name.count(" ") == words]
    others = near if near and chance(source.draw, 0.6) else [name for name in far if not _overlap(name, match[0])]
    return _edit(text, match, source.draw.choice(others), "name", Target.NOT_ENTAILED) if others else None


def swap_roles(text: str, source: Source) -> Edit | None:
    """Two names of the sentence in each other's place, where a verb may lie between them."""
    first = re.match(r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*", text)
    spans = [match.span() for match in _NAME.finditer(text)]
    if first and first[0].split()[0] not in _COMMON:
        spans = [first.span(), *[span for span in spans if span[0] >= first.end()]]
    if len(spans) < _PAIR:
        return None
    at = source.draw.randrange(len(spans) - 1)
    (a, b), (c, d) = spans[at], spans[at + 1]
    between = text[b:c]
    if len(between.split()) < _PAIR or re.search(r"[,:;()]| and | or ", between):
        return None
    if _overlap(text[a:b], text[c:d]):
        return None
    return Edit(
        text=text[:a] + text[c:d] + between + text[a:b] + text[d:],
        kind="roles",
        target=Target.NOT_ENTAILED,
        removed=text[a:b],
        added=text[c:d],
    )


def negate(text: str, source: Source) -> Edit | None:
    """With a "not" more or less."""
    gone = re.search(r"\b(is|are|was|were|can|could|will|would|has|have|had|did|does|do|should|must)(n't| not)\b", text)
    if gone:
        return _edit_span(text, gone.start(), gone.end(), gone[1], "negation", Target.CONTRADICTED)
    found = [match for match in _WORD.finditer(text) if match[0] in _AUXILIARIES]
    if not found:
        return None
    match = found[0]
    added = source.draw.choice((" not", " never", " not")) if match[0] not in {"do", "does", "did"} else " not"
    return _edit_span(text, match.start(), match.end(), match[0] + added, "negation", Target.CONTRADICTED)


def strengthen(text: str, source: Source) -> Edit | None:
    """A quantifier or a hedge made to claim more than was said."""
    return _swap_word(text, _STRONGER, "strength", Target.NOT_ENTAILED, source.draw)


def oppose(text: str, source: Source) -> Edit | None:
    """A word replaced by its opposite."""
    return _swap_word(text, _OPPOSITE, "opposite", Target.CONTRADICTED, source.draw)


def add(text: str, source: Source) -> Edit | None:
    """Something more at its end that nobody said."""
    if not source.names:
        return None
    bare = text.rstrip(" .!")
    draw = source.draw
    more = draw.choice(_ADDITIONS).format(
        year=draw.randint(1950, 2024),
        count=draw.choice((2, 3, 5, 8, 10, 12, 15, 20, 25, 40)),
        day=draw.choice(_DAYS),
        month=draw.choice(_MONTHS),
        name=draw.choice(source.names),
    )
    return Edit(text=f"{bare}{more}.", kind="addition", target=Target.NEUTRAL, removed="", added=more)


def reword(text: str, draw: random.Random) -> str:
    """In other words, the same: synonyms, other ways to write a number, what is in brackets left out."""
    changed = re.sub(r" \([^()]{2,60}\)", "", text) if chance(draw, 0.5) else text
    for _ in range(draw.randint(1, 3)):
        edit = _swap_word(changed, _SYNONYM, "synonym", Target.ENTAILED, draw)
        changed = edit.text if edit else changed
    if chance(draw, 0.5):
        changed = re.sub(r"(?<=\d)%", " percent", changed) if "%" in changed else changed.replace(" percent", "%")
    if chance(draw, 0.3):
        changed = re.sub(r"(?<=\d),(?=\d{3})", "", changed)
    if chance(draw, 0.4):
        changed = re.sub(r"(?<= )(?:[2-9]|1[0-2])(?= [a-z])", lambda match: _NUMERALS[int(match[0]) - 2], changed)
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
        or (len(names_in("x " + text)) > 0 and names_in("x " + text)[0].startswith(first) and first not in _COMMON)
    )
    return draw.choice(_LEADS).format(text if keeps else text[:1].lower() + text[1:])


_COMMON = frozenset(
    _words(
        "The A An It He She They We You This That These Those There In On At For From With By As When While After Before If "
        "Some Many Most All No One Two His Her Their Its Our People By Now Then Today Here To Of As Both Each Several During "
        "Since Although However Also Under Over Between Through Where Who What How Why And But Or So Not Only"
    )
)

EDITS: tuple[Callable[[str, Source], Edit | None], ...] = (
    change_number,
    change_unit,
    change_date,
    change_name,
    swap_roles,
    negate,
    strengthen,
    oppose,
    add,
)


def _other_number(number: str, draw: random.Random) -> str:
    plain = number.replace(",", "")
    whole, _, decimals = plain.partition(".")
    if len(whole) == 4 and "," not in number and not decimals and 1500 <= int(whole) <= 2100:  # noqa: PLR2004 - a year
        return str(int(whole) + draw.choice((-30, -10, -7, -4, -3, -2, -1, 1, 2, 3, 5, 8, 10, 20)))
    value = int(whole + decimals)
    digits = list(whole + decimals)
    at = draw.randrange(len(digits))
    near = digits.copy()
    near[at] = str((int(near[at]) + draw.randint(1, 9)) % 10)
    if near[0] == "0" and len(whole) > 1:
        near[0] = "1" if digits[0] != "1" else "2"
    options = ["".join(near), str(value * draw.choice((2, 3, 10))), str(value + draw.randint(1, 5))]
    other = draw.choice(options)
    other = other if int(other) != value else str(value + 1)
    if decimals:
        other = other.rjust(len(decimals) + 1, "0")
        other = f"{other[: -len(decimals)]}.{other[-len(decimals) :]}"
    elif "," in number:
        other = f"{int(other):,}"
    return other


def _swap_word(
    text: str, table: Mapping[str, tuple[str, ...]], kind: str, target: Target, draw: random.Random
) -> Edit | None:
    found = [
        match
        for match in _WORD.finditer(text)
        # A capital within a sentence is a name's.
        if match[0] in table or (match.start() == 0 and match[0].lower() in table)
    ]
    if not found:
        return None
    match = draw.choice(found)
    others = table[match[0]] if match[0] in table else table[match[0].lower()]
    return _edit(text, match, _like(match[0], draw.choice(others)), kind, target)


def _like(word: str, other: str) -> str:
    return other[:1].upper() + other[1:] if word[:1].isupper() and not word.isupper() else other


def _overlap(one: str, other: str) -> bool:
    return bool(set(one.lower().split()) & set(other.lower().split()))


def _edit(text: str, match: re.Match[str], other: str, kind: str, target: Target) -> Edit:
    return _edit_span(text, match.start(), match.end(), other, kind, target)


def _edit_span(text: str, start: int, end: int, other: str, kind: str, target: Target) -> Edit:
    return Edit(text=text[:start] + other + text[end:], kind=kind, target=target, removed=text[start:end], added=other)
