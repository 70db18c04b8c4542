"""Redaction leaves answers checkable: what the context supports is supported still, and what it does not is not."""

import pytest

from models.fake import FakeScorer
from models.types import Context, Item, Scored
from service.core.privacy import ShippedRule
from service.redaction import Redactor

CONTEXT = "Refunds are handled by anna@example.com. Call +49 30 1234567 about kettles. Pay to DE89370400440532013000."
REDACTOR = Redactor(list(ShippedRule), [])


def score(context: str, response: str) -> float:
    item = Item(response=response, contexts=(Context(id="0", text=context),))
    (outcome,) = FakeScorer().score([item], lambda: None)
    assert isinstance(outcome, Scored)
    return outcome.score


@pytest.mark.parametrize(
    ("response", "supported"),
    [
        ("Refunds are handled by Anna@example.com.", True),
        ("Call 0049 30 1234567 about kettles.", True),
        ("Pay to DE89 3704 0044 0532 0130 00.", True),
        ("Refunds are handled by bo@example.com.", False),
        ("Call 0049 30 7654321 about kettles.", False),
    ],
)
def test_a_quoted_value_is_supported_still(response: str, supported: bool) -> None:  # noqa: FBT001 - a case
    """The same value is the same placeholder on both sides, another value another; score 0 is wholly supported."""
    assert (score(*REDACTOR.redact([CONTEXT, response]).texts) == 0) is supported
