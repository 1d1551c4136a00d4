"""A real PostgreSQL server for tests, and the exchange's database in it with tables of its own names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from orchestration.bench.speed.contenders import postgresql_tools
from orchestration.bench.speed.contenders.postgresql_tools import Server
from tests.connectors.conformance import SECRET
from tests.support.outside import lacking

SETTINGS = {"autovacuum": "off", "fsync": "off", "shared_buffers": "16MB", "max_connections": "20", "timezone": "UTC"}
USER = "ringfence_reader"

SCHEMA = """
create schema exchange;
create type exchange.side as enum ('DEP', 'WDR', 'TRD', 'FEE');
create domain exchange.units as numeric;
create table exchange.users (
    id bigint primary key, kind text not null, full_name text, country char(3), created timestamptz not null
);
create table exchange.trading_accounts (
    id uuid primary key, user_id bigint not null, class smallint not null, allow_negative boolean not null,
    opened timestamp not null, closed timestamptz not null default 'infinity', updated_ms bigint not null
);
create table exchange."Journal" (
    id bigint primary key, tx uuid not null, account uuid not null, coin text not null, amount exchange.units not null,
    side exchange.side not null, happened timestamptz not null, posted_at timestamptz not null, ref jsonb
);
create index on exchange."Journal" (posted_at);
create table exchange.engine_balances (
    account uuid not null, coin text not null, units numeric(78, 0) not null, taken_ms bigint not null
);
create index on exchange.engine_balances (taken_ms);
create table exchange.published (
    figure text, cents bigint, money money, period_end date not null, published timestamp not null
);
"""


@contextmanager
def exchange_server() -> Iterator[Server]:
    """A server whose user ``USER`` has the password ``SECRET``; skips where there is none, which continuous
    integration may not."""
    if problem := postgresql_tools.missing():
        lacking(problem)
    with postgresql_tools.server(SETTINGS) as server:
        rules = server.data / "pg_hba.conf"
        rules.write_text(f"local all {USER} scram-sha-256\n" + rules.read_text(encoding="utf-8"), encoding="utf-8")
        server.run(f"create role {USER} login password {_quoted(SECRET)}")
        server.reload()
        server.run(f"create database exchange owner {USER}")
        yield server


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Exchange:
    """The database ``exchange`` as its owner sees it."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def run(self, sql: str) -> None:
        """Execute statements, as the superuser, in one transaction."""
        self.server.run(sql, "exchange")

    def create(self, filled: str) -> None:
        """All tables anew, with what ``filled`` puts into them, readable by ``USER``."""
        rights = f"grant usage on schema exchange to {USER}; grant select on all tables in schema exchange to {USER};"
        self.run(f"drop schema if exists exchange cascade; {SCHEMA} {rights} {filled}")

    def connect(self) -> Any:
        """A connection of the superuser's, for transactions that stay open."""
        import adbc_driver_postgresql.dbapi as driver

        return driver.connect(f"host={self.server.folder} user=ringfence dbname=exchange", autocommit=True)


def execute(connection: Any, sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[Any] = cursor.fetchall() if cursor.description else []
        return rows


def close(connection: Any) -> None:
    with suppress(Exception):  # it may have been terminated
        connection.close()
