"""Probes: how many known answers live workers' scorers get right, by scorer; the worst worker counts."""

from collections import defaultdict
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from service.collectors.rates import FINGERPRINT_CHARS
from service.collectors.source import Found, Gauges, Source
from service.core.golden.item import set_digest
from service.core.golden.probes import WITHIN, ProbeRound, floor_accuracy, probes_on, repeat_variances, worst_accuracy
from service.core.golden.sets import GoldenSet
from service.core.store.probes import live_rounds, newest_round, read_rounds

FRESH_S = 20.0  # rounds come every few minutes


def probe_sources(probes: GoldenSet | None) -> tuple[Source, ...]:
    """`probes`: the set whose floors are told; None: none are known."""
    return (Source(name="probes", read=partial(_read, probes), fresh_s=FRESH_S),)


def _read(probes: GoldenSet | None, connection: Connection, now: datetime) -> Found:
    """Three statements. What is unknown is absent."""
    gauges = Gauges()
    newest = newest_round(connection)
    if newest is not None:
        gauges.set("assay_probe_age_seconds", max(0.0, (now - newest.at).total_seconds()))
    by_scorer: dict[str, list[ProbeRound]] = defaultdict(list)
    for made in live_rounds(connection, now):
        by_scorer[made.fingerprint].append(made)
    variances = repeat_variances(read_rounds(connection, now - WITHIN))
    for fingerprint, rounds in by_scorer.items():
        label = {"fingerprint": fingerprint[:FINGERPRINT_CHARS]}
        gauges.set("assay_probe_accuracy", worst_accuracy(rounds), **label)
        gauges.set("assay_probe_unknown_items", max(made.unknown for made in rounds), **label)
        gauges.set("assay_probe_repeat_variance", variances.get(fingerprint), **label)
        gauges.set("assay_probe_floor", _floor(probes, rounds, now), **label)
    return Found(gauges=gauges)


def _floor(probes: GoldenSet | None, rounds: list[ProbeRound], now: datetime) -> float | None:
    """Of a scorer whose workers have the same probes as this sidecar."""
    floor = probes.floors.get(rounds[0].fingerprint) if probes else None
    if probes is None or floor is None:
        return None
    items = probes_on(probes, now.date())
    same = set_digest(items)
    return floor_accuracy(items, floor) if all(made.set_digest == same for made in rounds) else None
