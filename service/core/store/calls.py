"""The calls of a review, summed."""

from sqlalchemy import Connection, func, select

from service.core.review_tables import llm_calls


def sum_calls(connection: Connection, seq: int) -> dict[str, int]:
    """What all calls of a review took, those of workers that died over it counted in."""
    sums = [func.coalesce(func.sum(llm_calls.c[name]), 0) for name in ("input_tokens", "output_tokens", "cost_pico")]
    row = connection.execute(select(func.count(), *sums).where(llm_calls.c.review_seq == seq)).one()
    names = ("calls", "input_tokens", "output_tokens", "cost_pico")
    return {name: int(value) for name, value in zip(names, row, strict=True)}
