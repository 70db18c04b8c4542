"""Privacy at intake: what of a chosen submission is stored, by the terms of its tenant."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from service.core.config import Settings
from service.core.policy import Policy
from service.core.privacy import Privacy, Terms
from service.core.schemas import Submission
from service.core.store.removal import KEYED
from service.core.tables import StoreText
from service.redaction import Redactor

DECISION = {"sampling"}  # how a client chose it is no part of what it sent
DIGEST_CHARS = 64  # width of the column


@dataclass(frozen=True, kw_only=True, slots=True)
class Protected:
    """A submission as it may be stored."""

    submission: Submission
    sent: dict[str, Any]  # the same as JSON, without what was not given
    body_digest: str
    store_text: StoreText
    redacted: dict[str, int] | None  # places replaced by each rule; None where no rule was applied
    text_digests: dict[str, Any] | None


class Guard:
    """One policy's privacy, ready for use: rules compiled, the key at hand."""

    def __init__(self, privacy: Privacy, digest_key: bytes | None) -> None:
        """Raises PolicyInvalidError if texts are to be stored as digests and there is no key."""
        privacy.require_key(given=digest_key is not None)
        self._privacy = privacy
        self._key = digest_key
        self._default = privacy.of("")
        self._redactors: dict[tuple[str, ...], Redactor] = {}
        for tenant in ("", *privacy.tenants):
            names = privacy.of(tenant).redact
            if names:
                self._redactors[names] = Redactor(names, privacy.patterns)

    def protect(self, submission: Submission, tenant: str) -> Protected:
        """Replaces what the tenant's rules find, and makes the digests. Costs nothing where the policy asks nothing."""
        terms = self._privacy.of(tenant) if tenant in self._privacy.tenants else self._default
        stored, redacted = self._redact(submission, terms)
        sent = stored.model_dump(mode="json", exclude_unset=True, exclude=DECISION)
        whole = sent
        if self._key is not None and stored is not submission:
            # With a key the digest may be of the text as sent: it stays the same when the rules change.
            whole = submission.model_dump(mode="json", exclude_unset=True, exclude=DECISION)
        return Protected(
            submission=stored,
            sent=sent,
            body_digest=self._body_digest(whole),
            store_text=terms.store_text,
            redacted=redacted,
            text_digests=self._text_digests(submission) if terms.store_text is StoreText.HASH else None,
        )

    def _redact(self, submission: Submission, terms: Terms) -> tuple[Submission, dict[str, int] | None]:
        redactor = self._redactors.get(terms.redact)
        if redactor is None:
            return submission, None
        texts = (
            submission.question or "",
            submission.response,
            *(context.text for context in submission.contexts),
            *submission.samples,
            *submission.tags.values(),
        )
        done = redactor.redact(texts)
        if done.texts == texts:
            return submission, done.counts
        question, response, *rest = done.texts
        given = iter(rest)
        # In the order in which they went in.
        contexts = tuple(c.model_copy(update={"text": next(given)}) for c in submission.contexts)
        samples = tuple(next(given) for _ in submission.samples)
        tags = {name: next(given) for name in submission.tags}
        new = {"question": question, "response": response, "contexts": contexts, "samples": samples, "tags": tags}
        update = {name: value for name, value in new.items() if getattr(submission, name)}
        return submission.model_copy(update=update), done.counts

    def _body_digest(self, sent: dict[str, Any]) -> str:
        canonical = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if self._key is None:
            return hashlib.sha256(canonical).hexdigest()
        return (KEYED + hmac.new(self._key, canonical, hashlib.sha256).hexdigest())[:DIGEST_CHARS]

    def _text_digests(self, submission: Submission) -> dict[str, Any]:
        return {
            "question": None if submission.question is None else self._text_digest(submission.question),
            "contexts": [self._text_digest(context.text) for context in submission.contexts],
            "response": self._text_digest(submission.response),
            "samples": [self._text_digest(text) for text in submission.samples],
        }

    def _text_digest(self, text: str) -> str:
        """HMAC-SHA256 of the text as sent, so that who holds key and text can find it again."""
        return hmac.new(self._key or b"", text.encode(), hashlib.sha256).hexdigest()


def make_guard(policy: Policy, settings: Settings) -> Guard:
    """The guard of a policy under these settings. Raises PolicyInvalidError."""
    key = settings.digest_key
    return Guard(policy.privacy, key.get_secret_value().encode() if key else None)
