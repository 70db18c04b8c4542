"""Two runs over one set, item by item: what counts, what is left out, and what is said of it."""

import pytest
from pydantic import ValidationError

from service.core.errors import GoldenRunsDifferError
from service.core.golden.compare import bad, compare, endpoint_of, endpoint_sizes
from service.core.golden.comparison_schemas import ComparisonAnswer, Endpoint, EndpointAnswer
from service.core.golden.gate import Verdict
from service.core.golden.power import APPLICATION_FLAKES, MOVED_FLAKES, SCORER_FLAKES, default_margin
from service.core.golden.record import ItemRecord, RunRecord, TargetKind
from tests.unit.service.golden.runs import ANSWERS, Marked, item, many, run

APPLICATION, SCORER = TargetKind.APPLICATION, TargetKind.SCORER
NO, YES, OPEN = Verdict.NO_WORSE, Verdict.WORSE, Verdict.CANNOT_TELL
OK = {"hallucinated": False}


def of_app(baseline: str, candidate: str, **changes: str | None) -> ComparisonAnswer:
    """Of an application, an item for each mark."""
    return compare(run(*many(baseline), id="old"), run(*many(candidate), id="new", **changes))


def of_scorer(before: list[Marked], now: list[Marked], margin: float | None = None) -> ComparisonAnswer:
    return compare(run(*before, kind=SCORER), run(*now, kind=SCORER), margin=margin)


def only(answer: ComparisonAnswer) -> EndpointAnswer:
    (endpoint,) = answer.endpoints
    return endpoint


# --- what counts as bad


@pytest.mark.parametrize(
    ("mark", "missed", "false_alarm", "made_up"),
    [
        ("-", False, True, True),
        ("+", True, False, False),
        ("0", True, False, False),
        ("?", None, None, None),
        ("!", None, None, None),
        (".", None, None, None),
    ],
)
def test_what_is_bad(mark: str, missed: bool | None, false_alarm: bool | None, made_up: bool | None) -> None:  # noqa: FBT001
    """A scorer is bad where it flags what is supported or lets pass what is not; an application where it is flagged.

    What states nothing passes; what failed, could not be scored or is pending is unknown.
    """
    endpoints = (Endpoint.MISSED, Endpoint.FALSE_ALARMS, Endpoint.MADE_UP)
    assert [bad(endpoint, ANSWERS[mark]) for endpoint in endpoints] == [missed, false_alarm, made_up]


@pytest.mark.parametrize(
    ("label", "of_scorer"), [(True, Endpoint.MISSED), (False, Endpoint.FALSE_ALARMS), (None, None)]
)
def test_endpoint(label: bool | None, of_scorer: Endpoint | None) -> None:  # noqa: FBT001
    """A label decides what an item of a scorer counts for; of an application all items are one endpoint."""
    assert endpoint_of(SCORER, item(hallucinated=label)) is of_scorer
    assert endpoint_of(APPLICATION, item(hallucinated=label)) is Endpoint.MADE_UP


def test_sizes() -> None:
    """Sizes stand in the order of the endpoints; items without a label are of no use for a scorer."""
    items = [item("a"), item("b"), item("c", **OK), item("d", hallucinated=None)]
    assert endpoint_sizes(SCORER, items) == [2, 1]
    assert endpoint_sizes(APPLICATION, items) == [4]


# --- verdicts


@pytest.mark.parametrize(
    ("baseline", "candidate", "verdict"),
    [
        ("+" * 100, "+" * 100, NO),
        ("-" * 10 + "+" * 90, "-" * 10 + "+" * 90, NO),
        ("+" * 100, "-" * 40 + "+" * 60, YES),
        ("-" * 40 + "+" * 60, "+" * 100, NO),
        ("+" * 100, "-" * 10 + "+" * 90, OPEN),
        ("+" * 10, "+" * 10, OPEN),
    ],
)
def test_verdict_of_an_application(baseline: str, candidate: str, verdict: Verdict) -> None:
    """Unchanged or better is no worse, much worse is worse, little or few cannot tell."""
    found = of_app(baseline, candidate)
    assert (found.verdict, only(found).verdict) == (verdict, verdict)
    assert (only(found).items_needed is None) == (verdict is not OPEN)


def test_what_an_endpoint_says() -> None:
    """Rates of both runs, their difference with its interval, and how many more items would decide."""
    found = only(of_app("-" * 5 + "+" * 95, "-" * 15 + "+" * 85))
    assert (found.name, found.items, found.unknown) == (Endpoint.MADE_UP, 100, 0)
    assert (found.baseline, found.candidate, found.difference.value) == (0.05, 0.15, 0.1)
    assert found.difference.ci_low < 0.1 < found.difference.ci_high
    assert (found.items_needed or 0) > 100


