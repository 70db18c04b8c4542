"""Checks of the known-answer probes: workers score them, and get them right."""

from collections.abc import Iterator

from service.core.alerting.wording import span
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.golden.probes import LEAST_ACCURACY, floor_accuracy, probes_on, shipped_probes, worst_accuracy
from service.core.store.leases import seconds_left
from service.core.store.probes import live_rounds, newest_round
from workers.doctor.finding import Finding, ok, warn
from workers.ticker import LEASE_NAME


def check_probes(settings: Settings, database: Database) -> Iterator[Finding]:
    """Rounds come while a worker is alive, and what they say; silent where they are turned off or no worker is there."""
    now = utc_now()
    with database.read() as connection:
        left = seconds_left(connection, LEASE_NAME)
        newest = newest_round(connection)
        rounds = live_rounds(connection, now)
    if left is None or left <= 0 or not settings.probe_interval_s:
        return
    if newest is None:
        yield ok("probes", "no round yet; a worker's first comes seconds after its start")
        return
    age = span(now - newest.at)
    if not rounds:
        fix = "Set ASSAY_PROBE_INTERVAL_S of the workers above 0; look at their log events probes_not_read, probe_round_not_written."
        yield warn("probes", f"the last round over the known answers was {age} ago, though a worker is alive", fix)
        return
    floors = {made.fingerprint: _floor(made.fingerprint) for made in rounds}
    for fingerprint, floor in sorted(floors.items()):
        of_it = [made for made in rounds if made.fingerprint == fingerprint]
        worst = worst_accuracy(of_it)
        told = f"{len(of_it)} worker{'s' * (len(of_it) != 1)} of {fingerprint[:12]}"
        if worst is None:
            fix = "The workers' log event probes_failed says why; in another language than the probes' it is to be expected."
            yield warn("probes", f"none could be scored by {told}", fix)
        elif worst < floor:
            names = "; ".join(sorted(made.worker for made in of_it if made.accuracy == worst))
            fix = f"Stop {names}, and look at its log event probes_scored; what it scored since its last right round is as wrong."
            yield warn("probes", f"{worst:.1%} right at worst by {told}, below {floor:.1%}", fix)
        else:
            yield ok("probes", f"{worst:.1%} right at worst by {told}, {age} ago")


def _floor(fingerprint: str) -> float:
    probes = shipped_probes()
    floor = probes.floors.get(fingerprint) if probes else None
    if probes is None or floor is None:
        return LEAST_ACCURACY
    return floor_accuracy(probes_on(probes, utc_now().date()), floor) or LEAST_ACCURACY
