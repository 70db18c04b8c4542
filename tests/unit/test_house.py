"""The house rules that a machine can check."""

import ast
import re
from pathlib import Path

import pytest

from service.app import ROUTERS
from service.core.config import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("service", "workers", "models", "client/assay_client")
    for path in (ROOT / folder).rglob("*.py")
)
ROUTES = sorted(
    f"{method} {re.sub(r':path}', '}', route.path)}"  # type: ignore[attr-defined]
    for router in ROUTERS
    for route in router.routes
    for method in route.methods  # type: ignore[attr-defined]
)
TABLE_OF_ROUTES = {
    f"{verb} {re.sub(r'{.*}', '{}', path)}" for verb, path in re.findall(r"`(GET|POST|PUT|DELETE) ([^`?]+)", README)
}

TESTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("tests", "client/tests")
    for path in (ROOT / folder).rglob("test_*.py")
)
MEASURED = re.compile(r"assert .*(?:\b(?:monotonic|perf_counter|process_time)\(\) - \w+|\btook_s|\belapsed) <")


def test_there_is_something_to_check() -> None:
    """A walk that finds nothing would pass every rule."""
    assert (len(MODULES) > 30, len(ROUTES) > 5) == (True, True)


@pytest.mark.parametrize("module", MODULES)
def test_module_is_short(module: str) -> None:
    """No module has more than 300 lines."""
    assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_readme_has_the_setting(name: str) -> None:
    """The README names every setting."""
    assert re.search(rf"\bASSAY_{name.upper()}\b", README)


def test_readme_has_no_setting_that_is_not() -> None:
    """The README names no setting that does not exist."""
    named = {name.lower() for name in re.findall(r"\bASSAY_([A-Z0-9_]+)\b", README)}
    assert named - set(Settings.model_fields) == set()


@pytest.mark.parametrize("route", ROUTES)
def test_readme_has_the_route(route: str) -> None:
    """The README names every route with its method."""
    assert re.sub(r"{.*}", "{}", route) in TABLE_OF_ROUTES


def test_readme_has_no_route_that_is_not() -> None:
    """The README names no route that does not exist."""
    assert TABLE_OF_ROUTES - {re.sub(r"{.*}", "{}", route) for route in ROUTES} == set()


def test_readme_is_finished() -> None:
    """No placeholder is left in the README."""
    assert re.findall(r"@@\w+@@", README) == []


@pytest.mark.parametrize("path", TESTS)
def test_what_measures_time_is_tried_again(path: str) -> None:
    """A test with an upper bound on measured time is marked `timed`: on a machine that stalls it would fail at random."""
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    if any("mark.timed" in ast.unparse(node) for node in module.body if isinstance(node, ast.Assign)):
        return
    tests = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))
    measuring = [node for node in tests if MEASURED.search(ast.unparse(node))]
    assert [node.name for node in measuring if "mark.timed" not in ast.unparse(node)] == []
