"""What of a submission may be stored, by the terms of its tenant."""

import hashlib
import hmac

import pytest

from service.core.errors import PolicyInvalidError
from service.core.policy import parse_policy
from service.core.schemas import Submission
from service.core.tables import StoreText
from service.privacy import Guard, Protected
from tests.unit.service.support import body, parsed

KEY = b"k" * 32
MAIL = "anna@example.com"


def guard(table: str, key: bytes | None = None) -> Guard:
    return Guard(parse_policy(f"[privacy]\n{table}").privacy, key)


def submission(**fields: object) -> Submission:
    return parsed(body(**fields))


def protect(table: str, sent: Submission, key: bytes | None = None, tenant: str = "default") -> Protected:
    return guard(table, key).protect(sent, tenant)


def test_without_terms_nothing_is_touched() -> None:
    """The default policy stores the very object that came in, and makes no digest of texts."""
    sent = submission(response=MAIL)
    done = protect("", sent)
    assert done.submission is sent
    assert (done.store_text, done.redacted, done.text_digests) == (StoreText.FULL, None, None)


def test_every_text_is_redacted_alike() -> None:
    """Question, contexts, response, alternatives and values of tags; one value is one placeholder in all of them."""
    sent = submission(
        question=f"Is it {MAIL}?",
        contexts=[{"id": MAIL, "text": f"Write to {MAIL}."}, "bo@example.com"],
        response=f"It is {MAIL}.",
        samples=["No.", MAIL],
        tags={"from": MAIL},
        session_id=MAIL,
    )
    done = protect('redact = ["email"]', sent)
    assert done.redacted == {"email": 6}
    stored = done.sent
    assert (stored["question"], stored["response"]) == ("Is it [EMAIL_1]?", "It is [EMAIL_1].")
    assert [context["text"] for context in stored["contexts"]] == ["Write to [EMAIL_1].", "[EMAIL_2]"]
    assert (stored["samples"], stored["tags"]) == (["No.", "[EMAIL_1]"], {"from": "[EMAIL_1]"})
    assert (stored["contexts"][0]["id"], stored["session_id"]) == (MAIL, MAIL)  # identifiers stay


def test_what_was_not_sent_does_not_appear() -> None:
    """Redaction adds no field."""
    done = protect('redact = ["email"]', submission(response=MAIL))
    assert done.sent == {"response": "[EMAIL_1]"}


def test_a_tenant_has_its_own_terms() -> None:
    """One tenant's rules and mode touch no other's submissions."""
    table = '[privacy.tenants.a]\nredact = ["email"]\nstore_text = "none"'
    sent = submission(response=MAIL)
    assert protect(table, sent, tenant="a").redacted == {"email": 1}
    assert protect(table, sent, tenant="a").store_text is StoreText.NONE
    assert protect(table, sent, tenant="b").submission is sent


def test_digests_need_a_key() -> None:
    """`hash` without a key is refused, with how to make one: a plain digest of a short text is soon guessed."""
    with pytest.raises(PolicyInvalidError) as caught:
        guard('store_text = "hash"')
    assert "openssl rand -hex 32" in caught.value.next_step
    with pytest.raises(PolicyInvalidError):
        guard('[privacy.tenants.a]\nstore_text = "hash"')


def test_a_digest_is_the_hmac_of_the_text_as_sent() -> None:
    """Whoever has key and text finds it again, also where the stored text was redacted."""
    sent = submission(question="Q", contexts=["C", "D"], response=MAIL, samples=["S"])
    done = protect('store_text = "hash"\nredact = ["email"]', sent, KEY)

    def digest(text: str) -> str:
        return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()

    assert done.text_digests == {
        "question": digest("Q"),
        "contexts": [digest("C"), digest("D")],
        "response": digest(MAIL),
        "samples": [digest("S")],
    }


class TestBodyDigest:
    def test_same_body_same_digest(self) -> None:
        """Under every mode the same body has the same digest, and another body another."""
        for table, key in (("", None), ("", KEY), ('redact = ["email"]', None), ('redact = ["email"]', KEY)):
            made = guard(table, key)
            first, again, other = (
                made.protect(submission(response=text), "default").body_digest for text in ("a", "a", "b")
            )
            assert first == again != other

    def test_with_a_key_rules_do_not_matter(self) -> None:
        """A retry after a change of the rules is still the same submission."""
        sent = submission(response=MAIL)
        assert protect("", sent, KEY).body_digest == protect('redact = ["email"]', sent, KEY).body_digest

    def test_without_a_key_it_tells_nothing_of_what_was_redacted(self) -> None:
        """Two bodies that differ in a redacted value alone have one digest: the value cannot be tried out."""
        digests = {
            protect('redact = ["email"]', submission(response=mail)).body_digest for mail in (MAIL, "bo@example.com")
        }
        assert len(digests) == 1

    def test_it_fits_its_column(self) -> None:
        """64 characters, and the first says whether a key made it."""
        sent = submission()
        assert [len(protect("", sent, key).body_digest) for key in (None, KEY)] == [64, 64]
        assert protect("", sent, KEY).body_digest[0] == "k"
