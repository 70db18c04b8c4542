"""The phrase: wordings that state nothing about the world (courtesies) and wordings that decline to answer (refusals).

English only, and deliberately narrow: a sentence wrongly taken for a courtesy is never checked, while one wrongly
taken for a claim is at worst flagged and seen.
"""

import re

# Typography that the model need not read: emphasis, code marks, citations such as [2].
_MARKUP = re.compile(r"\*{1,3}|_{2,3}|`+|\[\d{1,3}(?:,\s*\d{1,3})*\]")

# Words that say nothing of what a sentence is about.
FUNCTION_WORDS = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "s",
        "same",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "t",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)

_FLAGS = re.IGNORECASE | re.DOTALL

_SOURCE = (
    r"(?:context|contexts|documents?|passages?|text|information|sources?|articles?|(?:search )?results|excerpts?|"
    r"materials?|knowledge base|data|references?|transcript|conversation|dialogue|snippets?)"
)
_TELLS = (
    r"(?:mention|contain|provide|include|say|state|specify|have|give|address|discuss|answer|cover|indicate|describe|"
    r"list|offer|tell|explain|reveal|disclose|detail|note|clarify)"
)
_TOLD = (
    r"(?:mentioned|provided|specified|stated|available|included|given|found|contained|addressed|discussed|covered|"
    r"indicated|described|listed|disclosed|detailed|clear)"
)
_NOT = r"(?:do(?:es)? not|did not|don['’]t|doesn['’]t|didn['’]t|cannot|can['’]t|fails? to|never)"
_INFORMATION = r"(?:information|mention|data|details?|evidence|answer|indication|reference)"

_COURTESY = re.compile(
    r"(?:hello|hi|hey|greetings|dear|good (?:morning|afternoon|evening|day))(?:[\s,]+[\w'’]+){0,3}\W*\Z"
    r"|(?:thanks|thank you)\b\D{0,80}\Z"
    r"|you['’]?(?:re| are) (?:very |most )?welcome\W*\Z"
    r"|(?:i )?hope (?:this|that|it)\b.{0,40}\b(?:helps?|helpful|clarif\w+|answers?|useful|finds you)\b"
    r"|(?:please |and |so |just )?(?:let me know|feel free|don['’]t hesitate|do not hesitate)\b"
    r"|(?:sure|certainly|of course|absolutely|definitely|great|good|excellent|okay|ok|got it|no problem|understood|"
    r"happy to help|glad to help|my pleasure|goodbye|bye|cheers|regards|sincerely)"
    r"(?: (?:thing|question|regards))?\W*\Z"
    r"|(?:best|kind|warm) (?:regards|wishes)\b.{0,40}\Z"
    r"|if you (?:have|need|would like|['’]?d like|want)\b.{0,40}\b(?:questions?|help|assistance|information|details)\b"
    r"|i['’]?(?: a)?m (?:here|happy|glad) to (?:help|assist)\b.{0,60}\Z"
    r"|(?:great|good|excellent) question\W*\Z"
    r"|here(?:['’]s| is| are)\b[^.]{0,80}:\W*\Z"
    r"|have a (?:great|good|nice|wonderful)\b.{0,30}\Z",
    _FLAGS,
)

_APOLOGY = re.compile(
    r"(?:(?:i['’]?(?: a)?m |we['’]?(?: a)?re )?(?:very |so |really )?(?:sorry|afraid)|unfortunately|apologies|"
    r"(?:i|we) apologi[sz]e(?: for .{0,40}?)?|regrettably)(?:\s*,?\s*(?:but|that)\b)?[\s,.]*",
    _FLAGS,
)

_REFUSAL = re.compile(
    # "I cannot answer ...", "I don't have information ..."
    r"(?:(?:as an? |based on |according to |from |given |with )[^,]{0,80},\s*)?(?:i|we)\s?"
    r"(?:do not|don['’]t|cannot|can['’]t|can not|could not|couldn['’]t|won['’]t|['’]?(?: a)?m (?:not able|unable) to|"
    r"are (?:not able|unable) to|was unable to|were unable to)\s+"
    r"(?:currently |really |actually )?"
    r"(?:have (?:any |enough |sufficient |access|the |that |specific |information|details)|find|answer|determine|provide|"
    r"help|assist|know|see|access|say|tell|locate|confirm|verify|comment|give|respond|comply|share|discuss)\b"
    # "The context does not mention ...", "The passage contains no information ..."
    rf"|(?:(?:based on|according to|in|from) [^,]{{0,60}},\s*)?(?:the|this|these|your|that|provided|given)?\s*"
    rf"(?:[\w-]+\s){{0,3}}{_SOURCE}\s(?:\w+\s){{0,4}}?"
    rf"(?:{_NOT}\s(?:\w+ly\s)?{_TELLS}\b|(?:is|are) (?:not sufficient|insufficient|silent)|lacks?\b|"
    rf"(?:has|have|contains?|provides?|gives?|includes?|makes?|offers?) no\b)"
    # "There is no information about ...", "No information is available ..."
    rf"|(?:(?:based on|according to|in|from) [^,]{{0,60}},\s*)?there(?:['’]s| is| are| was) (?:no|not enough|insufficient) "
    rf"(?:\w+ )?{_INFORMATION}\b"
    rf"|(?:no|not enough|insufficient) (?:\w+ )?{_INFORMATION}\b"
    # "This is not mentioned in the context."
    rf"|(?:this|that|it|such|the (?:\w+ )?(?:{_INFORMATION})|.{{0,80}})\s?\b(?:is|are|was|were) not "
    rf"(?:\w+ly )?{_TOLD} (?:in|by|from) (?:the|this|these|your|any)\b[^.]{{0,40}}\b{_SOURCE}\b"
    rf"|(?:this|that|it|(?:the|this|that|such) (?:\w+ )?{_INFORMATION}) (?:is|was) not (?:\w+ly )?{_TOLD}\W*\Z"
    r"|(?:unanswerable|not (?:mentioned|specified|stated|available|provided)|n/a|none provided|no answer|unknown)\W*\Z"
    r"|(?:it|this|the question) (?:cannot|can['’]t|could not) be (?:answered|determined|inferred|verified)\b",
    _FLAGS,
)

# What may follow "but" without stating anything: an offer, not a fact.
_OFFER = re.compile(
    r"(?:i(?:['’]d| would| can| could| will|['’]ll| am happy|['’]m happy)|you (?:can|may|could|might)|please|feel free|"
    r"if you|let me)\b",
    _FLAGS,
)
_TURN = re.compile(r"[,;]?\s(?:but|however|although|though|that said|yet)\b[\s,]*", _FLAGS)


def is_courtesy(sentence: str) -> bool:
    """Whether the sentence only greets, thanks, offers or closes."""
    return _COURTESY.match(sentence) is not None


def is_refusal(sentence: str) -> bool:
    """Whether the sentence declines to answer and states nothing beside that.

    "I don't know, but it is Lyon" is not a refusal: what follows the turn is a statement.
    """
    apology = _APOLOGY.match(sentence)
    rest = sentence[apology.end() :] if apology else sentence
    refusal = _REFUSAL.match(rest)
    if refusal is None:
        return apology is not None and not any(character.isalnum() for character in rest)
    turn = _TURN.search(rest, refusal.end())
    if turn is None:
        return True
    after = rest[turn.end() :]
    return _OFFER.match(after) is not None or _REFUSAL.match(after) is not None


def plain(text: str) -> str:
    """The claim's words as the model reads them: emphasis, code marks and citation numbers become spaces."""
    return _MARKUP.sub(" ", text)