def test_any_endpoint_of_a_scorer_makes_it_worse() -> None:
    """More false alarms are worse though nothing more is missed; each endpoint is over its own items."""
    before = [*many("-" * 100, "h"), *many("+" * 100, "ok", **OK)]
    now = [*many("-" * 100, "h"), *many("-" * 40 + "+" * 60, "ok", **OK)]
    found = of_scorer(before, now)
    assert [(each.name, each.items, each.candidate, each.verdict) for each in found.endpoints] == [
        (Endpoint.MISSED, 100, 0.0, NO),
        (Endpoint.FALSE_ALARMS, 100, 0.4, YES),
    ]
    assert found.verdict is YES
    assert of_scorer(before, before).verdict is NO


def test_a_scorer_that_misses_more_is_worse() -> None:
    """What it no longer flags among hallucinated items is missed, also where it finds nothing to check."""
    before = [*many("-" * 100, "h"), *many("+" * 100, "ok", **OK)]
    now = [*many("+" * 20 + "0" * 20 + "-" * 60, "h"), *many("+" * 100, "ok", **OK)]
    found = of_scorer(before, now)
    assert (found.verdict, found.endpoints[0].candidate) == (YES, 0.4)


def test_confidence_is_shared_by_endpoints() -> None:
    """Two endpoints have 95% intervals, one has 90%: so that a verdict errs with at most alpha either way."""
    both = of_scorer(
        [*many("-" * 9, "h"), *many("+" * 9, "ok", **OK)], [*many("-" * 9, "h"), *many("+" * 9, "ok", **OK)]
    )
    assert (both.confidence, both.alpha) == (pytest.approx(0.95), 0.05)
    assert of_app("+", "+").confidence == pytest.approx(0.9)


def test_margin() -> None:
    """One that is given is used as it is; else it is the default of so many items and of the fewer repeats."""
    baseline, candidate = run(*many(["+++"] * 100)), run(*many(["++"] * 100))
    for derived in (compare(baseline, candidate), compare(candidate, baseline)):
        assert (derived.margin, derived.margin_given) == (default_margin([100], 2, APPLICATION_FLAKES), False)
    for margin, verdict in ((0.0, OPEN), (0.02, OPEN), (0.04, NO)):
        given = compare(baseline, candidate, margin=margin)
        assert (given.margin, given.margin_given, given.verdict) == (margin, True, verdict)
    scorer = [*many("-" * 100, "h"), *many("+" * 50, "ok", **OK)]
    assert of_scorer(scorer, scorer).margin == default_margin([100, 50], 1, SCORER_FLAKES)


def test_another_processor() -> None:
    """It turns flags close to a scorer's threshold: the margin allows for it, and a note says so; unknown ones do not."""
    scorer = [*many("-" * 100, "h"), *many("+" * 100, "ok", **OK)]
    here, there = {"device": "a"}, {"device": "b"}
    for before, now, flakes in (
        (here, here, SCORER_FLAKES),
        (here, there, MOVED_FLAKES),
        (None, there, SCORER_FLAKES),
        (here, None, SCORER_FLAKES),
    ):
        found = compare(run(*scorer, kind=SCORER, runtime=before), run(*scorer, kind=SCORER, runtime=now))
        assert found.margin == default_margin([100, 100], 1, flakes)
        assert any("kind of processor" in note for note in found.notes) is (flakes == MOVED_FLAKES)
    app = compare(run(*many("+" * 100), runtime=here), run(*many("+" * 100), runtime=there))
    assert app.margin == default_margin([100], 1, APPLICATION_FLAKES)
    assert any("kind of processor" in note for note in app.notes)


# --- what decides nothing


@pytest.mark.parametrize("mark", ["?", "!"])
def test_unknown_is_never_a_pass(mark: str) -> None:
    """A candidate that fails on many items does not pass, also where its baseline did, and the notes say how many."""
    full, holes = "+" * 100, mark * 20 + "+" * 80
    for baseline in (full, holes):
        found = of_app(baseline, holes)
        assert (found.verdict, only(found).unknown) == (OPEN, 20)
        assert found.notes == [
            "Items of which something is unknown: 20. It counts against `no worse` and against `worse`."
        ]
    assert of_app(holes, full).verdict is NO  # whatever the baseline would have said, no answer is bad now


