"""The shipped golden sets: what their READMEs count, what their items promise, and what the bundled model makes of them."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from models.load import ScorerConfig, load_scorer
from models.types import Scorer, Verdict
from service.core.clock import utc_now
from service.core.golden.item import GoldenClaim, GoldenItem, questions
from service.core.golden.sets import FOLDER, SHIPPED, GoldenSet, shipped_set
from workers.golden.linting import lint
from workers.golden.scoring_answers import score_answers

WRONG = frozenset({Verdict.CONTRADICTED, Verdict.UNSUPPORTED})
PROCESSOR_S = 120.0  # a run over `core` takes under 60 s on two cores; half of it, when they are quiet


@pytest.fixture(scope="module", params=SHIPPED)
def golden(request: pytest.FixtureRequest) -> GoldenSet:
    return shipped_set(request.param)


def counted(text: str, name: str) -> int:
    """The number beside a name in a README's table."""
    found = re.search(rf"\| `?{re.escape(name)}`? \| (\d+) \|", text)
    assert found, f"the README does not count {name}"
    return int(found[1])


def readme(golden: GoldenSet) -> str:
    return (FOLDER / golden.name / "README.md").read_text(encoding="utf-8")


def pairs(golden: GoldenSet) -> list[tuple[GoldenItem, GoldenItem]]:
    """The supported and the hallucinated version of each pair."""
    held: dict[str, list[GoldenItem]] = defaultdict(list)
    for item in golden.items:
        held[item.pair or ""].append(item)
    return [(min(each, key=bad), max(each, key=bad)) for each in held.values()]


def bad(item: GoldenItem) -> bool:
    return bool(item.hallucinated)


def test_readme_counts_are_those_of_the_items(golden: GoldenSet) -> None:
    """Categories, labels, domains, difficulties and verdicts are what the README says."""
    text, items = readme(golden), golden.items
    for name, number in Counter(item.category for item in items).items():
        assert counted(text, name) == number
    assert counted(text, "supported") == sum(not bad(item) for item in items)
    assert counted(text, "hallucinated") == sum(bad(item) for item in items)
    verdicts = Counter(claim.verdict for item in items for claim in item.claims)
    for verdict, number in verdicts.items():
        assert f"{number} {verdict.value.replace('_', ' ')}" in text.replace("\n", " ") or number == len(items) // 2
    assert f"{len(items)} " in text.splitlines()[0]


def test_core_has_what_was_promised() -> None:
    """200 items, 100 pairs, 20 categories of ten, six domains, long contexts of 2,000 words."""
    core = shipped_set("core")
    assert len(core.items) == 200
    assert set(Counter(item.category for item in core.items).values()) == {10}
    assert len(Counter(item.category for item in core.items)) == 20
    text = readme(core)
    for held in (Counter(item.domain for item in core.items), Counter(item.difficulty for item in core.items)):
        for name, number in held.items():
            assert f"| `{name}` | {number} |" in text
    long = [item for item in core.items if item.category == "long_contexts"]
    assert min(sum(len(context.text.split()) for context in item.contexts) for item in long) >= 2_000
    assert len(questions(core.items)) == 100


def test_an_item_is_whole(golden: GoldenSet) -> None:
    """Each has question, contexts, response, reason and claims that make up the response."""
    for item in golden.items:
        assert all((item.question, item.contexts, item.reason, item.category, item.domain, item.difficulty, item.pair))
        assert " ".join(claim.text for claim in item.claims) == item.response


def test_a_label_is_that_of_its_claims(golden: GoldenSet) -> None:
    """One claim of a hallucinated response is wrong, none of a supported one; what decides is quoted."""
    for item in golden.items:
        wrong = [claim for claim in item.claims if claim.verdict in WRONG]
        assert len(wrong) == bad(item), item.id
        for claim in item.claims:
            assert bool(claim.evidence) == (claim.verdict in {Verdict.SUPPORTED, Verdict.CONTRADICTED}), item.id


def test_a_pair_differs_in_one_sentence(golden: GoldenSet) -> None:
    """Question and contexts are the same, and all sentences but one, which may be left out of one version."""
    for good, worse in pairs(golden):
        assert (bad(good), bad(worse)) == (False, True)
        assert (good.question, good.contexts) == (worse.question, worse.contexts)
        kept, other = _texts(good.claims), _texts(worse.claims)
        assert max(len(kept), len(other)) - sum((kept & other).values()) == 1, good.pair


def _texts(claims: Sequence[GoldenClaim]) -> Counter[str]:
    return Counter(claim.text for claim in claims)


def test_lint_finds_no_error(golden: GoldenSet) -> None:
    """Spans, ids, labels and balance are right; of `core` there is not even a warning."""
    linted = lint(str(FOLDER / golden.name), utc_now().date())
    assert linted.errors == 0
    assert golden.name != "core" or not linted.findings


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return load_scorer(ScorerConfig(threads=2))


@pytest.mark.timed
def test_the_bundled_model_reaches_its_floors(golden: GoldenSet, scorer: Scorer) -> None:
    """What it finds and lets pass is not below the floor of its fingerprint; every answer is known, and comes in time."""
    started = time.process_time()
    answers = score_answers(scorer, [(item, item.response or "") for item in golden.items])
    assert time.process_time() - started < PROCESSOR_S
    floor = golden.floors[scorer.fingerprint]
    flagged = [answer.made_up for answer in answers]
    assert None not in flagged
    found = [bool(each) for each, item in zip(flagged, golden.items, strict=True) if bad(item)]
    passed = [not each for each, item in zip(flagged, golden.items, strict=True) if not bad(item)]
    assert sum(found) / len(found) >= floor.found
    assert sum(passed) / len(passed) >= floor.passed
