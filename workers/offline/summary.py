"""The summary of a run, as text. Its numbers say what they are shares of."""

from collections.abc import Iterator

from models.calibrate import BALANCED
from service.core.tables import State
from service.core.visible import visible
from workers.offline.agreement import POSITIVE, Figure, balanced_accuracy, roc_auc
from workers.offline.run import Result
from workers.offline.tally import CONFIDENCE, ERROR, Tally

MAX_NAME_CHARS = 40
WIDTH = 18


def summary(result: Result, *, fingerprint: str, seconds: float) -> str:
    """Several lines: what became of the rows, the flagged rate, and who scored."""
    tally = result.tally
    lines = [("rows", f"{tally.rows:,}"), *_statuses(tally), *_flagged(tally)]
    if tally.thresholds is not None:
        low, high = (f"{threshold:.4g}" for threshold in tally.thresholds)
        rises = f"{low}; 1 is bad" if low == high else f"{low} to {high}, more for more claims; 1 is bad"
        lines.append(("threshold", rises))
    lines.append(("fingerprint", fingerprint))
    lines += _agreement(tally)
    if result.unseen:
        names = ", ".join(visible(name, MAX_NAME_CHARS) for name in result.unseen)
        lines.append(("NOT FOUND", f"no row has the field that was named: {names}"))
    if result.ignored:
        names = ", ".join(visible(name, MAX_NAME_CHARS) for name in result.ignored)
        lines.append(("ignored", f"fields that no submission has: {names}"))
    lines.append(("speed", _speed(tally.rows - result.kept, result.kept, seconds)))
    return "\n".join(f"{name:<{WIDTH}}{text}" for name, text in lines)


def _statuses(tally: Tally) -> Iterator[tuple[str, str]]:
    for status in (State.SCORED, State.NOT_APPLICABLE, State.UNSCORED, ERROR):
        reasons = sorted((reason, n) for (of, reason), n in tally.reasons.items() if of == status)
        why = ", ".join(f"{reason} {n:,}" for reason, n in reasons)
        name = "errors" if status == ERROR else status.replace("_", " ")
        yield f"  {name}", f"{tally.statuses[status]:,}" + (f"  ({why})" if why else "")


def _flagged(tally: Tally) -> Iterator[tuple[str, str]]:
    found, scored = tally.estimate(), tally.statuses[State.SCORED]
    if found.rate is None or found.low is None or found.high is None:
        yield "flagged", "unknown: no row of this file was scored"
        return
    share = f"{found.rate:.1%} of the rows of this file that could be checked ({tally.flagged:,} of {scored:,})"
    yield "flagged", share
    covers = "for the process behind them, if these rows are an independent sample of it"
    yield f"  {CONFIDENCE:.0%} interval", f"{found.low:.1%} to {found.high:.1%}, {covers}"


def _agreement(tally: Tally) -> Iterator[tuple[str, str]]:
    held = tally.labelled
    if held is None:
        return
    bad = sum(held.positive)
    left_out = f"; {tally.without_label:,} scored rows without a usable label left out" if tally.without_label else ""
    yield "labels", f"n {len(held.scores):,} scored rows, {bad:,} of them {POSITIVE} (the positive class){left_out}"
    yield "  ROC AUC", _figure(roc_auc(held.scores, held.positive))
    halved = [score >= BALANCED for score in held.scores]
    yield "  balanced acc.", f"{_figure(balanced_accuracy(halved, held.positive))} at score {BALANCED}"
    if tally.thresholds not in {None, (BALANCED, BALANCED)}:
        yield "  balanced acc.", f"{_figure(balanced_accuracy(held.flagged, held.positive))} at the threshold in force"


def _figure(found: Figure | None) -> str:
    if found is None:
        return "unknown: it needs rows of both classes"
    if found.low is None or found.high is None:
        return f"{found.value:.3f}  (interval unknown)"
    return f"{found.value:.3f}  ({CONFIDENCE:.0%} interval {found.low:.3f} to {found.high:.3f})"


def _speed(rows: int, kept: int, seconds: float) -> str:
    earlier = f"; {kept:,} rows were scored by an earlier run" if kept else ""
    return f"{rows:,} rows in {seconds:,.1f} s, {rows / max(seconds, 1e-9):,.1f} rows/s{earlier}"
