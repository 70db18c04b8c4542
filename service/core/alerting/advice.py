"""What to do about a notice: it depends on the event and on what is watched. Pure."""

import re

from service.core.alerting.machine import Event
from service.core.alerting.notice import Notice
from service.core.alerting.rule import OF_PROBES, Metric
from service.core.alerting.wording import one_unit

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}")  # what a shell takes as it is: people paste commands
_SPLITS = ("release", "prompt_version", "model", "route")  # what most often explains a change first

_ON_PROBES = {
    Metric.PROBE_ACCURACY: (
        "Find the worker: its log event `probes_scored` names the items that its scorer gets wrong.",
        "Compare what runs there with what was right before: `assay_model_info`, the model's files, the machine.",
        "Restart or stop it. What it scored since its last right round is as wrong, and so are rates of that time.",
    ),
    Metric.PROBE_VARIANCE: (
        "Find the worker that differs: compare the log event `probes_scored` of all of them.",
        "Restart it: its weights, memory or device may be damaged.",
    ),
}


def advice(notice: Notice) -> tuple[str, ...]:
    """Sentences, the first thing to do first; empty where there is nothing to do."""
    match notice.event:
        case Event.RESOLVED:
            return ()
        case Event.NO_DATA:
            return _on_silence(notice)
        case Event.FIRING | Event.STILL_FIRING:
            return _on_firing(notice)


def _on_silence(notice: Notice) -> tuple[str, ...]:
    if notice.metric is Metric.QUEUE_AGE:
        return ("Look whether the database answers: `assay doctor`.",)
    if notice.metric in OF_PROBES:
        return (
            "See whether workers score the probes: `assay doctor`; `ASSAY_PROBE_INTERVAL_S` must not be 0.",
            "See whether a scorer fails on them: the log events `probes_scored` and `probes_failed` of the workers.",
        )
    return (
        "Look whether the application still sends: its own traffic, and `POST /score` in the sidecar's metrics.",
        f"See what came: {_command(notice)}.",
        "See whether samples are scored: `assay doctor`.",
    )


def _on_firing(notice: Notice) -> tuple[str, ...]:
    match notice.metric:
        case Metric.QUEUE_AGE:
            return (
                "Add workers: start `assay worker` on more machines.",
                "See whether the workers that there are get on: `assay doctor`.",
            )
        case Metric.UNSCORED_SHARE:
            return ("Find out why samples fail: `assay doctor`, and the reasons in the workers' log.",)
        case Metric.SLOW_SHARE:
            return ("Find out which part is slow: `retrieval_ms` and `ttft_ms` of the samples, and your traces.",)
        case Metric.HALLUCINATION_RATE:
            return (*_on_rate(notice), "Label more samples of the window: the fewer labels, the wider the interval.")
        case Metric.PROBE_ACCURACY | Metric.PROBE_VARIANCE:
            return _ON_PROBES[notice.metric]
        case Metric.FLAGGED_RATE | Metric.CLAIM_RATE:
            return _on_rate(notice)


def _on_rate(notice: Notice) -> tuple[str, ...]:
    look = ("Look at the examples: read each claim beside its contexts.",) if notice.examples else ()
    split = next((name for name in _SPLITS if name not in notice.group), None)
    if split is None:
        return (*look, f"See the rate beside its bounds: {_command(notice)}.")
    return (*look, f"Compare {split.replace('_', ' ')}s: {_command(notice, split)}.")


def _command(notice: Notice, split: str | None = None) -> str:
    """The command that shows the rates behind the notice; groups that a shell would not take as they are stay out."""
    words = ["assay rate", *([f"--group-by {split}"] if split else []), f"--window {one_unit(notice.window)}"]
    if _PLAIN.fullmatch(notice.tenant):
        words.append(f"--tenant {notice.tenant}")
    words += [f"--match {name}={value}" for name, value in notice.group.items() if _PLAIN.fullmatch(value)]
    matched = [(name, value) for name, values in notice.match.items() for value in values]
    words += [f"--match {name}={value}" for name, value in matched if _PLAIN.fullmatch(value)]
    if notice.metric is Metric.CLAIM_RATE:
        words.append("--unit claim")
    return f"`{' '.join(words)}`"
