"""What `assay check` says of the `[privacy]` table."""

from rich.console import Console
from rich.table import Table

from service.core.privacy import Privacy, Terms
from service.core.tables import StoreText

STORED = {
    StoreText.FULL: "in full",
    StoreText.HASH: "only until scored, then keyed digests",
    StoreText.NONE: "only until scored",
}


def show_privacy(privacy: Privacy, console: Console) -> None:
    """Prints each tenant's terms, and what they need."""
    table = Table("tenant", "texts are stored", "texts go after", "rows are anonymous after", "redacted before storage")
    table.title = "What of texts is kept"
    for name in sorted(privacy.tenants):
        table.add_row(name, *_cells(privacy.of(name)))
    table.add_row("every other" if privacy.tenants else "every", *_cells(privacy.of("")))
    console.print(table)
    if privacy.needs_digest_key:
        console.print("Digests need ASSAY_DIGEST_KEY; the sidecar refuses to start without it.")
    if privacy.removes_by_age:
        console.print("Workers enforce the ages: they need this file as ASSAY_POLICY_FILE too.")


def _cells(terms: Terms) -> list[str]:
    return [
        STORED[terms.store_text],
        _age(terms.text_days),
        _age(terms.row_days),
        ", ".join(terms.redact) or "nothing",
    ]


def _age(days: float | None) -> str:
    return "never" if days is None else f"{days:g} days"