def test_all_unknown() -> None:
    """Of a run that failed altogether nothing is known, and nothing is said."""
    found = of_app("+" * 100, "?" * 100)
    assert found.verdict is OPEN
    assert (only(found).candidate, only(found).difference.value, only(found).items_needed) == (None, None, None)
    assert (found.flake_rate, found.declined.candidate, found.flipped) == (None, None, [])


def test_unknown_is_never_worse_either() -> None:
    """Failures alone make nothing worse: a baseline whose bad answers are unknown has no better one."""
    assert of_app("?" * 40 + "+" * 60, "-" * 40 + "+" * 60).verdict is OPEN


def test_two_scorers_cannot_tell() -> None:
    """Flags of two scorers are never compared, however clear they look."""
    for candidate in ("+" * 100, "-" * 100):
        found = of_app("+" * 100, candidate, fingerprint="e" * 64)
        assert found.verdict is OPEN
        assert "Two scorers" in found.notes[0]


def test_two_scorers_are_what_a_scorer_s_run_compares() -> None:
    """Where the scorer itself is tested another one is the candidate."""
    items = [*many("-" * 100, "h"), *many("+" * 100, "ok", **OK)]
    found = compare(run(*items, kind=SCORER), run(*items, kind=SCORER, fingerprint="e" * 64))
    assert (found.verdict, found.notes) == (NO, [])


@pytest.mark.parametrize(("baseline", "candidate"), [("+", "."), (".", "+"), (".", ".")])
def test_pending_cannot_tell(baseline: str, candidate: str) -> None:
    """While an answer is not scored there is no verdict."""
    found = of_app(baseline + "+" * 150, candidate + "+" * 150)
    assert found.verdict is OPEN
    assert found.notes[0] == f"{(baseline + candidate).count('.')} answers are not scored yet."
    assert of_app("+" * 151, "+" * 151).verdict is NO


def test_an_endpoint_without_items() -> None:
    """Nothing is said of it, and a note says so; the other one has alpha for itself."""
    items = many("-" * 100, "h")
    found = of_scorer(items, items)
    assert found.notes == ["The set has no items for false_alarms: nothing is said of it."]
    assert [each.verdict for each in found.endpoints] == [NO, OPEN]
    assert (found.verdict, found.confidence) == (NO, pytest.approx(0.9))


def test_nothing_in_common() -> None:
    """Two runs without a common item say nothing."""
    found = compare(run(*many("+" * 100, "a")), run(*many("-" * 100, "b")))
    assert (found.verdict, only(found).items, only(found).items_needed) == (OPEN, 0, None)
    assert (only(found).difference.value, found.categories) == (None, [])


@pytest.mark.parametrize("other", [run(kind=SCORER), run(set_name="other")])
def test_what_cannot_be_compared(other: RunRecord) -> None:
    """Another kind of target or another set is refused, either way round."""
    for pair in ((run(), other), (other, run())):
        with pytest.raises(GoldenRunsDifferError, match=r"scorer|other"):
            compare(*pair)


def test_an_item_has_answers() -> None:
    """A record whose item has none is not valid: there would be nothing to divide by."""
    with pytest.raises(ValidationError):
        ItemRecord(item=item(), digest="", answers=())


# --- what is left out


def test_left_out() -> None:
    """Items that changed, that one side lacks, or that are in quarantine count for nothing, and are named."""
    baseline = run(*many("+++++", "s"), (item("gone"), "+"), (item("edited"), "+"), (item("flaky"), "+"))
    edited = item("edited", response="It is 5.")
    candidate = run((item("new"), "-"), (edited, "-"), (item("flaky"), "-"), *many("+++++", "s"))
    found = compare(baseline, candidate, quarantined=["flaky", "nowhere"])
    assert found.left_out.model_dump() == {
        "quarantined": ["flaky"],
        "only_candidate": ["new"],
        "only_baseline": ["gone"],
        "changed": ["edited"],
        "unlabelled": [],
    }
    assert (only(found).items, only(found).candidate, found.flipped) == (5, 0.0, [])


def test_each_is_left_out_for_one_reason() -> None:
    """Quarantine goes before a change, and a change before a missing label."""
    unlabelled = {"hallucinated": None}
    before = [(item(name, **unlabelled), "+") for name in "abc"]
    now = [(item(name, question=f"{name}{name}?" if name in "ab" else f"{name}?", **unlabelled), "+") for name in "abc"]
    left = compare(run(*before, kind=SCORER), run(*now, kind=SCORER), quarantined={"a"}).left_out
    assert (left.quarantined, left.changed, left.unlabelled) == (["a"], ["b"], ["c"])


