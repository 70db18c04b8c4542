"""How commands write amounts of money."""


def money(amount: float, currency: str | None) -> str:
    """An amount with its currency; small ones keep their digits."""
    shown = f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.4g}"
    return f"{shown} {currency}" if currency else shown
