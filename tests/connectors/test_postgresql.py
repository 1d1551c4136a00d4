"""The PostgreSQL connector against a real server: exact, in one snapshot, late rows once, every refusal in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.bench.speed.contenders import postgresql_tools
from orchestration.bench.speed.contenders.postgresql_tools import Server
from orchestration.connectors.base import Batch, Clock, Order, Services
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.delivery import last_manifest, manifests
from orchestration.connectors.errors import AnswerError, IncompleteError, LimitError
from orchestration.connectors.postgresql import stream
from orchestration.connectors.postgresql.configuration import RowLimits
from orchestration.connectors.postgresql.queries import Selected
from orchestration.connectors.postgresql.stream import Stream
from orchestration.connectors.pulling import PullError, check_source, pull_day
from orchestration.connectors.secrets import Secrets
from orchestration.errors import ConfigurationError
from tests.connectors.conformance import SECRET, Case, ConformanceTests, Fault
from tests.connectors.postgresql_server import USER, Exchange, close, exchange_server, execute

DAY = date(2026, 11, 21)
HOUSE, ALICE, BOB = (f"00000000-0000-0000-0000-00000000000{number}" for number in "123")
DEPOSIT, TRADE = (f"10000000-0000-0000-0000-00000000000{number}" for number in "12")

FILLED = f"""
insert into exchange.users values
    (1, 'OPERATOR', 'Exchange Ltd', 'MT', '2020-01-01T00:00:00Z'),
    (2, 'PERSON', null, null, '2021-05-06T07:08:09.123456Z');
insert into exchange.trading_accounts values
    ('{HOUSE}', 1, 9, false, '2020-01-01 00:00:00', 'infinity', 1577836800000),
    ('{ALICE}', 2, 1, true, '2021-07-01 02:00:00', '2026-11-01T00:00:00Z', 1620284889123);
insert into exchange."Journal" values
    (9007199254740993, '{DEPOSIT}', '{ALICE}', 'BTC', 0.100000000000000001, 'DEP', '2026-11-21T01:00:00+02:00',
        '2026-11-21T00:00:00Z', '{{"transfer": "0xab"}}'),
    (9007199254740994, '{DEPOSIT}', '{HOUSE}', 'BTC', -0.100000000000000001, 'DEP', '2026-11-20T23:00:00Z',
        '2026-11-21T00:00:00Z', '{{"transfer": "0xab"}}'),
    (3, '{TRADE}', '{ALICE}', 'SHIB', 99999999999999999999.5, 'TRD', '2026-11-21T12:00:00.123456Z',
        '2026-11-21T23:59:59.999999Z', null),
    (4, '{TRADE}', '{BOB}', 'SHIB', -99999999999999999999.500000000000000000000, 'TRD', '2026-11-21T12:00:00.123456Z',
        '2026-11-21T23:59:59.999999Z', null);
insert into exchange.engine_balances values
    ('{ALICE}', 'ETH', 123456789012345678901, 1795305599999), ('{BOB}', 'ETH', 0, 1795305599999);
insert into exchange.published values
    ('Umsatz', 123456789012, 12.34, '2026-10-31', '2026-11-21 01:30:00');
"""

LEDGER: dict[str, Any] = {
    "from": 'exchange."Journal"',
    "columns": {
        "entry_id": "id",
        "transaction_id": "tx",
        "account_id": "account",
        "asset": "coin",
        "amount": "amount",
        "entry_type": {"column": "side", "values": {"DEP": "deposit", "WDR": "withdrawal", "TRD": "trade"}},
        "effective_at": "happened",
        "recorded_at": "posted_at",
        "reference": {"sql": "ref ->> 'transfer' -- the chain's"},
        "memo": {"value": "it's from\\PostgreSQL"},
    },
    "cursor": "posted_at",
}
SNAPSHOTS: dict[str, Any] = {
    "from": "exchange.engine_balances",
    "columns": {
        "account_id": "account",
        "asset": "coin",
        "balance": {"column": "units", "decimals": 18},
        "as_of": {"column": "taken_ms", "epoch": "milliseconds"},
    },
    "cursor": {"column": "taken_ms", "epoch": "milliseconds"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with exchange_server() as running:
        yield running


@pytest.fixture
def exchange(server: Server) -> Exchange:
    made = Exchange(server)
    made.create(FILLED)
    return made


class Outside:
    """The faults of a database, and their end."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.server = exchange, exchange.server
        self._threads: list[threading.Thread] = []
        self._release = threading.Event()

    def sql(self, statement: str) -> Callable[[], None]:
        return lambda: self.exchange.run(statement)

    def locked(self, table: str, *, terminates: bool = False) -> Callable[[], None]:
        """Somebody holds ``table``; with ``terminates``, whoever waits for it is thrown out."""

        def begin() -> None:
            self._release.clear()
            ready = threading.Event()
            thread = threading.Thread(target=self._hold, args=(table, terminates, ready), daemon=True)
            thread.start()
            self._threads.append(thread)
            assert ready.wait(10)

        return begin

    def _hold(self, table: str, terminates: bool, ready: threading.Event) -> None:
        connection = self.exchange.connect()
        try:
            execute(connection, "begin")
            execute(connection, f"lock table {table} in access exclusive mode")
            ready.set()
            while not self._release.wait(0.01):
                if terminates:
                    execute(
                        connection,
                        "select pg_terminate_backend(pid) from pg_locks where not granted and locktype = 'relation'",
                    )
        finally:
            close(connection)

    def heal(self) -> None:
        self._release.set()
        for thread in self._threads:
            thread.join(10)
        self._threads = []
        self.server.ensure_started()
        self.server.run(f"alter role {USER} password '{SECRET}'")
        self.exchange.create(FILLED)


