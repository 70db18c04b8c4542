"""A scripted endpoint's own account: what came, how it was answered, and what that cost.

`GET /counts` and the counts file hold it as a JSON object:

    requests           for completions, also those that were refused
    open               of them, not over yet: hanging, waiting, dripping
    most_at_once       the most that were ever open together
    by_behaviour       requests by what they were answered with; `invalid`: the body asked for nothing
    by_status          requests that are over, by the status that was sent; `none`: nothing was. Sums to requests - open
    answered           requests with a whole answer, status 200, that says what it used
    prompt_tokens      billed for those
    completion_tokens  likewise
    billed_untold      {requests, prompt_tokens, completion_tokens}: billed besides, and the client cannot know
    samples            different samples that requests were about
    samples_answered   of them, those with an answer among `answered`

A call that hangs, is refused or fails bills nothing; nor does one whose client has gone before its answer was ready.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from workers.judge.scripted_replies import Reply

KEPT = 10_000  # requests that are told of one by one


@dataclass(kw_only=True, slots=True)
class Entry:
    """One request, and what has become of it so far; no text of it is kept."""

    number: int  # from 1
    at_s: float  # seconds since the endpoint began
    header_names: list[str]
    authorization_sha256: str | None  # of the header's value
    body_bytes: int
    before: int = 0  # requests of the same sample that came before
    sample: str | None = None
    behaviour: str = "invalid"
    about: Mapping[str, Any] = field(default_factory=dict)
    status: int | None = None
    ended_s: float | None = None
    answered: bool = False
    prompt_tokens: int = 0  # billed
    completion_tokens: int = 0

    def told(self) -> dict[str, Any]:
        """As `GET /requests` tells it."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "about"}
        return {**plain, **self.about}


@dataclass(slots=True)
class _Bill:
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, entry: Entry) -> None:
        self.requests += 1
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens


class Account:
    """Counts; used by one thread."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._requests = self._open = self._most_at_once = 0
        self._by_behaviour: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._told, self._untold = _Bill(), _Bill()
        self._samples: Counter[str] = Counter()
        self._samples_answered: set[str] = set()

    def arrive(self, headers: Mapping[str, str], body_bytes: int, at_s: float) -> Entry:
        """A request came."""
        self._requests += 1
        self._open += 1
        self._most_at_once = max(self._most_at_once, self._open)
        key = headers.get("authorization")
        entry = Entry(
            number=self._requests,
            at_s=at_s,
            header_names=sorted(headers),
            authorization_sha256=None if key is None else sha256(key.encode("latin-1")).hexdigest(),
            body_bytes=body_bytes,
        )
        self._entries.append(entry)
        return entry

    def of_sample(self, entry: Entry, sample: str) -> None:
        """It is about this one."""
        entry.sample, entry.before = sample, self._samples[sample]
        self._samples[sample] += 1

    def behaves(self, entry: Entry, behaviour: str) -> None:
        """It is answered like this."""
        entry.behaviour = behaviour
        self._by_behaviour[behaviour] += 1

    def sent(self, entry: Entry, reply: Reply) -> None:
        """What it is answered with is on its way, all that will ever be."""
        entry.status = reply.status
        if reply.billed is None:
            return
        entry.prompt_tokens, entry.completion_tokens = reply.billed.prompt_tokens, reply.billed.completion_tokens
        (self._told if reply.told else self._untold).add(entry)
        entry.answered = reply.told
        if reply.told and entry.sample is not None:
            self._samples_answered.add(entry.sample)

    def leave(self, entry: Entry, at_s: float) -> None:
        """It is over."""
        self._open -= 1
        entry.ended_s = at_s
        self._by_status["none" if entry.status is None else str(entry.status)] += 1

    def counts(self) -> dict[str, Any]:
        """As the module says."""
        return {
            "requests": self._requests,
            "open": self._open,
            "most_at_once": self._most_at_once,
            "by_behaviour": dict(sorted(self._by_behaviour.items())),
            "by_status": dict(sorted(self._by_status.items())),
            "answered": self._told.requests,
            "prompt_tokens": self._told.prompt_tokens,
            "completion_tokens": self._told.completion_tokens,
            "billed_untold": {
                "requests": self._untold.requests,
                "prompt_tokens": self._untold.prompt_tokens,
                "completion_tokens": self._untold.completion_tokens,
            },
            "samples": len(self._samples),
            "samples_answered": len(self._samples_answered),
        }

    def last(self, count: int) -> list[dict[str, Any]]:
        """The latest requests, the oldest of them first."""
        return [entry.told() for entry in list(self._entries)[-count:]] if count > 0 else []
