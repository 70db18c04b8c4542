"""Assertions for test suites: no worse than before, and faithful to its contexts. A state is never taken for a score."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

from assay_client.golden_run import NO_BASELINE, GoldenError, GoldenRun, Place, RefusedError, run
from assay_client.settings import DEFAULT_URL
from assay_client.submission import sendable
from assay_client.wire import sendable_key

__all__ = ["GoldenError", "assert_faithful", "assert_no_worse"]

OnCannotTell = Literal["fail", "skip", "pass"]
MOST_CASES = 20
WRONG = {"contradicted", "unsupported"}
NAMES = {
    "missed": ("hallucinated items", "missed"),
    "false_alarms": ("supported items", "flagged"),
    "made_up": ("questions", "flagged"),
}
VERDICTS = {"no_worse": "no worse", "worse": "worse", "cannot_tell": "cannot tell"}


class _Where:
    """Which Assay assertions ask; the pytest plugin puts its own here for a session."""

    def __init__(self) -> None:
        self.provide: Callable[[], Place] = place_of_environment


def place_of_environment() -> Place:
    """ASSAY_URL and ASSAY_API_KEY, else an Assay on this machine."""
    return Place(url=os.environ.get("ASSAY_URL") or DEFAULT_URL, api_key=sendable_key(os.environ.get("ASSAY_API_KEY")))


where = _Where()


def assert_no_worse(
    candidate: GoldenRun,
    *,
    baseline: str | None = None,
    baseline_release: str | None = None,
    margin: float | None = None,
    cannot_tell: OnCannotTell = "fail",
) -> None:
    """Fails where a run is worse than its baseline, or where nobody can tell.

    Args:
        candidate: what `golden.ask` or `golden.score` gave.
        baseline: the id of an earlier run (its `run_id`).
        baseline_release: instead, the release whose newest finished run over this set is the baseline.
        margin: points more that pass, above 0 to 100: 5 is five more of a hundred answers. Derived from the set's size if none is given.
        cannot_tell: what to do where the set is too small to say: fail, skip the test, or pass.

    Raises AssertionError with the figures and the cases that changed; GoldenError where there is no such baseline, or
    Assay is away; ValueError for arguments that make no sense.
    """
    __tracebackhide__ = True
    if (baseline is None) is (baseline_release is None):
        raise ValueError("Give baseline or baseline_release. A first run: golden.ask(..., run_id='2026.1').")
    if margin is not None and not 0 < margin <= 100:  # noqa: PLR2004 - all of a hundred
        raise ValueError("margin is in points, above 0 to 100: 5 is five more of a hundred answers.")
    if cannot_tell not in {"fail", "skip", "pass"}:
        raise ValueError("cannot_tell is fail, skip or pass.")
    if baseline in {NO_BASELINE, candidate.id}:
        raise ValueError(f"{baseline!r} is no baseline: a run is held against an earlier one, never against itself.")
    name = baseline if baseline is not None else _newest(candidate, str(baseline_release))
    try:
        document = candidate.against(name, None if margin is None else margin / 100)
    except RefusedError as error:
        if error.status != 404:  # noqa: PLR2004 - not found
            raise
        raise GoldenError(
            f"There is no golden run {name!r} to be held against. Make one on the release that you trust: "
            f"golden.ask(..., run_id={name!r})."
        ) from None
    comparison = document["comparison"]
    verdict = comparison["verdict"]
    if verdict == "no_worse" or (verdict == "cannot_tell" and cannot_tell == "pass"):
        return
    told = "\n".join(_told(document, comparison))
    if verdict == "cannot_tell" and cannot_tell == "skip":
        import pytest  # noqa: PLC0415 - nobody else needs it

        pytest.skip(told)
    raise AssertionError(told)


def _newest(candidate: GoldenRun, release: str) -> str:
    runs = _pages(candidate, release)
    found = next((each["id"] for each in runs if each["id"] != candidate.id and each["state"] == "finished"), None)
    if found is None:
        raise GoldenError(
            f"There is no finished golden run of release {release!r} over {candidate.document['set_name']!r}. Make one: "
            f"golden.ask(..., release={release!r})."
        )
    return str(found)


def _pages(candidate: GoldenRun, release: str) -> Iterable[Mapping[str, Any]]:
    query = {"set": candidate.document["set_name"], "kind": candidate.document["kind"], "release": release}
    before = None
    while True:
        page = candidate.place.request(
            "GET", "/golden-runs?" + urlencode(query | ({} if before is None else {"before": before}))
        )
        yield from page["runs"]
        before = page["next_before"]
        if before is None:
            return


def _told(document: Mapping[str, Any], comparison: Mapping[str, Any]) -> Iterable[str]:
    """The verdict in lines."""
    yield f"Golden set {comparison['set_name']}: {VERDICTS[comparison['verdict']]}."
    for each in comparison["endpoints"]:
        yield _endpoint(each, comparison)
    yield from (f"  {note}" for note in comparison["notes"])
    left_out = {name: ids for name, ids in comparison["left_out"].items() if ids}
    if left_out:
        yield "  not covered: " + ", ".join(f"{len(ids)} {name.replace('_', ' ')}" for name, ids in left_out.items())
    worse = [each for each in comparison["flipped"] if each["worse"]]
    if worse:
        yield f"  {len(worse)} became worse" + (f", the first {MOST_CASES}:" if len(worse) > MOST_CASES else ":")
        yield from (f"    {_case(each, document)}" for each in worse[:MOST_CASES])
    yield f"  All of it: GET /golden-runs/{document['id']}?baseline={comparison['baseline_id']}"


def _endpoint(each: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    what, wrong = NAMES.get(each["name"], ("items", each["name"]))
    if not each["items"]:
        return f"  {what}: none, so nothing is said of them"
    found = each["difference"]
    value = "unknown" if found["value"] is None else f"{100 * found['value']:+.1f}"
    line = (
        f"  {each['items']} {what}: {_percent(each['baseline'])} {wrong} before, {_percent(each['candidate'])} now, {value} points "
        f"({100 * comparison['confidence']:.3g}% interval {100 * found['ci_low']:+.1f} to {100 * found['ci_high']:+.1f}, margin "
        f"{100 * comparison['margin']:.3g}): {VERDICTS[each['verdict']]}"
    )
    ways = [
        f"{each[name]:,} {what}"
        for name, what in (("items_needed", "items"), ("repeats_needed", "repeats"))
        if each[name]
    ]
    return line + (f"; {' or '.join(ways)} would decide" if ways else "")


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f}%"


def _case(each: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    _, wrong = NAMES.get(each["endpoint"], ("", "bad"))
    sentence = next(iter(_sentences(each["item"], document)), None)
    shown = f": {sentence!r}" if sentence else ""
    return f"{each['item']}: {wrong} in {_percent(each['baseline'])} of its answers before, {_percent(each['candidate'])} now{shown}"


def _sentences(name: str, document: Mapping[str, Any]) -> Iterable[str]:
    """Claims of an item's answers that are not supported, as they are stored."""
    items = document["record"]["items"]
    answers: Sequence[Mapping[str, Any]] = next((item["answers"] for item in items if item["item"]["id"] == name), [])
    for answer in answers:
        if answer["flagged"]:
            yield from (claim["text"] for claim in answer["claims"] if claim["verdict"] in WRONG and claim["text"])


