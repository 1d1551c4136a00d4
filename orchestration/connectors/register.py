"""The registered wallets: whose balances and transfers a connector has to bring.

What belongs here: reading table ``wallets`` of the landing zone as it is known for a day. What doesn't: any network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from orchestration import contract
from orchestration.connectors.errors import EmptyAnswerError
from orchestration.connectors.rows import connection
from orchestration.errors import ConfigurationError
from orchestration.landing.casts import cast_for
from orchestration.landing.discovery import discover_table
from orchestration.landing.sources import sources_of
from orchestration.sql import identifier


@dataclass(frozen=True, slots=True)
class RegisteredWallet:
    """A wallet as the register knows it on a day; ``address`` is as it was registered."""

    wallet_id: str
    address: str


def registered_wallets(landing: Path, network: str, day: date) -> tuple[RegisteredWallet, ...]:
    """The wallets of a network that are valid at any moment of the day, as known at its end, in order of identifier.

    Raises ConfigurationError if the register can't be read or a wallet of that network has no address, and
    EmptyAnswerError if the network has no wallet: a source that is configured for one has nothing to say then.
    """
    since, until = datetime.combine(day, time()), datetime.combine(day + timedelta(days=1), time())
    table = contract.table("wallets")
    with connection() as database:
        columns = ", ".join(f"{identifier(column.name)} {column.duckdb_type}" for column in table.columns)
        database.execute(f"create temp table wallet ({columns})")
        partitions = discover_table(landing, table, day).partitions if landing.is_dir() else ()
        for source in sources_of(database, table, [file for partition in partitions for file in partition.files]):
            if source.issues or not source.is_complete:
                problem = source.issues[0].problem if source.issues else "rows can't be read"
                raise ConfigurationError(f"{source.files[0].relative}: {problem}; correct the register of wallets")
            values = ", ".join(cast_for(column, *source.columns[column.name]).value for column in table.columns)
            database.execute(f"insert into wallet select {values} from {source.relation}")
        rows = database.execute(
            """
            with known as (
                select * from wallet
                where recorded_at < $until and network = $network
                qualify row_number() over (partition by wallet_id, valid_from order by recorded_at desc) = 1
            )
            select distinct wallet_id, address from known
            where valid_from < $until and (valid_to is null or valid_to > $since)
            order by wallet_id, address
            """,
            {"since": since, "until": until, "network": network},
        ).fetchall()
    if not rows:
        raise EmptyAnswerError(
            f"no wallet of network {network} is registered for {day}",
            "deliver table wallets first (its source stands before this one), or mend the network's name",
        )
    for wallet_id, address in rows:
        if address is None:
            raise ConfigurationError(f"wallet {wallet_id} of network {network} has no address; register it")
    return tuple(RegisteredWallet(wallet_id, address) for wallet_id, address in rows)
