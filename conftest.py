"""Rules for the tests of all packages."""

import pytest

TRIES = 5  # of a test that measures time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A bound on time that holds in one try of several holds: other programs can only add to what is measured."""
    for item in items:
        if item.get_closest_marker("timed"):
            item.add_marker(pytest.mark.flaky(reruns=TRIES - 1, reruns_delay=2))