def test_quarantine_can_turn_a_verdict() -> None:
    """What would be worse is not, once all that turned is in quarantine."""
    baseline, candidate = run(*many("+" * 200)), run(*many("-" * 60 + "+" * 140))
    assert compare(baseline, candidate).verdict is YES
    assert compare(baseline, candidate, quarantined={f"i{n}" for n in range(60)}).verdict is NO


def test_the_order_of_items_does_not_matter() -> None:
    """Items are matched by id."""
    before, now = many("+-" * 50), many("-+" * 50)
    assert compare(run(*before), run(*now)) == compare(run(*before[::-1]), run(*now[::-1]))


# --- what is told beside the verdict


def test_flipped() -> None:
    """Items that the runs tell differently, the greatest change for the worse first, then by id; unknown repeats aside."""
    before = [(item(name), marks) for name, marks in zip("abcdef", ["++", "++", "--", "+-", "++", "+?"], strict=True)]
    now = [(item(name), marks) for name, marks in zip("abcdef", ["+-", "--", "++", "-+", "??", "--"], strict=True)]
    found = compare(run(*before), run(*now)).flipped
    assert [(each.item, each.baseline, each.candidate, each.worse) for each in found] == [
        ("b", 0.0, 1.0, True),
        ("f", 0.0, 1.0, True),
        ("a", 0.0, 0.5, True),
        ("c", 1.0, 0.0, False),
    ]
    assert {(each.category, each.endpoint) for each in found} == {("numbers", Endpoint.MADE_UP)}


def test_flaky() -> None:
    """Items that differ from repeat to repeat in either run, the most flaky first; the rate is the candidate's mean."""
    before = [(item(name), marks) for name, marks in zip("abcd", ["+++", "++-", "+++", "+++"], strict=True)]
    now = [(item(name), marks) for name, marks in zip("abcd", ["+++", "+++", "+-?", "--+"], strict=True)]
    found = compare(run(*before), run(*now))
    third = pytest.approx(2 / 3)
    assert [(each.item, each.baseline, each.candidate) for each in found.flaky] == [
        ("c", 0, 1),
        ("b", third, 0),
        ("d", 0, third),
    ]
    assert found.flake_rate == pytest.approx((0 + 0 + 1 + 2 / 3) / 4)
    assert of_app("+-", "+-").flake_rate is None


def test_categories() -> None:
    """Each by its own items over all endpoints, with Holm's correction over all; they make no verdict."""
    kinds = [("dates", 8, 0), ("names", 5, 5), ("units", 5, 0)]
    before, now = [], []
    for name, worse, better in kinds:
        before += many("+" * worse + "-" * better + "+" * 200, name, category=name)
        now += many("-" * worse + "+" * better + "+" * 200, name, category=name)
    found = compare(run(*before), run(*now), margin=0.1)
    assert found.verdict is NO
    assert [(each.name, each.items, each.became_worse, each.became_better) for each in found.categories] == [
        ("dates", 208, 8, 0),
        ("names", 210, 5, 5),
        ("units", 205, 5, 0),
    ]
    assert [each.p_value for each in found.categories] == pytest.approx([0.5**8, 0.623046875, 0.5**5])
    assert [each.p_adjusted for each in found.categories] == pytest.approx([3 * 0.5**8, 0.623046875, 2 * 0.5**5])
    assert [each.worse for each in found.categories] == [True, False, False]
    assert found.categories[0].candidate == pytest.approx(8 / 208)


def test_declined() -> None:
    """An application that says less is told so: it makes less up, and a reader must know why."""
    found = of_app("-" * 40 + "+" * 60, "0" * 40 + "+" * 60)
    assert found.verdict is NO
    assert (found.declined.baseline, found.declined.candidate) == (0.0, 0.4)
    assert found.declined.difference.ci_low > 0
    assert any("declines to answer more often" in note for note in found.notes)
    assert of_app("-" * 40 + "+" * 60, "+" * 100).notes == []
    scorer = of_scorer(many("+" * 100, "ok", **OK), many("0" * 40 + "+" * 60, "ok", **OK))
    assert not any("declines" in note for note in scorer.notes)


def test_other_repeats_are_noted() -> None:
    """Runs with different numbers of repeats are compared, and a note says so."""
    found = compare(run(*many(["+++"] * 100)), run(*many(["+"] * 100)))
    assert (found.verdict, found.notes) == (NO, ["Repeats of an item: 3 in the baseline, 1 in the candidate."])


def test_names_of_both_runs() -> None:
    """The answer says what was compared."""
    found = of_app("+", "+")
    assert (found.baseline_id, found.candidate_id, found.set_name, found.kind) == ("old", "new", "core", APPLICATION)
