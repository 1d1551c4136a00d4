"""Publishing replaces the analysts' file as a whole or not at all, and never disturbs who reads it."""

from __future__ import annotations

import stat
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.publish import snapshot
from orchestration.publish.snapshot import PublishError, Source, publish
from orchestration.settings import WarehousePaths

EXACT = "12345678901234567890.000000000000000001"


def write_source(path: Path, amount: str = EXACT, schemas: tuple[str, ...] = ("marts", "audit")) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for schema in schemas:
            connection.execute(f"create schema {schema}")
            connection.execute(f"create table {schema}.amount (day date primary key, amount decimal(38, 18) not null)")
            connection.execute(f"insert into {schema}.amount values ('2024-01-01', {amount})")
            connection.execute(f"comment on table {schema}.amount is 'Grain: one row per day; it''s exact'")
            connection.execute(f"comment on column {schema}.amount.amount is 'USD'")
            connection.execute(f"create view {schema}.doubled as select amount * 2 as amount from {schema}.amount")
        connection.execute("create schema internal")
        connection.execute("create table internal.secret as select 1 as x")
    return path


@pytest.fixture
def paths(tmp_path: Path) -> WarehousePaths:
    return WarehousePaths(tmp_path / "warehouse")


def publish_both(paths: WarehousePaths, source: Path, name: str = "first", kept: int = 3) -> snapshot.Publication:
    return publish(paths, [Source("marts", source), Source("audit", source)], name=name, kept=kept)


def published_amount(paths: WarehousePaths) -> Decimal:
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        amount = connection.execute("select amount from marts.amount").fetchall()[0][0]
        assert isinstance(amount, Decimal)
        return amount


def test_a_published_file_holds_the_schemas_asked_for_with_comments_keys_and_views(
    paths: WarehousePaths, tmp_path: Path
) -> None:
    publish_both(paths, write_source(tmp_path / "build.duckdb"))
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name, comment from duckdb_tables() order by all"
        ).fetchall()
        assert tables == [
            ("audit", "amount", "Grain: one row per day; it's exact"),
            ("marts", "amount", "Grain: one row per day; it's exact"),
        ]
        columns = connection.execute(
            "select comment from duckdb_columns() where table_name = 'amount' and column_name = 'amount'"
        ).fetchall()
        assert columns == [("USD",), ("USD",)]
        keys = connection.execute("select count(*) from duckdb_constraints() where constraint_type = 'PRIMARY KEY'")
        assert keys.fetchall() == [(2,)]
        # A doubled amount of this size doesn't fit its type: the view must be there, not its rows.
        assert connection.execute("select count(*) from duckdb_views() where not internal").fetchall() == [(2,)]
    assert published_amount(paths) == Decimal(EXACT)


def test_a_view_on_two_schemas_works_in_the_published_file_under_whatever_name(
    paths: WarehousePaths, tmp_path: Path
) -> None:
    last, now = write_source(tmp_path / "last.duckdb", "3"), write_source(tmp_path / "now.duckdb", "4")
    with duckdb.connect(str(last)) as connection:
        connection.execute(
            "create view marts.both as from marts.amount union all from audit.amount;"
            " comment on column marts.both.amount is 'USD'"
        )
    # As after a refused run: the marts that were published before, the audit as it is now.
    publish(paths, [Source("marts", last), Source("audit", now)], name="both", kept=3)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{paths.published_file}' as exchange (read_only)")
        rows = connection.execute("select amount from exchange.marts.both order by 1").fetchall()
        assert rows == [(Decimal(3),), (Decimal(4),)]
        comment = connection.execute(
            "select comment from duckdb_columns() where table_name = 'both' and column_name = 'amount'"
        )
        assert comment.fetchall() == [("USD",)]


def test_a_published_file_is_read_only_and_leaves_no_write_ahead_log(paths: WarehousePaths, tmp_path: Path) -> None:
    publication = publish_both(paths, write_source(tmp_path / "build.duckdb"))
    assert stat.S_IMODE(publication.file.stat().st_mode) == 0o444
    assert sorted(path.name for path in paths.root.rglob("*") if path.is_file()) == [
        "ringfence.duckdb",
        "ringfence_first.duckdb",
    ]


