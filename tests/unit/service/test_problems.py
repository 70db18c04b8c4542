"""Problems: every error has a status, a code and a next step."""

import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from service.core import errors
from service.core.errors import AssayError
from service.routes.problem import MEDIA_TYPE, STATUS, problem, problem_response


def subclasses(parent: type[AssayError]) -> Iterator[type[AssayError]]:
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


# Commands have errors of their own, which no request meets.
SERVED = {error for error in subclasses(AssayError) if error.__module__ == errors.__name__}
ERRORS = sorted(SERVED, key=lambda error: error.__name__)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_status(error: type[AssayError]) -> None:
    """The one table from error to status knows every error, and calls each an error."""
    assert 400 <= STATUS[error] <= 599


def test_the_table_knows_errors_only() -> None:
    """Nothing stands in the table that is raised no more."""
    assert sorted(error.__name__ for error in STATUS) == [error.__name__ for error in ERRORS]


def test_codes_are_unique() -> None:
    """A code names one error: clients act on it."""
    counted = Counter(error.code for error in [AssayError, *ERRORS])
    assert [code for code, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("error", ERRORS)
def test_codes_are_plain_words(error: type[AssayError]) -> None:
    """A code is lower case with underscores."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_says_what_to_do(error: type[AssayError]) -> None:
    """Each error has a next step of its own; "report this as a bug" is for what is none of them."""
    assert error.next_step != AssayError.next_step
    assert error().next_step.endswith(".")


@pytest.mark.parametrize("error", ERRORS)
def test_docstring_is_the_default_detail(error: type[AssayError]) -> None:
    """Raised without words, an error says what its docstring says: one sentence."""
    detail = error().detail
    assert (detail, detail.endswith("."), "\n" in detail) == ((error.__doc__ or "").strip(), True, False)


@pytest.mark.parametrize("error", ERRORS)
def test_answer_is_a_problem_of_rfc_9457(error: type[AssayError]) -> None:
    """The answer has type, title, status and detail, and ours: code, field, next step."""
    response = problem_response(error("It went wrong.", field="f", next_step="Mend it."))
    assert response.media_type == MEDIA_TYPE == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": f"urn:assay:problem:{error.code}",
        "title": (error.__doc__ or "").strip(),
        "status": response.status_code,
        "code": error.code,
        "detail": "It went wrong.",
        "field": "f",
        "next_step": "Mend it.",
        "id": None,
    }


@pytest.mark.parametrize("error", [errors.OverloadedError, errors.StoreUnavailableError])
def test_passing_troubles_say_when_to_retry(error: type[AssayError]) -> None:
    """429 and 503 come with Retry-After."""
    assert int(problem_response(error()).headers["Retry-After"]) > 0


@pytest.mark.parametrize("error", [errors.KeyMissingError, errors.KeyUnknownError])
def test_401_names_the_scheme(error: type[AssayError]) -> None:
    """A 401 says how to authenticate."""
    assert problem_response(error()).headers["WWW-Authenticate"] == "Bearer"


def test_problem_carries_the_id_to_retry_with() -> None:
    """An id that the sidecar made is told, so that the retry is not a second submission."""
    assert problem(errors.StoreUnavailableError(), "made-id").id == "made-id"


def test_hierarchy_is_drawn_as_it_is() -> None:
    """The tree in the module's docstring has every error, beside its status."""
    drawn = {
        name: status
        for line in (errors.__doc__ or "").splitlines()
        for status in re.findall(r"(?:\d{3}|at start)$", line)
        for name in re.findall(r"\w+Error\b", line)
    }
    actual = {error.__name__: "at start" if STATUS[error] == 500 else str(STATUS[error]) for error in ERRORS}
    assert drawn == actual
