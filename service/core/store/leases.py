"""Named leases: one holder at a time, by the database's clock."""

from sqlalchemy import BigInteger, Connection, literal, or_, select, type_coerce

from service.core.clock import database_now
from service.core.store.dialect import insert
from service.core.tables import leases


def acquire(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Takes or renews the lease; False while another holds it.

    A lease that lies twice its length ahead was given before the clock was set back: it counts for nothing.
    """
    length = literal(int(seconds * 1_000_000), BigInteger())
    until = database_now() + length
    held_until = type_coerce(leases.c.until, BigInteger)
    statement = insert(connection, leases).values(name=name, holder=holder, until=until)
    statement = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": holder, "until": until},
        where=or_(
            leases.c.holder == holder, held_until < database_now(), held_until > database_now() + length + length
        ),
    )
    return connection.execute(statement.returning(leases.c.holder)).first() is not None


def seconds_left(connection: Connection, name: str) -> float | None:
    """How long the lease is still held, negative once it is over; None if nobody ever took it."""
    left = type_coerce(leases.c.until, BigInteger) - database_now()
    microseconds = connection.execute(select(left).where(leases.c.name == name)).scalar_one_or_none()
    return None if microseconds is None else int(microseconds) / 1_000_000