def faults(outside: Outside) -> dict[str, Fault]:
    journal, rest = 'exchange."Journal"', "tx, account, coin, amount, side, happened, posted_at"
    return {
        "down": Fault(outside.server.stop, "No such file or directory"),
        "midway": Fault(outside.locked(journal, terminates=True), "terminating connection"),
        "locked": Fault(outside.locked(journal), "lock timeout"),
        "empty": Fault(outside.sql(f"delete from {journal}"), "counts as missing"),
        "rubbish": Fault(outside.sql(f"update {journal} set amount = 'NaN' where id = 4"), "not a decimal number"),
        "endless": Fault(
            outside.sql(f"update {journal} set amount = '-Infinity' where id = 4"), "not a decimal number"
        ),
        "too exact": Fault(outside.sql(f"update {journal} set amount = 1e-19 where id = 4"), "more than 18 decimal"),
        "oversized": Fault(
            outside.sql(f"insert into {journal} select id + 100, {rest} from {journal}"), "has 8 rows, more than 5"
        ),
        "denied": Fault(outside.sql(f"alter role {USER} password 'another'"), "password authentication failed"),
        "floats": Fault(
            outside.sql("alter table exchange.engine_balances alter units type double precision"), "binary float"
        ),
        "no right": Fault(outside.sql(f"revoke select on {journal} from {USER}"), "grant the user"),
        "hidden rows": Fault(outside.sql(f"alter table {journal} enable row level security"), "BYPASSRLS"),
        "no table": Fault(outside.sql(f"alter table {journal} rename to journal"), "mend from or query"),
        "no column": Fault(outside.sql(f"alter table {journal} rename coin to asset"), "mend the mapping"),
        "unknown code": Fault(outside.sql(f"update {journal} set side = 'FEE' where id = 4"), "has the code 'FEE'"),
        "infinity": Fault(outside.sql(f"update {journal} set happened = 'infinity' where id = 4"), "is infinite"),
        "no cursor": Fault(
            outside.sql(
                f"alter table {journal} alter posted_at drop not null;"
                f"update {journal} set posted_at = null where id = 4"
            ),
            "cursor is null",
        ),
        "earlier": Fault(
            outside.sql(f"update {journal} set posted_at = '2026-11-19T23:59:59Z' where id = 4"),
            "pull --from 2026-11-19",
        ),
    }


class TestLedgerAndSnapshots(ConformanceTests):
    @pytest.fixture
    def case(self, exchange: Exchange) -> Iterator[Case]:
        outside = Outside(exchange)
        entry = {"memo": "it's from\\PostgreSQL", "asset": "BTC", "entry_type": "deposit", "reference": "0xab"}
        entry |= {"transaction_id": DEPOSIT, "effective_at": "2026-11-20 23:00:00", "recorded_at": "2026-11-21"}
        trade = {**entry, "asset": "SHIB", "entry_type": "trade", "reference": None, "transaction_id": TRADE}
        trade |= {"effective_at": "2026-11-21 12:00:00.123456", "recorded_at": "2026-11-21 23:59:59.999999"}
        as_of = {"asset": "ETH", "as_of": "2026-11-21 23:59:59.999"}
        yield Case(
            section={
                "kind": "postgresql",
                "connection": f"postgresql://{USER}:${{EXCHANGE_PASSWORD}}@/exchange?host={exchange.server.folder}",
                "tables": {"ledger_entries": LEDGER, "balance_snapshots": SNAPSHOTS},
                "lock_seconds": 0.3,
                "limits": {"max_rows": 5},
            },
            day=DAY,
            variables={"EXCHANGE_PASSWORD": SECRET},
            expected={
                "ledger_entries": [
                    {**entry, "entry_id": "9007199254740993", "account_id": ALICE, "amount": "0.100000000000000001"},
                    {**entry, "entry_id": "9007199254740994", "account_id": HOUSE, "amount": "-0.100000000000000001"},
                    {**trade, "entry_id": "3", "account_id": ALICE, "amount": "99999999999999999999.5"},
                    {**trade, "entry_id": "4", "account_id": BOB, "amount": "-99999999999999999999.5"},
                ],
                "balance_snapshots": [
                    {**as_of, "account_id": ALICE, "balance": "123.456789012345678901"},
                    {**as_of, "account_id": BOB, "balance": "0"},
                ],
            },
            faults=faults(outside),
            heal=outside.heal,
            is_http=False,
        )
        outside.heal()


