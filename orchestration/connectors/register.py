"""The registered wallets: whose balances and transfers a connector has to bring.

What belongs here: reading tables ``wallets`` and ``entities`` of the landing zone as they are known for a day. What
doesn't: any network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from orchestration import contract
from orchestration.connectors.errors import EmptyAnswerError
from orchestration.connectors.rows import connection, marked, refusal_of
from orchestration.contract import Column
from orchestration.errors import ConfigurationError
from orchestration.landing.casts import cast_for
from orchestration.landing.discovery import discover_table
from orchestration.landing.sources import sources_of
from orchestration.sql import identifier, quoted


@dataclass(frozen=True, slots=True)
class RegisteredWallet:
    """A wallet as the register knows it on a day; ``address`` is as it was registered, empty if it has none."""

    wallet_id: str
    address: str


def registered_wallets(
    landing: Path, network: str, day: date, *, with_address: bool = True
) -> tuple[RegisteredWallet, ...]:
    """The wallets of a network that are valid at any moment of the day, as known at its end, in order of identifier.

    ``with_address``: they are asked for by address, so each must have one. Raises ConfigurationError if it hasn't or
    the register can't be read, and EmptyAnswerError if the network has no wallet: a source that is configured for one
    has nothing to say then.
    """
    since, until = _bounds(day)
    with connection() as database:
        _load(database, landing, "wallets", day)
        rows = database.execute(
            """
            with known as (
                select * from wallets
                where recorded_at < $until and lower(trim(network)) = lower(trim($network))
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
        if address is None and with_address:
            raise ConfigurationError(f"wallet {wallet_id} of network {network} has no address; register it")
    return tuple(RegisteredWallet(wallet_id, address or "") for wallet_id, address in rows)


def operator_wallets(landing: Path, network: str, day: date) -> frozenset[str]:
    """Those of a network's wallets whose owner is an entity of type operator, at any moment of the day.

    Empty where entities aren't delivered. Raises ConfigurationError if either table can't be read.
    """
    since, until = _bounds(day)
    if not landing.is_dir() or not discover_table(landing, contract.table("entities"), day).partitions:
        return frozenset()
    with connection() as database:
        _load(database, landing, "wallets", day)
        _load(database, landing, "entities", day)
        rows = database.execute(
            """
            with known_wallets as (
                select * from wallets
                where recorded_at < $until and lower(trim(network)) = lower(trim($network))
                qualify row_number() over (partition by wallet_id, valid_from order by recorded_at desc) = 1
            ),
            known_entities as (
                select * from entities
                where recorded_at < $until
                qualify row_number() over (partition by entity_id order by recorded_at desc) = 1
            )
            select distinct known_wallets.wallet_id
            from known_wallets
            inner join known_entities on known_wallets.owner_entity_id = known_entities.entity_id
            where
                known_entities.entity_type = 'operator'
                and known_wallets.valid_from < $until
                and (known_wallets.valid_to is null or known_wallets.valid_to > $since)
            """,
            {"since": since, "until": until, "network": network},
        ).fetchall()
    return frozenset(wallet_id for (wallet_id,) in rows)


def _bounds(day: date) -> tuple[datetime, datetime]:
    return datetime.combine(day, time()), datetime.combine(day + timedelta(days=1), time())


def _load(database: duckdb.DuckDBPyConnection, landing: Path, name: str, day: date) -> None:
    """Load a reference table under its own name; raise ConfigurationError if a part of it can't be read."""
    table = contract.table(name)
    columns = ", ".join(f"{identifier(column.name)} {column.duckdb_type}" for column in table.columns)
    database.execute(f"create temp table {identifier(name)} ({columns})")
    partitions = discover_table(landing, table, day).partitions if landing.is_dir() else ()
    for source in sources_of(database, table, [file for partition in partitions for file in partition.files]):
        if source.issues or not source.is_complete:
            problem = source.issues[0].problem if source.issues else "rows can't be read"
            raise ConfigurationError(f"{source.files[0].relative}: {problem}; correct table {name}")
        values = ", ".join(_strict(column, *source.columns[column.name]) for column in table.columns)
        try:
            database.execute(f"insert into {identifier(name)} select {values} from {source.relation}")
        except duckdb.Error as error:
            raise ConfigurationError(
                f"{source.files[0].relative}: {refusal_of(error)}; correct table {name}"
            ) from error


def _strict(column: Column, delivered: str, delivered_type: str) -> str:
    """SQL of a column's value that stops the statement where there is none and should be: no wallet is passed by."""
    cast = cast_for(column, delivered, delivered_type)
    shown = (
        f"error({quoted(column.name)} || ': ' || coalesce({cast.problem}, 'unusable') || ' ('"
        f" || {marked(f'left({cast.shown}, 60)')} || ')')"
    )
    nothing = f"error({quoted(f'{column.name}: nothing, and it is required')})" if column.required else "null"
    return (
        f"cast(case when {cast.value} is not null then {cast.value} when {cast.delivered} is not null then {shown}"
        f" else {nothing} end as {column.duckdb_type})"
    )
