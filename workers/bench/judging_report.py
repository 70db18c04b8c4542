"""The document of what `assay bench judge` measured, written beside its JSON file."""

from workers.bench.judging_results import JudgingResult, JudgingStore
from workers.bench.markdown import row, section, table

LEAST_RATIO = "90%"
HEAD = """# Performance beside a judge

Written by `assay bench judge --json docs/performance/judge.json`. Do not edit: run it again, on a machine that does nothing
else.

"""


def judging_document(result: JudgingResult) -> str:
    """The whole document."""
    return HEAD + judging_section(result)


def judging_section(result: JudgingResult) -> str:
    """The whole section, with its heading."""
    text = (
        f"{result.samples:,} samples of the response mix at once, every one of them judged, beside a scripted endpoint that "
        f"hangs on {result.hang:.0%} of the samples, fails on {result.fail:.0%} and answers garbage on "
        f"{result.garbage:.0%}; {result.concurrency} calls at a time, {result.timeout_s:g} s for one, {result.attempts} "
        "attempts. Worker, judge worker, Redis and endpoint share the machine's cores. Rounds with and without a judge in "
        "the policy take turns; first scores a second are counted until the last sample has one."
    )
    return section("First scores beside a judge", result.machine, text, "\n".join(map(_store, result.stores)))


def _store(store: JudgingStore) -> str:
    figures = table(
        [store.store, "median", "spread", "aim"],
        [
            row("first scores a second, no judge", store.without, ""),
            row("first scores a second, beside the judge", store.beside, ""),
            row("of those without, round by round", store.ratio, LEAST_RATIO, as_share=True),
            row("until the last review had ended, s", store.judged_s, ""),
        ],
    )
    ended = "; ".join(
        f"{each.reviews:,} {each.state}{f' ({each.reason})' if each.reason else ''}" for each in store.ended
    )
    bill = store.bill
    return (
        f"{figures}\n{store.scores:,} samples, {store.pending} without an end, {store.scored_twice} scored twice, "
        f"{store.reviewed_twice} reviewed twice. Reviews: {ended}.\n\nThe bill: {bill.calls:,} calls booked, "
        f"{bill.requests:,} that the endpoint counted. Of those that were answered {bill.input_tokens:,} tokens in and "
        f"{bill.output_tokens:,} out, {bill.settled_cost:.6f} in money; the endpoint's own count is "
        f"{bill.billed_input_tokens:,} and {bill.billed_output_tokens:,}, {bill.billed_cost:.6f}. With the calls that were "
        f"lost on the way, at the most that they can have cost: {bill.at_most:.6f}.\n"
    )