REFERENCES: dict[str, Any] = {
    "entities": {
        "from": "exchange.users",
        "columns": {
            "entity_id": "id",
            "entity_type": {"column": "kind", "values": {"OPERATOR": "operator", "PERSON": "person"}},
            "name": "full_name",
            "country": "country",
            "recorded_at": "created",
        },
    },
    "accounts": {
        "from": "exchange.trading_accounts",
        "columns": {
            "account_id": "id",
            "entity_id": "user_id",
            "account_class": {"column": "class", "values": {1: "spot", 9: "external"}},
            "opened_at": "opened",
            "closed_at": "closed",
            "recorded_at": {"column": "updated_ms", "epoch": "milliseconds"},
        },
        "time_zone": "Europe/Berlin",
    },
    "account_privileges": {
        "query": "select * from exchange.trading_accounts where allow_negative -- a flag, once more",
        "where": "opened < {until}",
        "columns": {
            "account_id": "id",
            "privilege": {"value": "allow_negative_balance"},
            "valid_from": {"sql": "timestamptz '2021-07-01 00:00:00Z'"},
            "recorded_at": {"sql": "least(to_timestamp(0), {since})"},
            "set_by": {"column": "allow_negative", "values": {True: "somebody", False: "nobody"}},
        },
    },
    "reported_figures": {
        "from": "exchange.published",
        "columns": {
            "figure": {"column": "figure", "values": {"Umsatz": "revenue"}},
            "asset": {"value": "EUR"},
            "amount": {"sql": "cents + 0.5", "decimals": 2},
            "line": {"sql": "money::numeric::text"},
            "period_end": "period_end",
            "published_at": "published",
        },
        "cursor": "published",
        "time_zone": "Europe/Berlin",
    },
}
REFERENCES_LANDED: dict[str, list[dict[str, str | None]]] = {
    "entities": [
        {
            "entity_id": "1",
            "entity_type": "operator",
            "name": "Exchange Ltd",
            "country": "MT",
            "recorded_at": "2020-01-01",
        },
        {"entity_id": "2", "entity_type": "person", "recorded_at": "2021-05-06 07:08:09.123456"},
    ],
    "accounts": [
        {
            "account_id": HOUSE,
            "entity_id": "1",
            "account_class": "external",
            "opened_at": "2019-12-31 23:00:00",
            "recorded_at": "2020-01-01",
        },
        {
            "account_id": ALICE,
            "entity_id": "2",
            "account_class": "spot",
            "opened_at": "2021-07-01 00:00:00",
            "closed_at": "2026-11-01",
            "recorded_at": "2021-05-06 07:08:09.123",
        },
    ],
    "account_privileges": [
        {
            "account_id": ALICE,
            "privilege": "allow_negative_balance",
            "valid_from": "2021-07-01",
            "recorded_at": "1970-01-01",
            "set_by": "somebody",
        }
    ],
    "reported_figures": [
        {
            "figure": "revenue",
            "line": "12.34",
            "asset": "EUR",
            "amount": "1234567890.125",
            "period_end": "2026-10-30 23:00:00",
            "published_at": "2026-11-21 00:30:00",
        }
    ],
}


