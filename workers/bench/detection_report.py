"""The section of `docs/accuracy.md` on how well the pipeline tells supported responses from others."""

from collections.abc import Iterable

from service.core.intervals import wilson
from workers.bench.detection_results import Detected, DetectionResult, Interval, Share
from workers.bench.markdown import section, table

RELIABILITY = "reliability.svg"
_AIMS = {
    "summedits, mean": ("balanced accuracy", 0.56),
    "attributionbench": ("balanced accuracy", 0.70),
    "wice_pages": ("balanced accuracy", 0.67),
    "mnli": ("three-class accuracy", 0.78),
}


def detection_section(result: DetectionResult) -> str:
    """The whole section."""
    each = "all rows" if result.rows_each is None else f"at most {result.rows_each:,} rows of each set, drawn by a seed"
    text = (
        f"Labelled rows of {len(result.sets)} sets of development data, {each}, through the whole pipeline with the bundled "
        "int8 model. A row is bad when its response is not supported by its context; high scores are bad. AUC is the area "
        "under the ROC curve; BA is balanced accuracy at the ONE balanced threshold (for the others in the tables: at the "
        "one threshold that is best for them on the same rows). Thresholds were chosen on one half of the documents of some "
        "of these sets; of those only the other half is here. In brackets: 95% intervals from "
        "1,000 draws of whole documents, or Wilson's for shares. The mean's interval says how exactly these sets are known, "
        f"not what another set would show. Model `{result.model[:12]}`, strict {result.strict:.3f} for one claim."
    )
    return section("Detection", result.machine, text, "\n".join(_tables(result)))


def _tables(result: DetectionResult) -> Iterable[str]:
    ours, *others = result.detectors
    rows = {each.name: each for each in result.sets}
    yield "**The pipeline**, set by set:\n"
    yield table(
        ("set", "rows (documents)", "supported", "AUC", "BA", "sensitivity", "specificity", "without a score"),
        [
            [
                name,
                f"{rows[name].rows:,} ({rows[name].documents:,})" + (", reporting half" if rows[name].chose else ""),
                f"{rows[name].supported / rows[name].rows:.0%}",
                _points(found.auc),
                _points(found.balanced_accuracy),
                f"{found.sensitivity:.0%}",
                f"{found.specificity:.0%}",
                ", ".join(f"{count} {reason}" for reason, count in rows[name].left_out.items()),
            ]
            for name, found in ours.sets.items()
        ]
        + [["mean", "", "", _points(ours.mean.auc), _points(ours.mean.balanced_accuracy), *_shares(ours.mean), ""]],
    )
    yield "**Beside it**, AUC / BA on the same rows:\n"
    yield table(
        ("set", ours.name, *(other.name for other in others)),
        [
            [
                name,
                *(
                    f"{one.sets[name].auc.value:.3f} / {one.sets[name].balanced_accuracy.value:.3f}"
                    for one in result.detectors
                ),
            ]
            for name in ours.sets
        ]
        + [
            [
                "mean",
                *(f"{one.mean.auc.value:.3f} / {one.mean.balanced_accuracy.value:.3f}" for one in result.detectors),
            ]
        ],
    )
    if result.domains:
        yield "**By domain**, balanced accuracy of the pipeline at the same one threshold:\n"
        yield table(("domain", "BA"), [[name, _points(found)] for name, found in result.domains.items()])
    if result.pairwise:
        yield "**In pairs** that differ in what makes one of them unsupported, the worse one scores higher (ties left out):\n"
        yield table(("set", "in the right order"), [[name, _of(share)] for name, share in result.pairwise.items()])
    if result.classes:
        yield "**Three classes**, each pair read as one:\n"
        yield table(("set", "right"), [[name, _of(share)] for name, share in result.classes.items()])
    yield "**Aims:**\n"
    yield table(("aim", "measured", ""), list(_aims(result)))
    yield (
        "**At strict**, by the number of claims that were checked; all sets together. The threshold rises with the claims by "
        f"{result.rise:.2f} of its logit for each e-fold ([why](decisions/0018-thresholds-rise-with-claims.md)):\n"
    )
    yield table(
        ("claims", "supported and not flagged", "the same, if it did not rise", "not supported and flagged"),
        [[size.claims, _of(size.passed), _of(size.passed_flat), _of(size.caught)] for size in result.sizes],
    )
    yield (
        "**The score as a probability** that a response is not supported, each set weighing the same: expected calibration "
        f"error {result.reliability.error:.3f} over all sets. Within single sets it is larger, since how many responses of a "
        "set are supported is not the model's to know: "
        + ", ".join(f"{name} {error:.2f}" for name, error in result.reliability.sets.items())
        + f".\n\n![Reliability: share not supported by score](accuracy/{RELIABILITY})\n"
    )
    if result.float32 is not None:
        beside = result.float32
        yield (
            f"**int8 beside float32**, {beside.responses:,} responses: both flag or neither does "
            f"{_of(Share(part=beside.balanced, whole=beside.responses))} at balanced, "
            f"{_of(Share(part=beside.strict, whole=beside.responses))} at strict. Mean AUC is {_change(beside.auc_change)} and "
            f"mean BA {_change(beside.balanced_accuracy_change)} points different in int8 (aim: within 0.5).\n"
        )


def _aims(result: DetectionResult) -> Iterable[list[str]]:
    ours = result.detectors[0]
    for name, (what, aim) in _AIMS.items():
        if name in result.domains and what == "balanced accuracy":
            value = result.domains[name].value
        elif name in result.classes and what == "three-class accuracy":
            value = result.classes[name].part / result.classes[name].whole
        elif name in ours.sets and what == "balanced accuracy":
            value = ours.sets[name].balanced_accuracy.value
        else:
            continue
        yield [f"{name}, {what} {aim:.0%}", f"{value:.1%}", "reached" if value >= aim else "missed"]


def _points(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _shares(found: Detected) -> tuple[str, str]:
    return f"{found.sensitivity:.0%}", f"{found.specificity:.0%}"


def _of(share: Share) -> str:
    if not share.whole:
        return "none"
    low, high = wilson(share.part / share.whole, share.whole, 0.95)
    return f"{share.part / share.whole:.1%} ({share.part:,} of {share.whole:,}; {low:.1%} to {high:.1%})"


def _change(value: float) -> str:
    rounded = round(100 * value, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"
