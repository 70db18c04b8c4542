"""The ledger of calls in the database: booked before they begin, settled after, limited by the policy's `[spend]` table."""

import time
from collections.abc import Callable

from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.log import log
from service.core.store.spending import Call, Settlement, is_at_work, open_call, settle_call
from workers.judge.calling import NotWantedError, SpendLimitError

SETTLE_TRIES = 40  # what could not be settled stays booked at the most that it can have cost
SETTLE_REST_S = 0.5


class DatabaseLedger:
    """Books in the database. Its methods block: call them in threads."""

    def __init__(
        self,
        database: Database,
        limit_pico: Callable[[str], int | None],
        may_be_sent: Callable[[str], bool] = lambda _tenant: True,
    ) -> None:
        """What the policy says.

        Args:
            database: with the reviews and calls.
            limit_pico: the most that a tenant's calls of a day may cost; None: there is no limit.
            may_be_sent: whether a tenant's text may be sent to the model now.
        """
        self._may_be_sent = may_be_sent
        self._database = database
        self._limit_pico = limit_pico

    def open(self, call: Call) -> int:
        """Books a call; its number. Raises SpendLimitError, NotWantedError or StoreUnavailableError: then nothing is."""
        if not self._may_be_sent(call.tenant):
            raise NotWantedError(turned_off=True)
        with self._database.write() as connection:
            if call.review_seq is not None and not is_at_work(connection, call.review_seq, call.attempt):
                raise NotWantedError(turned_off=False)
            number = open_call(connection, call, self._limit_pico(call.tenant), utc_now())
        if number is None:
            raise SpendLimitError
        return number

    def settle(self, number: int, settled: Settlement) -> None:
        """Settles it, trying for some seconds while the database is away."""
        for attempt in range(1, SETTLE_TRIES + 1):
            try:
                with self._database.write() as connection:
                    settle_call(connection, number, settled, utc_now())
            except StoreUnavailableError:
                if attempt == SETTLE_TRIES:
                    log.warning("call_not_settled", number=number)
                    return
                time.sleep(SETTLE_REST_S)
            else:
                return
