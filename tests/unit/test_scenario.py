"""Scenarios: which behaviour a sample gets, and which files are refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import StartRefusedError
from workers.judge.scenario import Behaviour, Scenario, draw, read_scenario, scenario_of

SAMPLES = [f"What is number {number}?\nIt is {number * 7}." for number in range(2_000)]
SHARES = {"hang": 0.05, "server_error": 0.10, "garbage": 0.05}


def drawn(scenario: Scenario) -> list[Behaviour]:
    return [scenario.behaviour(text, request=at, before=0) for at, text in enumerate(SAMPLES)]


@given(st.integers(), st.lists(st.text(st.characters())))
def test_a_draw_is_a_share(seed: int, parts: list[str]) -> None:
    """Each draw lies in [0, 1) and is the same again, whatever the text, half a surrogate pair too."""
    assert 0 <= draw(seed, *parts) < 1
    assert draw(seed, *parts) == draw(seed, *parts)


def test_a_draw_knows_where_its_parts_end() -> None:
    """Text that moves from one part to the next makes another draw."""
    assert draw(1, "ab", "c") != draw(1, "a", "bc")


def test_a_draw_does_not_change_between_versions() -> None:
    """A seed that was written down draws the same samples for ever."""
    assert draw(7, "behaviour", "What is it?\nIt is blue.") == pytest.approx(0.39295625, abs=1e-8)


@pytest.mark.parametrize("seed", [0, 7, 2026])
def test_shares_are_kept(seed: int) -> None:
    """Of 2,000 samples each behaviour gets its share, within four standard deviations, and the rest is answered well."""
    behaviours = drawn(Scenario(seed=seed, shares=SHARES))  # type: ignore[arg-type] - names are read as behaviours
    expected = {Behaviour(name): share for name, share in SHARES.items()} | {Behaviour.WELL: 0.8}
    assert set(behaviours) == set(expected)
    for behaviour, share in expected.items():
        deviation = (share * (1 - share) / len(SAMPLES)) ** 0.5
        assert behaviours.count(behaviour) / len(SAMPLES) == pytest.approx(share, abs=4 * deviation)


def test_a_sample_fares_alike_whenever_it_comes() -> None:
    """A retry under another number, after others, gets what the first request got; another seed draws others."""
    scenario = scenario_of({"seed": 7, "shares": SHARES})
    again = [scenario.behaviour(text, request=9_000 - at, before=3) for at, text in enumerate(SAMPLES)]
    assert again == drawn(scenario)
    assert drawn(scenario_of({"seed": 8, "shares": SHARES})) != again


def test_per_request_draws_by_number() -> None:
    """The same text fares differently from request to request, by the shares."""
    scenario = scenario_of({"per_request": True, "shares": {"garbage": 0.5}})
    behaviours = [scenario.behaviour("the same", request=number, before=0) for number in range(400)]
    assert 140 < behaviours.count(Behaviour.GARBAGE) < 260


def test_the_first_rule_that_fits_counts() -> None:
    """Rules go before shares, in their order."""
    rules = [{"contains": "blue", "behaviour": "never"}, {"contains": "is", "behaviour": "fail"}]
    scenario = scenario_of({"shares": {"garbage": 1.0}, "rule": rules})
    told = [scenario.behaviour(text, request=1, before=0) for text in ("It is blue.", "It is red.", "Red.")]
    assert told == [Behaviour.HANG, Behaviour.SERVER_ERROR, Behaviour.GARBAGE]


def test_a_sample_recovers() -> None:
    """After so many requests it is answered well."""
    scenario = scenario_of({"recovers_after": 2, "shares": {"server_error": 1.0}})
    told = [scenario.behaviour("It is.", request=1, before=before) for before in range(4)]
    assert told == [Behaviour.SERVER_ERROR] * 2 + [Behaviour.WELL] * 2


def test_the_file_of_the_docstring_is_valid(tmp_path: Path) -> None:
    """What the module shows as an example is read."""
    document = (scenario_of.__globals__["__doc__"]).split("optional:\n")[1].split("The draw:")[0]
    file = tmp_path / "scenario.toml"
    file.write_text("\n".join(line.strip() for line in document.splitlines()), encoding="utf-8")
    scenario = read_scenario(file)
    assert (scenario.seed, scenario.shares[Behaviour.HANG], scenario.rule[0].contains) == (7, 0.05, "Eiffel")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"shares": {"hang": 0.6, "garbage": 0.6}}, "shares are 1.2 together, which is more than 1"),
        ({"shares": {"hang": 0.1, "well": 0.5}}, "leave out `well`"),
        ({"shares": {"explode": 0.1}}, "shares.explode"),
        ({"rule": [{"contains": "", "behaviour": "hang"}]}, "rule.0.contains"),
        ({"slow": 1}, "slow"),
    ],
)
def test_what_is_not_right_is_named(told: dict[str, Any], expected: str) -> None:
    """A scenario that is not valid is refused, and the first field that is wrong is named."""
    with pytest.raises(StartRefusedError) as refused:
        scenario_of(told)
    assert expected in refused.value.detail


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """So is one that is not there."""
    file = tmp_path / "scenario.toml"
    with pytest.raises(StartRefusedError, match="cannot be read"):
        read_scenario(file)
    file.write_text("shares = {", encoding="utf-8")
    with pytest.raises(StartRefusedError, match="cannot be read"):
        read_scenario(file)
