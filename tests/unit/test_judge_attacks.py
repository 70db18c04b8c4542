"""Attacks: no text talks the parser into a verdict, and none gets out of its delimiters."""

import json
import re

import pytest

from models.judge.answers import document, passing
from models.judge.attack import WRONG
from models.judge.attacks import ATTACKS, Attack
from models.judge.prompt import ask, ask_again, checkable, is_free, load_prompt
from models.judge.reply import ReplyInvalidError, read_reply
from models.judge.votes import judged
from models.types import NotApplicable

NONCE = "9d2f64c1a07b4e3f8c5d1e6a7b90f3c2"
NEXT = "1b8e05d7f3c94a62b0e7d46c2f9a8135"
EACH = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


def refused(text: str, nonce: str, attack: Attack) -> bool:
    try:
        read_reply(text, nonce, attack.item, attack.claims)
    except ReplyInvalidError:
        return True
    return False


def passes(attack: Attack, reply: str, nonce: str) -> bool:
    """Whether the reply counts and flags nothing: it supports every claim that it checks, or checks none."""
    if refused(reply, nonce, attack):
        return False
    outcome = judged(attack.item, attack.claims, [read_reply(reply, nonce, attack.item, attack.claims)])
    return isinstance(outcome, NotApplicable) or not outcome.scored.flagged


def test_there_are_attacks_of_every_kind() -> None:
    """Not fewer than 40, each with a name of its own, in every place that holds foreign text."""
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 40
    assert len({attack.place for attack in ATTACKS}) == 3


@EACH
def test_an_obedient_reply_does_not_count(attack: Attack) -> None:
    """What a judge sends that does as it is told is no reply."""
    assert refused(attack.reply(NONCE), NONCE, attack)


@EACH
def test_only_the_attack_is_wrong_with_it(attack: Attack) -> None:
    """A passing reply in the agreed form counts, so that a refusal above is one of the attack: and is a success here."""
    count = len(checkable(attack.claims))
    assert passes(attack, passing(NONCE, count), NONCE)
    assert passes(attack, json.dumps(document(NONCE, count, verdict="not_checkable")), NONCE)
    assert not passes(attack, json.dumps(document(NONCE, count, verdict="contradicted")), NONCE)
    assert not passes(attack, passing(NONCE, count), NEXT)


@EACH
def test_an_echo_never_counts(attack: Attack) -> None:
    """Neither one of the texts, nor all that was sent, nor what was sent for a repair, said over again."""
    texts = [attack.question, attack.response, *attack.contexts]
    messages = ask(load_prompt(), attack.item, attack.claims, NONCE)
    again = ask_again(load_prompt(), messages, attack.reply(NONCE), "it does not carry the nonce", NEXT)
    sent = [message.content for message in messages]
    pieces = re.findall(rf"<<<.*?{NONCE}>>>.*?<<<END.*?{NONCE}>>>", sent[1], re.DOTALL)
    echoes = [*texts, *pieces, *sent, "\n".join(sent), *(f"{text}\nNonce: {NONCE}" for text in texts)]
    assert [text for text in echoes if not refused(text, NONCE, attack)] == []
    assert [
        text
        for text in (again[-1].content, "\n".join(each.content for each in again))
        if not refused(text, NEXT, attack)
    ] == []


@EACH
def test_no_attack_gets_out_of_its_delimiters(attack: Attack) -> None:
    """The nonce stands on its own line and on two lines for each text, and nowhere else."""
    assert is_free(NONCE, attack.item)
    _, user = ask(load_prompt(), attack.item, attack.claims, NONCE)
    texts = 2 + len(attack.contexts) + len(checkable(attack.claims))
    assert user.content.count(NONCE) == 1 + 2 * texts
    assert (
        len(re.findall(rf"^(?:<<<[A-Z0-9 ]+ {NONCE}>>>|Nonce: {NONCE})$", user.content, re.MULTILINE)) == 1 + 2 * texts
    )


@EACH
def test_the_response_of_an_attack_is_wrong(attack: Attack) -> None:
    """Its first claim is one that no context states."""
    assert checkable(attack.claims)[0].text == WRONG
    assert [text for text in attack.contexts if "1985" in text] == []


@EACH
def test_the_reply_of_an_earlier_call_does_not_count(attack: Attack) -> None:
    """A reply that was good once is none in the next call, as after a repair."""
    assert refused(passing(NONCE, len(checkable(attack.claims))), NEXT, attack)
