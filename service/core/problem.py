"""An error as RFC 9457 shows it, over HTTP and in a file."""

from service.core.errors import AssayError
from service.core.schemas import ProblemAnswer


def problem_answer(error: AssayError, status: int, sample_id: str | None = None) -> ProblemAnswer:
    """What went wrong, where, and what to do next."""
    return ProblemAnswer(
        type=f"urn:assay:problem:{error.code}",
        title=(type(error).__doc__ or "").strip(),
        status=status,
        code=error.code,
        detail=error.detail,
        field=error.field,
        next_step=error.next_step,
        id=sample_id,
    )
