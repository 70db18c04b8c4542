"""Notices in words and as JSON: complete, short, never more certain than what was measured, and steering nothing."""

import json
from datetime import timedelta
from typing import Any

import pytest

from service.core.alerting.machine import Event, Reading
from service.core.alerting.message import lines, payload, summary
from service.core.alerting.notice import Example, Worst
from service.core.alerting.rule import Metric
from service.core.alerting.wording import one_unit, quantity, span
from tests.unit.service.alerting.notices import READING, T0, notice

NOTHING = Reading()
AGE: dict[str, Any] = {"metric": Metric.QUEUE_AGE, "group": {}, "above": 600.0, "by_bound": False, "worst": ()}
PROBES: dict[str, Any] = {**AGE, "metric": Metric.PROBE_ACCURACY, "above": None, "below": 0.8}
VARIANCE: dict[str, Any] = {**AGE, "metric": Metric.PROBE_VARIANCE, "above": 0.000001}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            (
                "FIRING error: summariser-rate: flagged rate above 5% for route=search: "
                "8.1% (99.9% interval 6.2% to 10.4%, n=412)"
            ),
        ),
        (
            {"event": Event.STILL_FIRING, "reading": NOTHING, "group": {}},
            "STILL FIRING error: summariser-rate: flagged rate above 5%: unknown",
        ),
        (
            {"event": Event.NO_DATA, "reading": NOTHING},
            (
                "NO DATA error: summariser-rate: flagged rate for route=search: "
                "unknown, there is nothing to judge in the last 1h"
            ),
        ),
        (
            {"event": Event.RESOLVED, "above": None, "below": 0.001, "group": {"route": ""}},
            (
                "RESOLVED error: summariser-rate: flagged rate no longer below 0.1% for route without a value: "
                "8.1% (99.9% interval 6.2% to 10.4%, n=412)"
            ),
        ),
        (
            {"match": {"release": ("v2", "v3"), "model": ("",)}, "group": {}},
            (
                "FIRING error: summariser-rate: flagged rate above 5% for release=v2 or v3, model without a value: "
                "8.1% (99.9% interval 6.2% to 10.4%, n=412)"
            ),
        ),
        (
            {"event": Event.RESOLVED, "reason": "rule_removed", "group": {}, "reading": NOTHING},
            "RESOLVED error: summariser-rate: flagged rate above 5%: ended, the rule was removed",
        ),
        (
            {**AGE, "reading": Reading(value=7_384.2)},
            "FIRING error: summariser-rate: queue age above 10m: 2h 3m",
        ),
        (
            {**PROBES, "reading": Reading(value=0.475)},
            "FIRING error: summariser-rate: probe accuracy below 80%: 47.5%",
        ),
        (
            {**VARIANCE, "reading": Reading(value=0.00123)},
            "FIRING error: summariser-rate: probe variance above 1e-06: 0.0012",
        ),
    ],
)
def test_summary(changes: dict[str, Any], words: str) -> None:
    """One line says event, rule, limit, group, and what is known; what is not known is said to be unknown."""
    assert summary(notice(**changes)) == words


def test_a_long_group_is_cut_before_the_value() -> None:
    """Whatever callers send, the line has 250 characters at most and ends with what was measured."""
    told = summary(notice(group={"route": "r" * 200, "release": "\x1b" * 200, "model": "m" * 200}))
    assert (len(told), told.endswith("…: 8.1% (99.9% interval 6.2% to 10.4%, n=412)")) == (250, True)


@pytest.mark.parametrize(
    "hostile", ["a\nb", "a\r\nSubject: x", "\x1b[31m", "a\u202eb", "a\u2066b", "\u2028", "\ud800", "\x00"]
)
def test_values_of_callers_steer_nothing(hostile: str) -> None:
    """No line is broken, no colour changed, no direction turned, in whatever form; and all of it can be encoded."""
    told = notice(
        group={"route": hostile},
        tenant=hostile,
        worst=(Worst(dimension="release", value=hostile, reading=READING),),
        examples=(Example(sample_id=hostile, claim=0, verdict="unsupported", path="/score/" + hostile),),
    )
    written = [summary(told), *lines(told, None), *lines(told, "https://assay.example.com")]
    document = payload(told, "https://assay.example.com")
    written += [json.dumps(document, ensure_ascii=False)]
    for text in written:
        text.encode()
        assert hostile not in text
        assert not set(text) & set("\n\r\x00\x1b\u202e\u2066\u2028")


def test_values_are_cut_at_a_hundred_characters() -> None:
    """In the JSON as well: nobody's inbox is filled by a label."""
    assert len(payload(notice(group={"route": "r" * 150}), None)["group"]["route"]) == 100


def test_lines_with_links() -> None:
    """What a person needs to judge and to act, in this order."""
    told = notice(event=Event.STILL_FIRING, at=T0 + timedelta(minutes=125))
    assert lines(told, "https://assay.example.com/") == (
        "Tenant default, rule summariser-rate, severity error.",
        "Group: route=search.",
        "Since 2026-11-01 10:05 UTC. This notice at 2026-11-01 12:10 UTC, 2h 5m later.",
        "Flagged rate: 8.1%, 99.9% interval 6.2% to 10.4%.",
        "Bad is above 5%, by the interval's lower end.",
        "Effective n: 412. Coverage: 93.0% of what should have a score.",
        "Window: the 1h up to 2026-11-01 12:10 UTC.",
        "Worst groups:",
        "- release=v2: 8.1% (99.9% interval 6.2% to 10.4%, n=412)",
        "Examples (claims are counted from 0):",
        "- sample a/1, claim 2, contradicted: https://assay.example.com/score/a%2F1",
        "What to do:",
        "- Look at the examples: read each claim beside its contexts.",
        "- Compare releases: `assay rate --group-by release --window 1h --tenant default --match route=search`.",
    )


