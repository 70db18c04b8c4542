"""A worker of several processes: when there are several, what differs between them, and their one beat file."""

import os
import time
from pathlib import Path

import pytest

from models.backends.cores import CoreGroup, core_groups, physical_cores
from service.core.config import Settings
from workers.groups import Beats, beat_part, group_environment, groups_of
from workers.up import cores_for_each

GROUP = CoreGroup(threads=4, processors=frozenset(range(8)))
CORES = len(physical_cores())


def test_all_cores_unless_someone_chose() -> None:
    """Without a number of threads a worker takes every core, in groups; with one it is one process."""
    assert groups_of(Settings(worker_group_cores=1)) == core_groups(1)
    assert len(groups_of(Settings(worker_group_cores=1))) == CORES
    assert groups_of(Settings(worker_group_cores=1, threads=2)) == ()


def test_another_model_stays_in_one_process() -> None:
    """It may be on a GPU, and large: nobody asked to have it there eight times."""
    assert groups_of(Settings(worker_group_cores=1, nli_model="name/of-a-model")) == ()


def test_each_group_has_its_own() -> None:
    """Threads, port and beat file of each are told apart; what is not set, and a port that is free or none, stays."""
    settings = Settings(worker_metrics_port=9100, beat_file=Path("/run/beat"))
    assert group_environment(settings, 2, GROUP) == {
        "ASSAY_THREADS": "4",
        "ASSAY_WORKER_METRICS_PORT": "9102",
        "ASSAY_BEAT_FILE": "/run/beat.2",
    }
    for port in (0, -1):
        assert group_environment(Settings(worker_metrics_port=port), 2, GROUP) == {"ASSAY_THREADS": "4"}


@pytest.mark.parametrize(("workers", "threads"), [(1, 0), (1, 3), (4, 3)])
def test_up_divides_nothing_that_was_chosen(workers: int, threads: int) -> None:
    """A single worker takes all cores by itself, and a number of threads that was set is kept."""
    assert cores_for_each(Settings(threads=threads), workers) == {}


def test_up_divides_the_cores() -> None:
    """Several workers of one `assay up` share the cores, with at least one thread each."""
    assert cores_for_each(Settings(), 2) == {"ASSAY_THREADS": str(max(1, CORES // 2))}
    assert cores_for_each(Settings(), 10_000) == {"ASSAY_THREADS": "1"}


def test_the_beat_is_that_of_the_slowest(tmp_path: Path) -> None:
    """One group that stalls makes the file old, however lively the others are."""
    file = tmp_path / "beat"
    beats = Beats(file, 3)
    for index, age_s in enumerate((0, 300, 20)):
        beat_part(file, index).touch()
        os.utime(beat_part(file, index), (time.time() - age_s,) * 2)
    beats.show()
    assert time.time() - file.stat().st_mtime == pytest.approx(300, abs=5)
    beat_part(file, 1).touch()
    beats.show()
    assert time.time() - file.stat().st_mtime == pytest.approx(20, abs=5)


def test_there_is_no_beat_before_all_have_begun(tmp_path: Path) -> None:
    """A group that is not there yet is no progress, and files of a run before it are none of this one."""
    file = tmp_path / "beat"
    beats = Beats(file, 2)
    for index in range(2):
        beat_part(file, index).touch()
    beats.clear()
    beat_part(file, 0).touch()
    beats.show()
    assert not file.exists()
    beat_part(file, 1).touch()
    beats.show()
    assert file.exists()


def test_a_beat_that_cannot_be_written_stops_no_work(tmp_path: Path) -> None:
    """It is told once, and the health check fails."""
    file = tmp_path / "beat"
    beat_part(file, 0).touch()
    file.symlink_to(tmp_path / "nowhere" / "beat")
    Beats(file, 1).show()
    assert not file.exists()