class TestReferenceTablesAndOddities(ConformanceTests):
    """Whole tables, a query of the user's own, local time, money, a keyword connection string."""

    @pytest.fixture
    def case(self, exchange: Exchange) -> Iterator[Case]:
        outside = Outside(exchange)
        published = "exchange.published"
        yield Case(
            section={
                "kind": "postgresql",
                "connection": f"host={exchange.server.folder} dbname=exchange user={USER} password='${{PASSWORD}}'",
                "tables": REFERENCES,
                "attempts": 2,
                "limits": {"max_rows": 3},
            },
            day=DAY,
            variables={"PASSWORD": SECRET},
            expected=REFERENCES_LANDED,
            faults={
                "down": Fault(outside.server.stop, "No such file or directory"),
                "midway": Fault(outside.locked(published, terminates=True), "terminating connection"),
                "empty": Fault(outside.sql("delete from exchange.trading_accounts"), "counts as missing"),
                "rubbish": Fault(outside.sql("update exchange.users set kind = 'ROBOT'"), "has the code 'ROBOT'"),
                "oversized": Fault(
                    outside.sql(
                        "insert into exchange.users select id + 9, kind, null, null, created from exchange.users"
                    ),
                    "more than 3 rows",
                ),
                "no money": Fault(
                    outside.sql(f"alter table {published} alter money type boolean using true"), "boolean"
                ),
                "no time": Fault(
                    outside.sql(f"alter table {published} alter published type text"), "name a column of times"
                ),
            },
            heal=outside.heal,
            is_http=False,
        )
        outside.heal()


NEXT, AFTER = DAY + timedelta(days=1), DAY + timedelta(days=2)
CLOCK = Clock(now=lambda: datetime(2026, 12, 1), sleep=lambda _: None)


def journal_row(entry: int, posted_at: str, amount: str = "1") -> str:
    """SQL that books both sides of a transaction, so that a half would show."""
    return f"""
        insert into exchange."Journal" values
            ({entry}, '{TRADE}', '{ALICE}', 'BTC', {amount}, 'TRD', '{posted_at}', '{posted_at}', null),
            (-{entry}, '{TRADE}', '{BOB}', 'BTC', -({amount}), 'TRD', '{posted_at}', '{posted_at}', null)
    """


def ledger(**keys: Any) -> dict[str, Any]:
    return {"ledger_entries": {**LEDGER, **keys}}


@pytest.fixture
def configured(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Source]:
    """A source with these tables and keys."""
    monkeypatch.setenv("EXCHANGE_PASSWORD", SECRET)
    (tmp_path / "landing").mkdir()

    def load(tables: dict[str, Any] | None = None, **keys: Any) -> Source:
        section = {
            "kind": "postgresql",
            "connection": f"postgresql://{USER}:${{EXCHANGE_PASSWORD}}@/exchange?host={exchange.server.folder}",
            "tables": tables or ledger(),
            **keys,
        }
        path = tmp_path / "sources.yaml"
        path.write_text(yaml.safe_dump({"sources": {"exchange": section}}), encoding="utf-8")
        (loaded,) = load_sources(path)
        return loaded

    return load


def pulled(source: Source, tmp_path: Path, day: date, table: str = "ledger_entries") -> list[str]:
    """Pull a day; return the keys of what landed with it."""
    landing = tmp_path / "landing"
    pull_day(source, landing, day, CLOCK)
    file = pq.ParquetFile(landing / table / f"date={day}" / "exchange.parquet").read()
    return file.column(0).to_pylist()


def refusal(source: Source, tmp_path: Path, day: date = DAY) -> str:
    with pytest.raises(PullError) as error:
        pull_day(source, tmp_path / "landing", day, CLOCK)
    return str(error.value)


