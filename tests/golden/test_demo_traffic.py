"""The demo's traffic: data whose shape and truth the demo relies on."""

import json
from collections import Counter
from typing import Any

import pytest

from service.core.config import Settings
from service.core.payload import validate_submission
from service.core.policy import read_policy
from workers.demo import MADE_UP, POLICY, TRAFFIC, DemoPair, read_pairs

FILES = sorted(TRAFFIC.glob("*.json"))
PAIRS = read_pairs()
RAW: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (content["domain"], pair, {document["id"]: document["text"] for document in content["documents"]})
    for content in (json.loads(file.read_text(encoding="utf-8")) for file in FILES)
    for pair in content["pairs"]
]
CLAIMS = [(pair["id"], claim) for _, pair, _ in RAW for claim in pair["claims"]]
RELEASES = ("2026.1", "2026.2", "2026.3")
TRUTHS = {"supported", "contradicted", "unsupported", "not_checkable"}


def of_release(release: str) -> list[DemoPair]:
    return [pair for pair in PAIRS if pair.release == release]


def share_made_up(release: str) -> float:
    pairs = of_release(release)
    return sum(pair.made_up for pair in pairs) / len(pairs)


def test_at_least_200_pairs() -> None:
    """There are at least 200 submissions to replay."""
    assert len(PAIRS) == len(RAW)
    assert len(PAIRS) >= 200


def test_ids_are_unique() -> None:
    """No two pairs share an id, over all domains."""
    assert [name for name, count in Counter(pair.id for pair in PAIRS).items() if count > 1] == []


def test_responses_are_unique() -> None:
    """No response is there twice: a repeated one would count as more evidence than it is."""
    counted = Counter(" ".join(claim["text"] for claim in pair["claims"]) for _, pair, _ in RAW)
    assert [text for text, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("release", RELEASES)
def test_releases_are_of_one_size(release: str) -> None:
    """Every pair has a release, and each release a third of the pairs."""
    assert len(of_release(release)) == len(PAIRS) / 3


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_has_every_domain(release: str) -> None:
    """A domain that only one release has could pass for the release's own difference."""
    assert Counter(pair.body["route"] for pair in of_release(release)) == dict.fromkeys(
        (file.stem for file in FILES), len(PAIRS) // 3 // len(FILES)
    )


def test_second_release_is_clearly_worse() -> None:
    """2026.2 makes things up at least three times as often as the releases around it."""
    assert share_made_up("2026.2") >= 3 * max(share_made_up("2026.1"), share_made_up("2026.3"))


def test_readme_of_the_data_is_right() -> None:
    """One pair in six makes something up in 2026.1 and 2026.3, and four in six in 2026.2."""
    assert [round(6 * share_made_up(release)) for release in RELEASES] == [1, 4, 1]


@pytest.mark.parametrize(("domain", "pair", "documents"), RAW, ids=[pair["id"] for _, pair, _ in RAW])
def test_shape_of_a_pair(domain: str, pair: dict[str, Any], documents: dict[str, str]) -> None:
    """A pair has a question, documents of its domain of 100 to 800 words together, and 1 to 6 sentences."""
    words = sum(len(documents[name].split()) for name in pair["documents"])
    assert pair["question"].strip().endswith(("?", "."))
    assert len(set(pair["documents"])) == len(pair["documents"]) >= 1
    assert 100 <= words <= 800
    assert 1 <= len(pair["claims"]) <= 6
    assert pair["id"].strip()
    assert domain in {file.stem for file in FILES}


def test_truths_are_known_words() -> None:
    """Each claim has one of the four truths, and each of them occurs."""
    assert {claim["truth"] for _, claim in CLAIMS} == TRUTHS


def test_what_is_made_up_is_explained() -> None:
    """Each contradicted or unsupported claim has a note that says where or what; no other claim needs one."""
    missing = [name for name, claim in CLAIMS if claim["truth"] in MADE_UP and not claim.get("note", "").strip()]
    assert missing == []


def test_claims_are_whole_sentences() -> None:
    """A claim is one trimmed sentence, so that the response reads as text when they are joined."""
    odd = [claim["text"] for _, claim in CLAIMS if not claim["text"].endswith((".", "!", "?", "…", '."', ":", ")"))]
    assert odd == []
    assert [claim["text"] for _, claim in CLAIMS if claim["text"] != claim["text"].strip()] == []


def test_bodies_are_accepted() -> None:
    """Every pair is a valid submission."""
    accepted = [validate_submission(pair.body | {"id": pair.id}, Settings()) for pair in PAIRS]
    assert [submission.id for submission in accepted] == [pair.id for pair in PAIRS]


def test_truth_is_not_sent() -> None:
    """Nothing of the truth, nor of the notes, is in what is posted."""
    assert {name for pair in PAIRS for name in pair.body} == {"question", "contexts", "response", "release", "route"}


def test_policy_samples_everything() -> None:
    """The demo's policy samples all, so that its summary has all there is."""
    policy = read_policy(POLICY)
    assert (policy.sampling.rate, policy.sampling.rules) == (1.0, ())
