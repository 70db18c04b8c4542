"""The `[privacy]` table: validated whole, told per tenant."""

import pytest

from service.core.errors import PolicyInvalidError
from service.core.policy import Policy, parse_policy
from service.core.privacy import Terms
from service.core.tables import StoreText

WHOLE = """
[privacy]
store_text = "full"
text_days = 30
row_days = 400
redact = ["email", "customer"]

[[privacy.patterns]]
name = "customer"
regex = 'KD-[0-9]{6}'

[privacy.tenants.acme]
store_text = "none"
row_days = "keep"
redact = []
"""


def complaint(text: str) -> str:
    with pytest.raises(PolicyInvalidError) as caught:
        parse_policy(text)
    return caught.value.detail


def test_the_default_keeps_everything() -> None:
    """Without the table texts are stored in full, for ever, unredacted."""
    assert Policy().privacy.of("any") == Terms(store_text=StoreText.FULL, text_days=None, row_days=None, redact=())
    assert not Policy().privacy.removes_by_age


def test_a_tenant_differs_in_what_it_names() -> None:
    """What a tenant's table does not name is as for all; `keep` and an empty list take away."""
    privacy = parse_policy(WHOLE).privacy
    everyone = Terms(store_text=StoreText.FULL, text_days=30, row_days=400, redact=("email", "customer"))
    assert privacy.of("any") == everyone
    assert privacy.of("acme") == Terms(store_text=StoreText.NONE, text_days=30, row_days=None, redact=())
    assert privacy.removes_by_age


def test_a_table_that_says_nothing_changes_no_version() -> None:
    """Decisions of before keep the version that explains them."""
    assert parse_policy("[privacy]\n[sampling]\nrate = 0.05").version == Policy().version
    assert parse_policy("[privacy]\ntext_days = 1").version != Policy().version


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ('store_text = "some"', "privacy.store_text"),
        ("text_days = 0", "privacy.text_days"),
        ('text_days = "30"', "privacy.text_days"),
        ("days = 3", "privacy.days"),
        ('redact = ["mail"]', "no rule is named 'mail'"),
        ('[[privacy.patterns]]\nname = "a"\nregex = "x"', "used by no `redact`"),
        ('redact = ["a"]\n[[privacy.patterns]]\nname = "a"\nregex = "(?=x)"', "not a pattern that RE2 takes"),
        ('redact = ["a"]\n[[privacy.patterns]]\nname = "a"\nregex = "x*"', "matches the empty text"),
        ('redact = ["a"]\n[[privacy.patterns]]\nname = "a"\nregex = "(x{900}){900}"', "not a pattern that RE2 takes"),
        ('[[privacy.patterns]]\nname = "email"\nregex = "x"', "comes with Assay"),
        ('[privacy.tenants."a b"]\ntext_days = 1', "privacy.tenants"),
        ('[privacy.tenants.a]\nredact = ["b"]', "no rule is named 'b'"),
    ],
)
def test_what_is_wrong_is_named(table: str, part: str) -> None:
    """Every mistake is found when the file is read, and told by its place."""
    assert part in complaint(f"[privacy]\n{table}")


def test_two_patterns_of_one_name_are_refused() -> None:
    """A placeholder must mean one rule."""
    twice = "[[privacy.patterns]]\nname = 'a'\nregex = 'x'\n" * 2
    assert "two are named 'a'" in complaint(f'[privacy]\nredact = ["a"]\n{twice}')