def test_what_commits_late_comes_once_with_the_next_day(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    source, late, later = configured(), exchange.connect(), exchange.connect()
    execute(late, "begin")
    execute(late, journal_row(70, "2026-11-21T23:59:00Z"))  # within the overlap
    execute(later, "begin")
    execute(later, journal_row(71, "2026-11-21T09:00:00Z"))  # hours beyond it
    exchange.run(journal_row(80, "2026-11-22T10:00:00Z") + ";" + journal_row(90, "2026-11-23T10:00:00Z"))
    assert {"70", "71"}.isdisjoint(pulled(source, tmp_path, DAY))
    execute(late, "commit")
    assert pulled(source, tmp_path, NEXT) == ["-70", "70", "-80", "80"]
    execute(later, "commit")
    assert pulled(source, tmp_path, AFTER) == ["-71", "71", "-90", "90"]
    close(late)
    close(later)


def test_a_quiet_overlap_adds_nothing_and_a_changed_row_comes_again(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    source = configured()
    exchange.run(journal_row(80, "2026-11-22T23:30:00Z") + ";" + journal_row(90, "2026-11-23T10:00:00Z"))
    assert len(pulled(source, tmp_path, DAY)) == 4
    assert pulled(source, tmp_path, NEXT) == ["-80", "80"], "rows of 23:59:59 were read again and had been delivered"
    exchange.run("""update exchange."Journal" set amount = amount * 2 where id = 80""")
    assert pulled(source, tmp_path, AFTER) == ["80", "-90", "90"]
    position = last_manifest(tmp_path / "landing", "exchange").position["tables"]["ledger_entries"]  # type: ignore[union-attr]
    assert position["rows"]["2026-11-21"] == 4
    assert position["rows"]["2026-11-20"] == 0
    assert position["cursor"].startswith("2026-11-23 10:00:00")


def test_without_an_overlap_only_a_recount_finds_late_rows_and_without_both_nothing_does(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    source = configured(ledger(overlap="0s"), recount_days=0)
    pulled(source, tmp_path, DAY)
    exchange.run(journal_row(70, "2026-11-21T23:59:00Z") + ";" + journal_row(80, "2026-11-22T10:00:00Z"))
    assert pulled(source, tmp_path, NEXT) == ["-80", "80"]
    exchange.run(journal_row(71, "2026-11-22T23:59:00Z") + ";" + journal_row(90, "2026-11-23T10:00:00Z"))
    source = configured(ledger(overlap="0s"), recount_days=1)
    assert pulled(source, tmp_path, AFTER) == ["-71", "71", "-90", "90"]


def test_another_mapping_doesnt_make_delivered_rows_look_changed(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    exchange.run(journal_row(80, "2026-11-22T10:00:00Z") + ";" + journal_row(90, "2026-11-23T10:00:00Z"))
    pulled(configured(), tmp_path, DAY)
    exchange.run(journal_row(70, "2026-11-21T23:59:00Z"))
    source = configured({"ledger_entries": having(LEDGER, memo={"value": "spelled otherwise"})})
    assert pulled(source, tmp_path, NEXT) == ["-70", "70", "-80", "80"]
    exchange.run(journal_row(71, "2026-11-21T09:00:00Z"))
    assert pulled(source, tmp_path, AFTER) == ["-71", "71", "-90", "90"]


def test_rows_that_are_gone_stop_the_pull_unless_accepted(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    pulled(configured(), tmp_path, DAY)
    exchange.run(journal_row(80, "2026-11-22T10:00:00Z") + """; delete from exchange."Journal" where id = 3""")
    assert "2026-11-21 had 4 rows when last counted and has 3 now; find out who" in refusal(
        configured(), tmp_path, NEXT
    )
    assert pulled(configured(ledger(removed_rows="accept")), tmp_path, NEXT) == ["-80", "80"]
    exchange.run(journal_row(90, "2026-11-23T10:00:00Z"))
    assert pulled(configured(), tmp_path, AFTER) == ["-90", "90"], "what was accepted is what is known now"


def test_a_ledger_may_begin_later_if_that_is_said_and_then_earlier_days_stay_out(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    exchange.run(journal_row(60, "2026-11-20T23:50:00Z") + ";" + journal_row(80, "2026-11-22T10:00:00Z"))
    source = configured(ledger(earlier_rows="leave_out", overlap="2d"))
    assert len(pulled(source, tmp_path, DAY)) == 4
    exchange.run(journal_row(61, "2026-11-20T23:55:00Z"))
    assert pulled(source, tmp_path, NEXT) == ["-80", "80"]


def test_late_rows_dont_hide_that_the_day_itself_is_empty(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    pulled(configured(), tmp_path, DAY)
    exchange.run(journal_row(70, "2026-11-21T23:59:00Z"))
    assert "no row is of 2026-11-22, which counts as missing" in refusal(configured(), tmp_path, NEXT)
    assert pulled(configured(ledger(may_be_empty=True)), tmp_path, NEXT) == ["-70", "70"]
    assert pulled(configured(ledger(may_be_empty=True)), tmp_path, AFTER) == []


def test_what_is_committed_during_a_pull_is_in_none_of_its_tables(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    source = configured({"balance_snapshots": SNAPSHOTS, **ledger()})
    connector = source.connector(Services(tmp_path / "landing", Secrets(), CLOCK))
    rows = {}
    for answer in connector.pull(Order(DAY)):
        if isinstance(answer, Batch):
            rows[answer.table] = answer.rows.read_all().num_rows
            both = f"insert into exchange.engine_balances values ('{HOUSE}', 'ETH', 1, 1795305599999);"
            exchange.run(both + journal_row(100 + len(rows), "2026-11-21T15:00:00Z"))
    assert rows == {"balance_snapshots": 2, "ledger_entries": 4}


@pytest.mark.parametrize(
    ("type_", "cursor", "zone", "earlier", "first", "last", "after"),
    [
        (
            "timestamp",
            {},
            "UTC",
            "2026-11-20 23:59:59.999999",
            "2026-11-21",
            "2026-11-21 23:59:59.999999",
            "2026-11-22",
        ),
        (
            "timestamp",
            {},
            "America/New_York",
            "2026-11-20 18:59:59",
            "2026-11-20 19:00:00",
            "2026-11-21 18:59:59",
            "2026-11-21 19:00:00",
        ),
        ("date", {}, "UTC", "2026-11-20", "2026-11-21", "2026-11-21", "2026-11-22"),
        ("numeric", {"epoch": "seconds"}, "UTC", "1795219199.9", "1795219200", "1795305599.999", "1795305600"),
        (
            "bigint",
            {"epoch": "nanoseconds"},
            "UTC",
            *(f"{s}000000000" for s in (1795219199, 1795219200, 1795305599, 1795305600)),
        ),
    ],
)
def test_a_day_is_half_open_whatever_the_cursor_is_made_of(
    exchange: Exchange,
    configured: Callable[..., Source],
    tmp_path: Path,
    type_: str,
    cursor: dict[str, str],
    zone: str,
    earlier: str,
    first: str,
    last: str,
    after: str,
) -> None:
    values = ", ".join(
        f"('{name}', '{name}', '{at}')" for name, at in zip("abcd", (earlier, first, last, after), strict=True)
    )
    exchange.run(
        f"create table exchange.cut (figure text, line text, at {type_}); insert into exchange.cut values {values};"
        f" grant select on exchange.cut to {USER}"
    )
    columns = {"figure": {"value": "revenue"}, "line": "line", "amount": {"value": 1}}
    columns |= {"period_end": {"value": DAY}, "published_at": {"column": "at", **cursor}}
    mapping = {"from": "exchange.cut", "columns": columns, "cursor": {"column": "at", **cursor}, "time_zone": zone}
    source = configured({"reported_figures": mapping})
    pulled(source, tmp_path, DAY, "reported_figures")
    path = tmp_path / "landing" / "reported_figures" / f"date={DAY}" / "exchange.parquet"
    rows = pq.ParquetFile(path).read().to_pylist()
    assert [row["line"] for row in rows] == ["b", "c"]
    assert rows[0]["published_at"] == datetime(2026, 11, 21)


def without(table: dict[str, Any], column: str) -> dict[str, Any]:
    return {**table, "columns": {name: value for name, value in table["columns"].items() if name != column}}


def having(table: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return {**table, "columns": {**table["columns"], **columns}}


@pytest.mark.parametrize(
    ("tables", "keys", "says"),
    [
        ({"ledger_entrys": LEDGER}, {}, "no table ledger_entrys; did you mean ledger_entries?"),
        ({"ledger_entries": without(LEDGER, "amount")}, {}, "ledger_entries.amount is required and not mapped"),
        ({"ledger_entries": having(LEDGER, ammount="x")}, {}, "no column ammount; did you mean amount?"),
        ({"ledger_entries": {**LEDGER, "cursor": None}}, {}, "ledger_entries needs a cursor"),
        ({"entities": {**REFERENCES["entities"], "cursor": "created"}}, {}, "read whole; leave cursor out"),
        ({"ledger_entries": {**LEDGER, "query": "select 1"}}, {}, "say either from"),
        ({"ledger_entries": {**LEDGER, "from": None}}, {}, "say either from"),
        ({"ledger_entries": {**LEDGER, "overlap": "soon"}}, {}, "no length of time"),
        ({"ledger_entries": {**LEDGER, "overlap": "60d"}}, {}, "at most 31d"),
        ({"ledger_entries": {**LEDGER, "time_zone": "x'; drop"}}, {}, "time_zone"),
        ({"ledger_entries": {**LEDGER, "cursor": {"value": "2026"}}}, {}, "cursor is a time"),
        ({"ledger_entries": having(LEDGER, memo={"value": 0.1})}, {}, "put it in quotes"),
        ({"ledger_entries": having(LEDGER, memo={"value": "x", "sql": "y"})}, {}, "exactly one of"),
        ({"ledger_entries": having(LEDGER, memo={"value": "x", "values": {"x": "y"}})}, {}, "a constant value"),
        ({"ledger_entries": having(LEDGER, memo={"column": "x", "decimals": 2})}, {}, "memo is no amount"),
        ({"ledger_entries": having(LEDGER, memo={"column": "x", "epoch": "seconds"})}, {}, "memo is no time"),
        ({"ledger_entries": having(LEDGER, entry_type={"value": "gift"})}, {}, "entry_type can't be gift"),
        ({"ledger_entries": having(LEDGER, entry_type={"column": "x", "values": {"A": "gift"}})}, {}, "can't be gift"),
        (None, {"connection": "postgresql://me:hunter2@host/db"}, "an address with a password in it"),
        (None, {"connection": "host=x password = 'hunter2' user=me"}, "connection has a password in it"),
        (None, {"connection": "postgresql://me@host/db?password=hunter2"}, "connection has a password in it"),
        (None, {"limit": 3}, "limit: no such key"),
    ],
)
def test_mistakes_that_the_contract_shows_are_refused_when_the_file_is_read(
    tmp_path: Path, tables: dict[str, Any] | None, keys: dict[str, Any], says: str
) -> None:
    section = {"kind": "postgresql", "connection": "host=x password='${A}'", "tables": tables or ledger(), **keys}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": {"exchange": section}}), encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_sources(path)
    assert says in str(error.value)
    assert "exchange" in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({**LEDGER, "from": "journal"}, 'relation "journal" does not exist; mend from or query'),
        ({**LEDGER, "from": "a..b"}, "'a..b' is no name of a table"),
        ({**LEDGER, "from": 'exchange."Journal" as x; drop table users'}, "is no name of a table"),
        ({**LEDGER, "from": "exchange.Journal;--"}, "does not exist"),
        (having(LEDGER, memo="nothing"), "nothing does not exist; mend the mapping"),
        (having(LEDGER, memo={"sql": "1) from"}), "mend the SQL"),
        (having(LEDGER, memo={"sql": "missing(1)"}), "mend the SQL"),
        (having(LEDGER, memo={"sql": "'\\x00'::bytea"}), "memo can't be taken from a column that is bytea; turn it"),
        (having(LEDGER, memo={"sql": "array[1]"}), "memo can't be taken from a column that is _int4"),
        (having(LEDGER, amount={"sql": "amount::real"}), "float4; it is a binary float"),
        (having(LEDGER, entry_id={"sql": "'one'"}, amount={"sql": "1::real", "decimals": 2}), "binary float"),
        (having(LEDGER, amount={"sql": "true"}), "amount can't be taken from a column that is bool; point to a"),
        (having(LEDGER, effective_at="id"), "int8; point to a time, or say epoch"),
        (having(LEDGER, effective_at={"column": "happened", "epoch": "seconds"}), "timestamptz; point to a time"),
        ({**LEDGER, "cursor": "id"}, "the cursor can't be taken from a column that is int8; name a column of times"),
        ({**LEDGER, "cursor": {"column": "posted_at", "epoch": "seconds"}}, "the cursor can't be taken"),
        ({**LEDGER, "where": "pg_sleep(5) is not null"}, "raise statement_seconds"),
        ({**LEDGER, "query": "delete from exchange.users returning *", "from": None}, "mend the SQL"),
        (having(LEDGER, effective_at={"sql": "happened::timestamp"}) | {"time_zone": "Moon/Base"}, "mend time_zone"),
    ],
)
def test_what_the_database_doesnt_have_is_told_by_checking_and_by_pulling(
    configured: Callable[..., Source], tmp_path: Path, table: dict[str, Any], says: str
) -> None:
    tables = {"a": SNAPSHOTS, "b": table}
    source = configured({"balance_snapshots": tables["a"], "ledger_entries": tables["b"]}, statement_seconds=1)
    probes = {probe.subject: probe for probe in check_source(source, tmp_path / "landing", CLOCK)}
    assert (probes["connection"].works, probes["balance_snapshots"].works) == (True, True)
    if "pg_sleep" not in str(table):  # no row is read, so nothing takes long
        broken = probes.get("ledger_entries") or probes["postgresql"]
        assert not broken.works
        assert says in broken.detail
    message = refusal(source, tmp_path)
    assert says in message
    assert "ledger_entries" in message
    assert not manifests(tmp_path / "landing", "exchange")


def test_checking_says_what_a_pull_would_find(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    exchange.run("drop index exchange.engine_balances_taken_ms_idx")
    tables = {"balance_snapshots": SNAPSHOTS, "entities": REFERENCES["entities"], **ledger()}
    probes = {probe.subject: probe for probe in check_source(configured(tables), tmp_path / "landing", CLOCK)}
    assert all(probe.works for probe in probes.values())
    assert probes["connection"].detail.endswith(f"database exchange as {USER}")
    assert "its first rows are of 2026-11-21: pull --from then" in probes["ledger_entries"].detail
    assert "no index begins with the cursor" in probes["balance_snapshots"].detail
    assert probes["entities"].detail == "exchange.users can be read; 5 columns suit"


@pytest.mark.parametrize(
    ("connection", "value"),
    [
        ("postgres://{user}:${{EXCHANGE_PASSWORD}}@/exchange?host={host}&application_name=mine", SECRET),
        ("host={host} dbname=exchange user={user} password=${{EXCHANGE_PASSWORD}}", SECRET),
        ("${{EXCHANGE_PASSWORD}}", "postgresql://{user}:{encoded}@/exchange?host={host}"),
        ("${{EXCHANGE_PASSWORD}}", "host={host} dbname=exchange user={user} password='{secret}'"),
    ],
)
def test_a_password_is_spelled_as_the_connection_string_asks_and_never_shown(
    exchange: Exchange,
    configured: Callable[..., Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
    value: str,
) -> None:
    for secret in (SECRET, r"it's a \ + & = @:/? %41 ü"):
        spelled = quote(secret, safe="")
        backslashed = secret.replace("\\", "\\\\").replace("'", "\\'")
        names = {"user": USER, "host": exchange.server.folder, "encoded": spelled, "secret": backslashed}
        exchange.server.run(f"alter role {USER} password '{secret.replace(chr(39), chr(39) * 2)}'")
        monkeypatch.setenv("EXCHANGE_PASSWORD", secret if value == SECRET else value.format(**names))
        source = configured(connection=connection.format(**names))
        monkeypatch.setenv("EXCHANGE_PASSWORD", secret if value == SECRET else value.format(**names))
        probes = check_source(source, tmp_path / "landing", CLOCK)
        assert all(probe.works for probe in probes), probes
        exchange.server.run(f"alter role {USER} password 'changed'")
        (probe,) = check_source(source, tmp_path / "landing", CLOCK)
        assert "password authentication failed" in probe.detail
        assert secret not in probe.detail
    exchange.server.run(f"alter role {USER} password '{SECRET}'")


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ("exchange.example", "connection is no address of a PostgreSQL"),
        ("${EXCHANGE_PASSWORD}", "connection isn't well formed"),
        ("host=x nonsense=${EXCHANGE_PASSWORD}", "connection isn't well formed"),
        ("postgresql://me:${EXCHANGE_PASSWORD}@127.0.0.1:1/db", "Connection refused"),
        ("postgresql://me:${EXCHANGE_PASSWORD}@host.invalid/db", "mend the host's name"),
        ("postgresql://nobody_here@/exchange?host={host}", 'role "nobody_here" does not exist; mend the user'),
        ("postgresql://ringfence@/missing?host={host}", "mend the name of the database"),
    ],
)
def test_who_turns_us_away_is_told_in_one_line(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path, connection: str, says: str
) -> None:
    source = configured(connection=connection.replace("{host}", str(exchange.server.folder)), connect_seconds=2)
    message = refusal(source, tmp_path)
    assert says in message
    assert "\n" not in message
    assert SECRET.split("/")[0] not in message


def test_a_server_that_is_coming_back_is_asked_again(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    exchange.server.stop()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            exchange.server.start()

    clock = Clock(now=CLOCK.now, sleep=sleep)
    assert pull_day(configured(), tmp_path / "landing", DAY, clock) is not None
    assert len(slept) == 2


def test_a_replica_that_hasnt_replayed_the_day_is_refused(
    exchange: Exchange, configured: Callable[..., Source], tmp_path: Path
) -> None:
    with postgresql_tools.replica_of(exchange.server) as replica:
        source = configured(
            connection=f"host={replica.folder} dbname=exchange user={USER} password=${{EXCHANGE_PASSWORD}}"
        )
        assert "replica that has replayed nothing yet, and 2026-11-21 may not be whole" in refusal(source, tmp_path)


def test_a_stream_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(table: pa.Table, limits: RowLimits, expected: int | None = None) -> pa.Table:
        selected = [Selected(name, "", {}) for name in table.column_names]
        return Stream("here", selected, limits, lambda _: None, expected).over(table.to_reader()).read_all()

    table = pa.table({"memo": ["x" * 400_000, "y"]})
    assert read(table, RowLimits(), 2) == table
    with pytest.raises(IncompleteError, match="2 rows came and 3 were counted"):
        read(table, RowLimits(), 3)
    with pytest.raises(LimitError, match="more than 1 rows"):
        read(table, RowLimits(max_rows=1))
    monkeypatch.setattr(stream, "BATCH_BYTES", 1)
    wide = pa.table({"memo": ["x" * 1_100_000]})
    with pytest.raises(LimitError, match="a row of more than 1 MB"):
        read(wide, RowLimits(max_row_megabytes=1))
    broken = pa.table({"memo": pa.array([b"\xff"]).view(pa.string())})
    with pytest.raises(AnswerError, match="isn't UTF-8"):
        read(broken, RowLimits())
