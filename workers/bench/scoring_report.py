"""The section on scoring of `docs/performance.md`, written from what `assay bench scoring` measured."""

from collections.abc import Iterable

from workers.bench.markdown import cells, rounded, row, section, table
from workers.bench.scoring_results import GpuResult, ResponseRate, RunTime, ScoringResult

PAIR_AIM, RESPONSE_AIM, INT8_AIM, GPU_AIM = 6, 25, 0.5, 50_000


def scoring_section(result: ScoringResult) -> str:
    """What `assay bench scoring` measured."""
    text = (
        f"The bundled int8 model on {result.threads} threads beside `sentence_transformers.CrossEncoder.predict` on the "
        "float32 checkpoint that it was made from, in batches of 32 and with the number of threads with which it was "
        f"fastest here, {result.reference_threads}. Both start from texts and end with probabilities."
    )
    parts = [
        *_pair_tables(result),
        *_response_tables(result.responses, result.accepted),
        _equality_text(result),
        *_stage_table(result),
        *_process_table(result.assay_process, result.reference_process),
        _gpu_text(result.gpu),
    ]
    return section("Scoring", result.machine, text, "\n".join(parts))


def _pair_tables(result: ScoringResult) -> Iterable[str]:
    rows = [
        [
            str(each.tokens),
            rounded(each.assay_per_s.median),
            rounded(each.reference_per_s.median),
            f"{each.ratio.median:.1f} x",
            f"{each.ratio.spread:.0%}",
            f"{each.int8_share.median:.0%}",
        ]
        for each in result.pairs
    ]
    yield f"Pairs a second (aims: {PAIR_AIM} x, {INT8_AIM:.0%}):\n"
    header = ("tokens of a pair", "Assay", "reference", "ratio", "spread", "of the machine's int8 matrix rate")
    yield table(header, rows)
    yield (
        "The int8 matrix rate is what the same runtime reaches with nothing but large square products, measured in the "
        "same rounds; the share is that of the multiplications which a pair asks for. In large products this machine does "
        f"{result.int8_over_float32.median:.1f} times as many of int8 as of float32 (spread "
        f"{result.int8_over_float32.spread:.0%}): that bounds the ratio, but for the seventh of the work that the engine's "
        "graph leaves out. Of twice as many rounds that half is kept in which the machine's int8 rate, right before and "
        "right after, was highest: others on the machine slow one call on several threads far more than batches on a "
        "thread each.\n"
    )


def _response_tables(rate: ResponseRate, accepted: float) -> Iterable[str]:
    yield (
        f"Whole responses: {rate.responses} with {rate.claims} claims in all, contexts of {rate.words_least:,} to "
        f"{rate.words_most:,} words (median {rate.words_median:,}), one in twenty made up; demo documents and filler. "
        f"They have {rate.pairs:,} pairs of a claim and a window, which the reference reads in one call. The engine "
        f"reads the {rate.pairs_about:,} with a window that is about the claim first, the most relevant at the front, and "
        f"settles a claim at the first that entails it with {accepted:.0%}; the others it reads only while nothing counts "
        f"for more than they may. {rate.pairs_needed:,} pairs, {rate.pairs_needed / rate.pairs:.0%}, decided; on labelled "
        "rows it is a larger share (docs/accuracy.md). A user of the library who cuts the contexts into passages of some "
        f"95 words that do not overlap reads {rate.pairs_plain:,} longer pairs, and gets other answers.\n"
    )
    rows = [
        row("Assay, responses/s", rate.assay_per_s, ""),
        row("Assay reading every pair, responses/s", rate.exhaustive_per_s, ""),
        row("reference, one call over every pair, responses/s", rate.reference_per_s, ""),
        [
            "Assay beside the reference, in the same round",
            f"{rate.ratio.median:.1f} x",
            f"{rate.ratio.spread:.0%}",
            f"{RESPONSE_AIM} x",
        ],
        row("reference, one call over passages of 95 words, responses/s", rate.plain_per_s, ""),
        ["Assay beside that", f"{rate.plain_ratio.median:.1f} x", f"{rate.plain_ratio.spread:.0%}", ""],
        row(
            "of Assay's time: sentences, tokens, windows and their order (one thread)",
            rate.planning_share,
            "",
            as_share=True,
        ),
    ]
    yield table(("what", "median", "spread", "aim"), rows)


def _equality_text(result: ScoringResult) -> str:
    same = result.equality
    return (
        f"Of {same.claims} claims, {same.verdicts} ({same.verdicts / same.claims:.1%}) have the verdict of the exhaustive "
        f"scan with the same model, {same.scores} ({same.scores / same.claims:.1%}) also its score and evidence to the "
        f"bit, and {same.float32_verdicts} ({same.float32_verdicts / same.claims:.1%}) the verdict of the float32 "
        "probabilities of every window.\n"
    )


def _stage_table(result: ScoringResult) -> Iterable[str]:
    names = list(dict.fromkeys(name for stage in result.stages for name in stage.shares))
    header = ["where a batch's time goes", *(f"{stage.rows} pairs of {stage.tokens} tokens" for stage in result.stages)]
    yield table(header, [[name, *(f"{stage.shares.get(name, 0):.1%}" for stage in result.stages)] for name in names])


def _process_table(assay: RunTime, reference: RunTime) -> Iterable[str]:
    rows = [
        ["start of the process to the first score, s", *cells(assay.first_score_s), *cells(reference.first_score_s)],
    ]
    if assay.peak_mb and reference.peak_mb:
        rows.append(["peak memory, MB", *cells(assay.peak_mb), *cells(reference.peak_mb)])
    yield table(("a process of its own", "Assay", "spread", "reference", "spread"), rows)


def _gpu_text(gpu: GpuResult | None) -> str:
    if gpu is None:
        return "No GPU was there to measure.\n"
    return (
        f"On one {gpu.device} in {gpu.dtype}: {rounded(gpu.pairs_per_s.median)} pairs/s of {gpu.tokens} tokens (aim on an "
        f"H200: {GPU_AIM:,}), {rounded(gpu.responses_per_s.median)} responses/s of the same mix.\n"
    )
