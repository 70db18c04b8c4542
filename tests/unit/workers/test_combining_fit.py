"""The fit of a combined score: it finds what made the labels, bounded where they can be told apart, and says what it cannot do."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.core.combination import Combined, Parts, bounded_logit, sigmoid
from service.core.errors import StartRefusedError
from workers.combining.evaluation import Evaluation, evaluate
from workers.combining.examples import LEAST, Example, of_one_fingerprint, planned
from workers.combining.fitting import Fit, fit
from workers.combining.folds import FOLDS, cross_validated, folds_of
from workers.combining.logistic import fit_logistic
from workers.combining.report import report

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def parts(nli: float | None, judge: float | None = None, consistency: tuple[float, float] | None = None) -> Parts:
    selfcheck, entropy = consistency or (None, None)
    return Parts(
        nli=nli,
        nli_fingerprint=None if nli is None else "n1",
        judge=judge,
        judge_fingerprint=None if judge is None else "j1",
        selfcheck=selfcheck,
        entropy=entropy,
        consistency_fingerprint=None if consistency is None else "c1",
    )


def world(
    count: int,
    seed: int,
    truth: Callable[[Parts], float],
    judged: Callable[[random.Random, float], bool] = lambda draw, _nli: draw.random() < 0.5,
) -> list[Example]:
    """Examples in groups of two whose labels are drawn by `truth`, the probability that one is hallucinated."""
    draw = random.Random(seed)
    made = []
    for at in range(count):
        nli = sigmoid(draw.gauss(-0.5, 1.5))
        verdict = draw.choice((0.0, 1 / 3, 2 / 3, 1.0))
        whole = parts(nli, verdict, (draw.random(), draw.random()))
        seen = whole if judged(draw, nli) else replace(whole, judge=None, judge_fingerprint=None)
        made.append(Example(parts=seen, y=float(draw.random() < truth(whole)), group=str(at // 2)))
    return made


def by_nli(found: Parts) -> float:
    return sigmoid(-0.5 + 1.5 * bounded_logit(found.nli or 0.0))


def by_all(found: Parts) -> float:
    at = -3 + 0.8 * bounded_logit(found.nli or 0.0) + 2.5 * (found.judge or 0.0)
    return sigmoid(at + 1.5 * (found.selfcheck or 0.0) + 1.0 * (found.entropy or 0.0))


def fit_of(examples: Sequence[Example]) -> Fit:
    plan, kept = planned(examples)
    return fit(kept, plan)


def slopes(found: Fit) -> dict[str, float]:
    return {name: slope for scorer in found.scorers for name, slope in scorer.slopes.items()}


class TestCoefficients:
    def test_they_are_found(self) -> None:
        """From 8,000 labels all five come back, to within three standard errors of about 0.03 to 0.1."""
        found = fit_of(world(8_000, 1, by_all, judged=lambda _draw, _nli: True))
        assert found.intercept == pytest.approx(-3, abs=0.3)
        assert slopes(found) == {
            "nli": pytest.approx(0.8, abs=0.1),
            "judge": pytest.approx(2.5, abs=0.3),
            "selfcheck": pytest.approx(1.5, abs=0.3),
            "entropy": pytest.approx(1.0, abs=0.3),
        }

    def test_they_are_the_least_of_what_is_minimised(self) -> None:
        """By hand: two values, of 4 and 2 in 10; without a penalty the log odds are ln(4/6) and ln(2/8)."""
        ones, column = [1.0] * 20, [0.0] * 10 + [1.0] * 10
        targets = [1.0] * 4 + [0.0] * 6 + [1.0] * 2 + [0.0] * 8
        found = fit_logistic([ones, column], targets, ones, [0.0, 0.0])
        assert found == [pytest.approx(-0.405465), pytest.approx(-1.386294 + 0.405465)]

    def test_what_can_be_told_apart_has_a_finite_fit(self) -> None:
        """Without one error the slope is large and finite, not whatever the last step was."""
        examples = [
            Example(parts=parts(0.9 if bad else 0.1, float(bad)), y=float(bad), group=str(at))
            for at in range(200)
            for bad in (at % 2 == 0,)
        ]
        found = fit_of(examples)
        assert 0 < slopes(found)["judge"] < 50
        assert found.score(parts(0.9, 1.0)) > 0.97
        assert found.score(parts(0.1, 0.0)) < 0.03

    def test_a_scorer_that_points_the_wrong_way_is_left_out(self) -> None:
        """A judge that calls the faithful ones worse gets no negative slope: it gets none, and the fit says so."""
        wrong = world(1_000, 2, lambda p: sigmoid(bounded_logit(p.nli or 0.0) - 2 * (p.judge or 0.0)))
        found = fit_of(wrong)
        assert "judge" in found.turned
        assert "judge" not in slopes(found)
        assert slopes(found)["nli"] > 0


class TestMissing:
    def test_at_random_biases_nothing(self) -> None:
        """A judge that looks at half of them by chance: over those that it did not see the mean score is their share."""
        examples = world(6_000, 3, by_all)
        found = fit_of(examples)
        for seen in (True, False):
            held = [e for e in examples if (e.parts.judge is not None) is seen]
            share = sum(e.y for e in held) / len(held)
            assert sum(found.score(e.parts) for e in held) / len(held) == pytest.approx(share, abs=0.002)

    def test_and_where_it_says_nothing_its_absence_says_nothing(self) -> None:
        """Labels that follow the NLI score alone: a judge's absence is worth its mean verdict, and the others' slope is right."""
        found = fit_of(world(8_000, 4, by_nli))
        judge = next((s for s in found.scorers if s.name == "judge"), None)
        assert slopes(found)["nli"] == pytest.approx(1.5, abs=0.15)
        if judge is not None:
            assert judge.absent == pytest.approx(judge.slopes["judge"] / 2, abs=0.2)

    def test_by_the_first_score_biases_nothing_either(self) -> None:
        """As the cascade chooses: nearly all in the band, few outside; the fit knows the score that decided it."""
        judged = lambda draw, nli: draw.random() < (0.95 if 0.2 < nli < 0.8 else 0.1)  # noqa: E731
        examples = world(6_000, 5, by_all, judged)
        scores = cross_validated(*_planned(examples))
        for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
            held = [at for at, e in enumerate(examples) if low <= (e.parts.nli or 0.0) < high]
            share = sum(examples[at].y for at in held) / len(held)
            assert sum(scores[at] for at in held) / len(held) == pytest.approx(share, abs=0.04)

    def test_absence_that_nobody_saw_has_no_meaning(self) -> None:
        """Where every labelled response was judged the fit has no number for one that was not."""
        found = evaluate(world(300, 6, by_all, judged=lambda _draw, _nli: True), NOW).combination
        assert [scorer.absent for scorer in found.scorers] == [None, None, None]

    def test_few_absences_are_left_out(self) -> None:
        """Of 300 five lack the judge: too few to say what that means, so they are left out, and counted."""
        examples = world(300, 7, by_all, judged=lambda _draw, _nli: True)
        examples[:5] = [replace(e, parts=parts(e.parts.nli, None, (0.5, 0.5))) for e in examples[:5]]
        found = evaluate(examples, NOW)
        assert (found.examples, found.left_out) == (295, 5)

    def test_a_scorer_that_saw_few_is_left_out(self) -> None:
        """Twenty verdicts make no coefficient; the fit is of the others, and says why."""
        examples = world(300, 8, by_all, judged=lambda _draw, _nli: False)
        examples[:20] = [replace(e, parts=parts(e.parts.nli, 0.5, (0.5, 0.5))) for e in examples[:20]]
        found = evaluate(examples, NOW)
        assert "only 20" in found.plan.left_out["judge"]
        assert {scorer.name for scorer in found.combination.scorers} == {"nli", "consistency"}

    def test_values_of_another_fingerprint_are_missing(self) -> None:
        """What an earlier judge said is not what the fit is of."""
        kept = of_one_fingerprint(world(4, 9, by_all, judged=lambda *_: True), {"nli": "n1", "judge": "j2"})
        assert {(e.parts.judge, e.parts.selfcheck) for e in kept} == {(None, None)}
        assert all(e.parts.nli is not None for e in kept)


def _planned(examples: Sequence[Example]) -> tuple[list[Example], object, list[int]]:
    plan, kept = planned(examples)
    return kept, plan, folds_of(kept)


class TestFolds:
    def test_groups_stay_whole(self) -> None:
        """No session is on both sides: what a fit saw of it would tell the rest."""
        examples = world(200, 10, by_all)
        folds = folds_of(examples)
        assert all(folds[at] == folds[at + 1] for at in range(0, 200, 2))
        assert folds == folds_of(examples)

    def test_each_has_its_part_of_either_label(self) -> None:
        """Of 40 hallucinated ones in 200 each of the five folds has about eight."""
        examples = [Example(parts=parts(0.5), y=float(at % 5 == 0), group=str(at)) for at in range(200)]
        folds = folds_of(examples)
        for fold in range(FOLDS):
            assert sum(e.bad for e, at in zip(examples, folds, strict=True) if at == fold) == 8
            assert folds.count(fold) == 40


class TestRefusals:
    @pytest.mark.parametrize(
        ("examples", "said"),
        [
            ([], "Too few labels"),
            (world(40, 11, by_all), "Too few labels"),
            (
                [Example(parts=parts(0.5), y=1.0, group=str(at)) for at in range(500)],
                f"until there are {LEAST} of each",
            ),
            ([replace(e, group=str(at % 4)) for at, e in enumerate(world(300, 12, by_all))], "sessions or documents"),
            (
                [Example(parts=parts(0.5), y=float(at % 2), group=str(at)) for at in range(200)],
                "every score is the same",
            ),
            (
                [Example(parts=parts(0.9 - 0.8 * (at % 2)), y=float(at % 2), group=str(at)) for at in range(200)],
                "No scorer tells",
            ),
        ],
    )
    def test_it_says_what_is_missing(self, examples: list[Example], said: str) -> None:
        """A sentence instead of coefficients of nothing."""
        with pytest.raises(StartRefusedError) as refused:
            evaluate(examples, NOW)
        assert said in str(refused.value)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(world(1_500, 13, by_all), NOW)


class TestWorth:
    def test_the_fit_is_better_and_says_by_how_much(self, found: Evaluation) -> None:
        """Labels made by all scorers: the Brier score falls, by more than its interval, and most of it by the others."""
        assert found.change.high < 0
        assert found.added is not None
        assert found.added.high < 0
        assert found.after.error.value < found.before.error.value
        assert found.after.error.value < 2 * found.after.by_chance

    def test_the_combination_scores_as_the_fit(self, found: Evaluation) -> None:
        """What the sidecar computes from the file is what was fitted."""
        examples = world(1_500, 13, by_all)
        again = fit_of(examples)
        combined = found.combination.combine(examples[0].parts)
        assert isinstance(combined, Combined)
        assert combined.score == pytest.approx(again.score(examples[0].parts))

    def test_strict_lets_pass_what_it_promises(self, found: Evaluation) -> None:
        """About 95% of the faithful ones of the folds that did not choose it."""
        assert found.strict.specificity == pytest.approx(0.95, abs=0.02)

    def test_it_is_told(self, found: Evaluation) -> None:
        """The report has the figures, the coefficients, who spoke of how many, and no sample's text."""
        said = report(found)
        parts_of_it = ("1,500 labelled", "calibration error", "Brier", "judge missing", "strict", "missing of 7")
        assert [part for part in parts_of_it if part not in said] == []

    def test_by_nli_alone(self) -> None:
        """Without other scorers there is nothing to compare the fit with but the score as it is."""
        examples = [replace(e, parts=parts(e.parts.nli)) for e in world(300, 14, by_nli)]
        found = evaluate(examples, NOW)
        assert (found.alone, found.added, len(found.combination.scorers)) == (None, None, 1)
        assert "alone, fitted" not in report(found)
