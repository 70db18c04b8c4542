"""The phrase book: words that are opposite, alike or of one kind, by which sentences are changed."""

from collections.abc import Mapping
from types import MappingProxyType


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


MONTHS = _words("January February March April May June July August September October November December")
DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
NUMERALS = _words("two three four five six seven eight nine ten eleven twelve")
AUXILIARIES = _words("is are was were can could will would has have had did does do should must")
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
STRONGER = MappingProxyType(
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
ADDITIONS = (
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
LEADS = (
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


OPPOSITE = _pairs(_OPPOSITES)
SYNONYM = _pairs(_ALIKE)
UNIT = MappingProxyType({unit: tuple(other for other in row if other != unit) for row in _UNITS for unit in row})

COMMON = frozenset(
    _words(
        "The A An It He She They We You This That These Those There In On At For From With By As When While After Before If "
        "Some Many Most All No One Two His Her Their Its Our People By Now Then Today Here To Of As Both Each Several During "
        "Since Although However Also Under Over Between Through Where Who What How Why And But Or So Not Only"
    )
)