def assert_faithful(
    response: str,
    contexts: Sequence[str] | str,
    *,
    question: str = "",
    refusal: Literal["pass", "fail"] = "fail",
    timeout: float = 60.0,
) -> None:
    """Fails unless an answer is scored and not flagged.

    Args:
        response: the answer.
        contexts: the passages that it must keep to; a text is one passage.
        question: what was asked.
        refusal: what to do with an answer that has nothing to check, such as a refusal.
        timeout: seconds until it must be scored.

    It is scored as a golden run of one item, so it is in no rate of your traffic. Raises AssertionError with each sentence
    that is not supported, or where the answer could not be scored: unknown is no pass. Raises GoldenError where Assay is away.
    """
    __tracebackhide__ = True
    passages = [contexts] if isinstance(contexts, str) else contexts
    item = {
        "id": "answer",
        "question": question,
        "contexts": [{"id": str(number), "text": text} for number, text in enumerate(passages)],
    }
    sent = {
        "set": "assert_faithful",
        "items": [item],
        "target": "application",
        "name": "assert_faithful",
        "answers": [{"item": "answer", "responses": [response]}],
    }
    found = run(where.provide(), sendable(sent), time.monotonic() + timeout)
    answer = found.document["record"]["items"][0]["answers"][0]
    state, reason = answer["state"], answer["reason"]
    if state == "scored":
        if answer["flagged"]:
            raise AssertionError("\n".join(_unfaithful(answer)))
        return
    if state == "not_applicable":
        if refusal == "pass":
            return
        raise AssertionError(f"There is nothing to check in the response ({reason}). If that is right: refusal='pass'.")
    raise AssertionError(f"The response could not be scored ({state}, {reason}): whether it is faithful is unknown.")


def _unfaithful(answer: Mapping[str, Any]) -> Iterable[str]:
    yield f"The response is not backed by its contexts: score {answer['score']:.2f}, flagged from {answer['threshold']:.2f} on."
    for claim in answer["claims"]:
        if claim["verdict"] in WRONG:
            evidence = claim["evidence"]
            closest = f"; closest, in context {evidence['context_id']}: {evidence['text']!r}" if evidence else ""
            yield f"  {claim['verdict']}, score {claim['score']:.2f}: {claim['text']!r}{closest}"
