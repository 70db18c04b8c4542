"""The runtime of a run's scorer: what scores of one model may differ by, as processors and libraries round. Pure."""

from collections.abc import Mapping

Runtime = Mapping[str, str]
SEVERAL = " | "  # between what differs from worker to worker
_UNTOLD = "untold"
_OF_THE_MODEL = frozenset(
    {"model", "revision", "role_marks"}
)  # what a fingerprint has; another model is no other runtime


def runtime_of(attributes: Mapping[str, str]) -> dict[str, str]:
    """Of a scorer by its attributes: backend, its version, the device and what can be used of it."""
    return {name: value for name, value in attributes.items() if name not in _OF_THE_MODEL}


def joined(first: Runtime, second: Runtime) -> dict[str, str]:
    """Of two scorers that share a run: each attribute with the values of both, whatever the order in which they came."""
    return {
        name: SEVERAL.join(
            sorted({value for each in (first, second) for value in each.get(name, _UNTOLD).split(SEVERAL)})
        )
        for name in sorted({*first, *second})
    }


def is_moved(before: Runtime | None, now: Runtime | None) -> bool:
    """Whether an unchanged scorer may have rounded differently: two runtimes of one backend that are known and not one.

    Where several workers shared a run, chance decided which of them read an item. Another backend is another scorer.
    """
    if before is None or now is None or before.get("backend") != now.get("backend"):
        return False
    return before != now or any(SEVERAL in value for value in now.values())
