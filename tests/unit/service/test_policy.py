"""The policy file."""

from pathlib import Path

import pytest

from service.core.errors import PolicyInvalidError
from service.core.policy import Policy, parse_policy, read_policy

WHOLE = """
[sampling]
rate = 0.05
salt = "s"

[[sampling.rules]]
name = "new-release"
match = { release = ["2026.2", "2026.3"], route = "support" }
rate = 0.5

[[sampling.rules]]
name = "gold"
match = { "tags.plan" = "gold" }
rate = 1.0
"""


def complaint(text: str) -> str:
    with pytest.raises(PolicyInvalidError) as caught:
        parse_policy(text)
    return caught.value.detail


def rule(**changes: str) -> str:
    lines = {"name": '"a"', "rate": "0.5", "match": '{ route = "support" }'} | changes
    return "[[sampling.rules]]\n" + "\n".join(f"{name} = {value}" for name, value in lines.items() if value)


def test_default_is_five_percent() -> None:
    """Without a file 5% of everything is sampled, in the stratum `default`."""
    assert read_policy(None).stratum({}) == ("default", 0.05)


def test_empty_file_is_the_default() -> None:
    """An empty file means the same as none."""
    assert parse_policy("") == Policy()


def test_first_match_wins() -> None:
    """The first rule that matches decides, though a later one would match too."""
    fields = {"release": "2026.2", "route": "support", "tags.plan": "gold"}
    assert parse_policy(WHOLE).stratum(fields) == ("new-release", 0.5)


def test_later_rule_takes_what_the_first_leaves() -> None:
    """A rule that does not match hands on to the next."""
    assert parse_policy(WHOLE).stratum({"release": "2026.1", "tags.plan": "gold"}) == ("gold", 1.0)


def test_no_match_takes_the_base_rate() -> None:
    """What no rule matches has the rate of `[sampling]`."""
    assert parse_policy(WHOLE).stratum({"release": "2026.2"}) == ("default", 0.05)


def test_every_field_of_a_rule_must_match() -> None:
    """A rule with two fields needs both."""
    assert parse_policy(WHOLE).stratum({"release": "2026.2", "route": "search"})[0] == "default"


def test_list_means_any_of() -> None:
    """A list of values matches any one of them."""
    found = [parse_policy(WHOLE).stratum({"route": "support", "release": r})[0] for r in ("2026.2", "2026.3", "2026.4")]
    assert found == ["new-release", "new-release", "default"]


def test_absent_tag_matches_nothing() -> None:
    """A tag that was not sent is no value, not even the empty one."""
    one = parse_policy(rule(match='{ "tags.plan" = "" }'))
    assert [one.stratum(fields)[0] for fields in ({}, {"tags.plan": ""})] == ["default", "a"]


def test_tag_is_not_a_field() -> None:
    """A tag named like a field does not stand for it."""
    assert parse_policy(rule()).stratum({"tags.route": "support"})[0] == "default"


def test_comments_and_order_of_keys_keep_the_version() -> None:
    """The version is a digest of the meaning, not of the text."""
    other = """
    # moved about
    sampling.salt = "s"  # same
    sampling.rate = 5e-2
    sampling.rules = [
      { rate = 0.5, match = { route = "support", release = ["2026.2", "2026.3"] }, name = "new-release" },
      { match = { "tags.plan" = "gold" }, rate = 1, name = "gold" },
    ]
    """
    assert parse_policy(other).version == parse_policy(WHOLE).version


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.05", "0.06"), ('"s"', '"t"'), ('"gold"\nmatch', '"silver"\nmatch'), ("2026.3", "2026.4"), ("0.5\n", "0.6\n")],
)
def test_another_meaning_has_another_version(old: str, new: str) -> None:
    """Whatever changes a decision, or its stratum, changes the version."""
    assert WHOLE.count(old) >= 1
    assert parse_policy(WHOLE.replace(old, new, 1)).version != parse_policy(WHOLE).version


