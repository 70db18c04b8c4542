"""Samples out: what has become of one."""

from fastapi import APIRouter

from service import examples
from service.core.errors import SampleUnknownError
from service.core.sample_schemas import SampleAnswer
from service.core.store.samples import read_sample
from service.routes.problem import PROBLEM, READ_FAILURES
from service.routes.sample_view import view
from service.state import ReadDep, Sidecar, SidecarDep

router = APIRouter(tags=["scoring"])


@router.get(
    "/score/{sample_id:path}",
    responses=READ_FAILURES
    | {
        200: {"description": "The sample."} | examples.shown(examples.SAMPLE),
        404: PROBLEM | {"description": "No sample has this id."},
    },
)
def read_score(sidecar: SidecarDep, caller: ReadDep, sample_id: str) -> SampleAnswer:
    """A sample: its state, and its score, claims and evidence once it is scored."""
    if "\0" in sample_id:  # PostgreSQL takes no such text, not even to look for it
        raise SampleUnknownError
    sample = read_answer(sidecar, caller.tenant, sample_id)
    if sample is None:
        raise SampleUnknownError
    return sample


def read_answer(sidecar: Sidecar, tenant: str, sample_id: str) -> SampleAnswer | None:
    """The sample of that id as it is shown, or None."""
    with sidecar.database.read() as connection:
        stored = read_sample(connection, tenant, sample_id)
    return view(stored, sidecar.intake.policy.combination, sidecar.settings.operating_threshold) if stored else None