def test_what_opens_an_incident_has_one_time() -> None:
    """It is not said to be later than itself."""
    assert lines(notice(), None)[2] == "Since 2026-11-01 10:05 UTC."


def test_without_an_address_examples_name_the_request() -> None:
    """Where people reach the sidecar is not known: nothing is made up."""
    assert "- sample a/1, claim 2, contradicted: GET /score/a%2F1" in lines(notice(), None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": Metric.UNSCORED_SHARE}, "assay doctor"),
        (AGE, "assay worker"),
        ({"event": Event.NO_DATA}, "still sends"),
        ({"metric": Metric.HALLUCINATION_RATE}, "Label more"),
        ({"metric": Metric.CLAIM_RATE}, "--unit claim"),
        ({"group": {"release": "v2"}}, "--group-by prompt_version --window 1h --tenant default --match release=v2"),
    ],
)
def test_advice_fits_what_happened(changes: dict[str, Any], words: str) -> None:
    """What to do depends on what is watched."""
    told = lines(notice(**changes), None)
    assert words in " ".join(told[told.index("What to do:") :])


@pytest.mark.parametrize("value", ["a b", "$(reboot)", "`x`", "-x; y", "a'b", ""])
def test_commands_hold_nothing_that_a_shell_would_obey(value: str) -> None:
    """People paste what they are told to run: a group that needs quoting stays out of the command."""
    told = lines(notice(group={"route": value}), None)
    assert told[-1] == "- Compare releases: `assay rate --group-by release --window 1h --tenant default`."


def test_resolved_asks_for_nothing() -> None:
    """There is nothing to do."""
    assert "What to do:" not in lines(notice(event=Event.RESOLVED), None)


def test_payload() -> None:
    """Every documented field, by its name; receivers rely on them."""
    assert payload(notice(), "https://assay.example.com") == {
        "version": 1,
        "seq": 7,
        "incident": "default/summariser-rate/search/2026-11-01T10:05:00Z",
        "event": "firing",
        "at": "2026-11-01T10:05:00.000Z",
        "since": "2026-11-01T10:05:00.000Z",
        "reason": None,
        "summary": summary(notice()),
        "tenant": "default",
        "rule": "summariser-rate",
        "group": {"route": "search"},
        "match": {},
        "severity": "error",
        "metric": "flagged_rate",
        "above": 0.05,
        "below": None,
        "on": "bound",
        "confidence": 0.999,
        "slow_ms": None,
        "window_s": 3_600,
        "reading": {"value": 0.081, "low": 0.062, "high": 0.104, "effective_n": 412.4, "coverage": 0.93},
        "worst": [
            {
                "dimension": "release",
                "value": "v2",
                "reading": {"value": 0.081, "low": 0.062, "high": 0.104, "effective_n": 412.4, "coverage": 0.93},
            }
        ],
        "examples": [
            {
                "sample_id": "a/1",
                "claim": 2,
                "verdict": "contradicted",
                "path": "/score/a%2F1",
                "url": "https://assay.example.com/score/a%2F1",
            }
        ],
    }


def test_unknown_is_null_in_the_payload() -> None:
    """Never left out and never zero; what is no number is unknown too."""
    document = payload(notice(reading=Reading(value=float("nan"), high=float("inf")), group={"route": ""}), None)
    assert (document["reading"], document["group"], document["examples"][0]["url"]) == (
        dict.fromkeys(("value", "low", "high", "effective_n", "coverage")),
        {"route": None},
        None,
    )
    json.dumps(document, allow_nan=False)


def test_small_shares_are_not_told_as_zero() -> None:
    """Below one percent two digits count; nothing at all is 0.0%."""
    told = [quantity(Metric.FLAGGED_RATE, value) for value in (0.0004, 0.0, 1.0, 0.05, None)]
    assert told == ["0.04%", "0.0%", "100.0%", "5.0%", "unknown"]


def test_spans_of_time() -> None:
    """Two units for people; one for options, which the command takes."""
    told = [span(timedelta(seconds=seconds)) for seconds in (0, 59, 3_600, 90_061)]
    assert told == ["0s", "59s", "1h", "1d 1h"]
    options = [one_unit(timedelta(minutes=minutes)) for minutes in (1, 90, 1_440, 2_160, 10_080)]
    assert options == ["1m", "90m", "24h", "36h", "7d"]


@pytest.mark.parametrize("changes", [PROBES, VARIANCE])
@pytest.mark.parametrize("event", [Event.FIRING, Event.NO_DATA])
def test_probes_say_where_to_look(changes: dict[str, Any], event: Event) -> None:
    """The window and the log event that names the worker; no samples and no coverage, of which there are none."""
    told = "\n".join(lines(notice(**changes, event=event, reading=Reading(value=0.5)), None))
    assert "Window: the 1h" in told
    assert "`probes_scored`" in told
    assert "Effective n" not in told