def test_order_of_rules_is_meaning() -> None:
    """Rules in another order decide otherwise, so they have another version."""
    rules = [rule(), rule(name='"b"')]
    one, other = parse_policy("\n".join(rules)), parse_policy("\n".join(reversed(rules)))
    assert one.version != other.version


def test_default_version_never_changes_silently() -> None:
    """Stored decisions carry this version; a change of what is digested must be meant."""
    assert Policy().version == "e9475ae478ef"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[sampling]\nrate = 1.01", "sampling.rate"),
        ("[sampling]\nrate = -0.01", "sampling.rate"),
        ("[sampling]\nrate = nan", "sampling.rate"),
        ("[sampling]\nrate = inf", "sampling.rate"),
        ('[sampling]\nrate = "often"', "sampling.rate"),
        ("[sampling]\nrat = 0.1", "sampling.rat"),
        ("[sampling]\nsalt = 5", "sampling.salt"),
        ("[alert]\nrate = 1", "alert"),
        ("sampling = 5", "sampling"),
        (rule(name='"two words"'), "sampling.rules.1.name"),
        (rule(name='"' + "n" * 65 + '"'), "sampling.rules.1.name"),
        (rule(name=""), "sampling.rules.1.name"),
        (rule(rate=""), "sampling.rules.1.rate"),
        (rule(rate="2"), "sampling.rules.1.rate"),
        (rule(match=""), "sampling.rules.1"),
        (rule(match="{}"), "sampling.rules.1"),
        (rule(match="{ route = 5 }"), "sampling.rules.1.match.route"),
        (rule(match='{ user = "x" }'), "'user'"),
        (rule(match='{ "tags." = "x" }'), "'tags.'"),
        (rule(name='"default"'), "'default'"),
        (rule() + "\n" + rule(), "'a'"),
        (rule() + "\n" + rule(name='"b"', rate="7"), "sampling.rules.2.rate"),
    ],
)
def test_error_names_the_field(text: str, named: str) -> None:
    """A policy that is not valid is refused with the name of what is wrong."""
    assert named in complaint(text)


def test_all_errors_are_named_at_once() -> None:
    """The file is validated whole: one run shows all that is wrong."""
    text = complaint("[sampling]\nrate = 2\nsalt = 5")
    assert ("sampling.rate" in text, "sampling.salt" in text) == (True, True)


def test_broken_toml_names_the_line() -> None:
    """Text that is not TOML is refused with the place."""
    assert "line 2" in complaint("[sampling]\nrate 5\n")


def test_error_says_what_to_do_next() -> None:
    """The error leads to the command that checks a file."""
    with pytest.raises(PolicyInvalidError, match="assay check"):
        parse_policy("[sampling]\nrate = 2")


@pytest.mark.parametrize("value", ["true", '"1.0"'])
def test_rate_is_a_number(value: str) -> None:
    """`rate = true` is a mistake, not a rate of 100%; a text is not a number."""
    assert "sampling.rate" in complaint(f"[sampling]\nrate = {value}")


def test_rule_that_can_match_nothing_is_refused() -> None:
    """An empty list of values matches nothing: a rule with one would silently never apply."""
    assert "sampling.rules.1.match.route" in complaint(rule(match="{ route = [] }"))


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is refused by its name."""
    with pytest.raises(PolicyInvalidError, match=r"nowhere\.toml"):
        read_policy(tmp_path / "nowhere.toml")


def test_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused by its name."""
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff\xfe[sampling]")
    with pytest.raises(PolicyInvalidError, match=r"binary\.toml"):
        read_policy(file)


def test_complaints_are_sentences_of_ours() -> None:
    """No validator's prefix, and no bytes as a program writes them."""
    pattern = 'redact = ["a"]\n[[privacy.patterns]]\nname = "a"\nregex = "(?=x)"'
    said = complaint("[privacy]\n" + pattern) + complaint(rule(match='{ colour = "red" }'))
    assert "unknown field 'colour'" in said
    assert "not a pattern that RE2 takes: invalid" in said
    assert "Value error" not in said
    assert "b'" not in said