def test_a_reader_keeps_the_file_that_it_opened_while_the_next_one_sees_the_new(
    paths: WarehousePaths, tmp_path: Path
) -> None:
    publish_both(paths, write_source(tmp_path / "build.duckdb", "1"))
    with duckdb.connect(str(paths.published_file), read_only=True) as reader:
        publish_both(paths, write_source(tmp_path / "build.duckdb", "2"), "second")
        assert reader.execute("select amount from marts.amount").fetchall() == [(Decimal(1),)]
    assert published_amount(paths) == Decimal(2)


def test_the_same_content_has_the_same_digest_and_other_content_another(paths: WarehousePaths, tmp_path: Path) -> None:
    digests = [
        publish_both(paths, write_source(tmp_path / "build.duckdb", amount), name).digest
        for name, amount in (("a", "1"), ("b", "1"), ("c", "1.000000000000000001"))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_copy_that_lost_a_row_is_refused_and_the_old_file_stays(
    paths: WarehousePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_both(paths, write_source(tmp_path / "build.duckdb", "1"))
    original = snapshot._copy_tables

    def losing(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> None:
        original(connection, database, schema)
        connection.execute(f"delete from target.{schema}.amount")

    monkeypatch.setattr(snapshot, "_copy_tables", losing)
    with pytest.raises(PublishError, match=r"marts\.amount: the copy has 0 rows, its source 1"):
        publish_both(paths, write_source(tmp_path / "build.duckdb", "2"), "second")
    assert published_amount(paths) == Decimal(1)
    assert not list(paths.root.rglob(".publishing-*"))


def test_a_failure_at_the_last_step_leaves_the_old_file(
    paths: WarehousePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_both(paths, write_source(tmp_path / "build.duckdb", "1"))

    def failing(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "_put_in_place", failing)
    with pytest.raises(PublishError, match="No space left on device"):
        publish_both(paths, write_source(tmp_path / "build.duckdb", "2"), "second")
    assert published_amount(paths) == Decimal(1)


def test_leftovers_of_a_killed_run_are_cleared_and_stray_logs_never_replayed(
    paths: WarehousePaths, tmp_path: Path
) -> None:
    publish_both(paths, write_source(tmp_path / "build.duckdb", "1"))
    (paths.snapshots / ".publishing-killed.duckdb").write_bytes(b"half a file")
    (paths.root / "ringfence.duckdb.wal").write_bytes(b"somebody's log")
    publish_both(paths, write_source(tmp_path / "build.duckdb", "2"), "second")
    assert published_amount(paths) == Decimal(2)
    assert not list(paths.root.rglob(".publishing-*"))
    assert not list(paths.root.rglob("*.wal"))


def test_old_snapshots_go_and_the_current_one_never_does(paths: WarehousePaths, tmp_path: Path) -> None:
    for number in range(5):
        publish_both(paths, write_source(tmp_path / "build.duckdb", str(number)), f"run{number}", kept=2)
    assert sorted(path.name for path in paths.snapshots.iterdir()) == [
        "ringfence_run3.duckdb",
        "ringfence_run4.duckdb",
    ]
    assert published_amount(paths) == Decimal(4)


def test_audit_alone_can_be_renewed_beside_the_marts_published_last(paths: WarehousePaths, tmp_path: Path) -> None:
    publish_both(paths, write_source(tmp_path / "build.duckdb", "1"))
    build = write_source(tmp_path / "build.duckdb", "2")
    sources = [Source("marts", paths.published_file.resolve()), Source("audit", build)]
    publish(paths, sources, name="second", kept=3)
    assert published_amount(paths) == Decimal(1)
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        assert connection.execute("select amount from audit.amount").fetchall() == [(Decimal(2),)]


def test_a_folder_without_hard_links_gets_a_relative_link(
    paths: WarehousePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(snapshot.os, "link", unsupported)
    publish_both(paths, write_source(tmp_path / "build.duckdb", "3"))
    assert paths.published_file.readlink() == Path("published/ringfence_first.duckdb")
    assert published_amount(paths) == Decimal(3)
