"""Numbers that only grow, also across fail-overs; taken inside the transaction that uses them."""

from __future__ import annotations

from storage.sql.database import Database, Transaction
from storage.sql.tables import counters


def next_number(database: Database, tx: Transaction, name: str) -> int:
    """One more than the last number taken under that name; 1 at first."""
    insertion = database.insert(counters).values(name=name, value=1)
    taken = tx.connection.execute(
        insertion.on_conflict_do_update(
            index_elements=["name"], set_={"value": counters.c.value + 1}
        ).returning(counters.c.value)
    )
    return int(taken.scalar_one())
