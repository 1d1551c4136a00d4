"""Probes of a warehouse folder: rights, file systems, the lock, leftovers, the published file, room, the clock.

What belongs here: what can be seen of it without opening the build file, which would keep a run from opening it. What
doesn't: what its tables say (the checks).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.operations.doctor.probing import Case, Outcome, left_out, ok, problem, warning
from orchestration.operations.status_text import length
from orchestration.reading.output import counted
from orchestration.reading.published import first_line, published_connection
from orchestration.settings import WarehousePaths
from orchestration.sql import identifier
from orchestration.warehouse.lock import holder

READING_SECONDS = 5.0
LEAST_FREE = 200_000_000
CLOCK_TOLERANCE = timedelta(seconds=60)
_NOTHING_YET = "there is no warehouse yet"
_MAKE_ROOM = "make room; 'ringfence disk' shows what takes it"
_DUCKDB_SIGN = b"DUCK"


def folder(case: Case) -> Iterator[Outcome]:
    """The folder is there, this user can write to all of it, and a published file can be put in place in one step."""
    root = case.settings.warehouse
    if not root.exists():
        above = next(path for path in root.parents if path.exists())
        if case.machine.may(above, os.W_OK | os.X_OK):
            yield ok(f"{root} isn't there yet; the first run creates it")
        else:
            yield problem(f"{root} isn't there, and this user can't create it", f"give the right to write to {above}")
        return
    if not root.is_dir():
        yield problem(f"{root} is a file", "name another with --warehouse or RINGFENCE_WAREHOUSE")
        return
    folders = [root, *(path for path in _parts(case.settings.paths) if path.is_dir())]
    closed = [path for path in folders if not case.machine.may(path, os.W_OK | os.X_OK)]
    for path in closed:
        yield problem(f"{path} can't be written to", "give this user the right to, or mount it for writing")
    elsewhere = [path for path in folders if case.machine.device(path) != case.machine.device(root)]
    for path in elsewhere:
        yield problem(f"{path} is on another file system than {root}", "move it back: files change places in one step")
    if not closed and not elsewhere:
        yield ok(f"{root} can be written to, and is one file system")


def _parts(paths: WarehousePaths) -> tuple[Path, ...]:
    return paths.build_file.parent, paths.snapshots


def ownership(case: Case) -> Iterator[Outcome]:
    """Everything belongs to the user that runs the job: what root once wrote, others can't replace."""
    paths, user = case.settings.paths, case.machine.user()
    if not paths.root.is_dir():
        yield left_out(_NOTHING_YET)
        return
    others = sorted({path for path in _looked_at(paths) if path.stat().st_uid != user})
    if others:
        who = f"{others[0]} belongs to user {others[0].stat().st_uid}, and this is user {user}"
        yield warning(who, f"run as that user, or: chown -R {user} {paths.root}")
    else:
        yield ok(f"all belongs to this user ({user})")


def modes(case: Case) -> Iterator[Outcome]:
    """Nobody else can change anything, nor read what names customers outside the published file."""
    paths = case.settings.paths
    if not paths.root.is_dir():
        yield left_out(_NOTHING_YET)
        return
    reach = _others_may(paths.root)
    writable = [path for path in _looked_at(paths) if _others_may(path) & 0o022]
    readable = [path for path in _inner(paths) if _others_may(path) & 0o044]
    if writable:
        yield problem(f"others may change {writable[0]}", f"chmod -R go-w {paths.root}")
    if readable and reach & 0o011:
        yield warning(f"others may read {readable[0]}", f"chmod 700 {readable[0].parent}")
    if not writable and not (readable and reach & 0o011):
        yield ok("nobody else can change it, or read more than what is published")


def _others_may(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o077


def _inner(paths: WarehousePaths) -> list[Path]:
    """Files that only the pipeline opens, unless a folder above them keeps others out."""
    history, docs = paths.dagster_home / "history" / "event_log.db", paths.data_docs / "index.html"
    files = (paths.build_file, paths.alerts_file, history, docs)
    return [path for path in files if path.exists() and _others_may(path.parent) & 0o011]


def _looked_at(paths: WarehousePaths) -> list[Path]:
    several = (paths.root, *_parts(paths), paths.build_file, paths.lock_file, paths.published_file, paths.alerts_file)
    return [path for path in several if path.exists()]


def lock(case: Case) -> Iterator[Outcome]:
    """Nobody holds the warehouse, or somebody who is alive does."""
    file = case.settings.paths.lock_file
    held_by = holder(file)
    if held_by is None:
        yield ok("free")
        return
    age = length((case.machine.now() - held_by.since).total_seconds())
    number = held_by.process_id
    if number is None:
        yield warning(f"held for {age} by a process that didn't say its number", f"find it: fuser -v {file}")
    elif case.machine.is_alive(number):
        yield ok(f"held for {age} by process {number}, which is alive")
    else:
        yield warning(
            f"held for {age}, and process {number} isn't on this machine",
            f"if it runs elsewhere, wait; else end what it left behind: fuser -v {file}",
        )


def leftovers(case: Case) -> Iterator[Outcome]:
    """Nothing lies about that a killed run left, or that somebody put there."""
    paths = case.settings.paths
    if not paths.root.is_dir():
        yield left_out(_NOTHING_YET)
        return
    log = paths.published_file.with_name(paths.published_file.name + ".wal")
    if log.exists():
        yield problem(f"{log}: somebody opened the published file for writing", "end that; the next run mends it")
    if holder(paths.lock_file) is not None:
        yield left_out("what else a run at work has open can't be told from leftovers")
        return
    found = sorted(_leftovers(paths))
    if found:
        first = found[0].relative_to(paths.root)
        yield warning(
            f"a killed run left {counted(len(found), 'thing')}: {first}",
            "the next run takes that up, or away",
        )
    elif not log.exists():
        yield ok("none")


def _leftovers(paths: WarehousePaths) -> Iterator[Path]:
    yield from paths.root.glob(".publishing-*")
    yield from paths.snapshots.glob(".publishing-*")
    build = paths.build_file
    beside = (build.with_name(f"{build.name}.wal"), build.with_name(f"{build.name}.tmp"), paths.root / "rebuild")
    yield from (path for path in beside if path.exists())


def build_file(case: Case) -> Iterator[Outcome]:
    """The build file looks like a database. It isn't opened: a run that begins meanwhile couldn't open it."""
    path = case.settings.paths.build_file
    if not path.exists():
        why = "there is none: the next run reads the whole landing zone"
        yield ok(why) if case.settings.paths.published_file.exists() else left_out(_NOTHING_YET)
        return
    with path.open("rb") as file:
        head = file.read(12)
    if head[8:] == _DUCKDB_SIGN:
        yield ok(f"{path.stat().st_size / 1e6:,.1f} MB")
    else:
        yield problem(f"{path} is no database", "ringfence rebuild --new-build-file: all is read again")


def published(case: Case) -> Iterator[Outcome]:
    """The published file is the newest snapshot, and every block of it can be read: DuckDB keeps a checksum of each."""
    paths = case.settings.paths
    if not paths.root.is_dir():
        yield left_out(_NOTHING_YET)
        return
    file = paths.published_file
    if not file.exists():
        if file.is_symlink():
            yield problem(f"{file} points to {file.readlink()}, which is gone", "run any day: it is published anew")
        else:
            yield left_out("nothing was published yet")
        return
    newest = max(paths.snapshots.glob("ringfence_*.duckdb"), key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None or not newest.samefile(file):
        which = newest.name if newest else "no snapshot"
        yield problem(f"{file.name} isn't the newest snapshot, {which}", "run any day: it is published anew")
    yield from _readable(paths)


def _readable(paths: WarehousePaths) -> Iterator[Outcome]:
    started, done = time.monotonic(), 0
    remedy = (
        f"put another of {paths.snapshots} in its place, or: ringfence rebuild --landing DIR --warehouse {paths.root}"
    )
    try:
        with published_connection(paths) as connection:
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() where not internal order by all"
            ).fetchall()
            for schema, table in tables:
                if time.monotonic() - started > READING_SECONDS:
                    break
                _read_whole(connection, f"{identifier(schema)}.{identifier(table)}")
                done += 1
    except Exception as error:  # noqa: BLE001 (DuckDB has several kinds of errors for a damaged file)
        yield problem(f"{paths.published_file.name} is damaged: {first_line(error)}", remedy)
        return
    if not tables:
        yield problem(f"{paths.published_file.name} holds no table", remedy)
    elif done < len(tables):
        yield ok(f"opens; {done} of {len(tables)} tables read in {READING_SECONDS:g} s")
    else:
        yield ok(f"opens; all {len(tables)} tables read")


def _read_whole(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    connection.execute(f"select sum(cast(hash(content) as hugeint)) from {place} as content").fetchall()


def disk(case: Case) -> Iterator[Outcome]:
    """There is room for what the next run writes: the build file's growth, a copy to publish, and what spills."""
    root = case.settings.warehouse
    place = next(path for path in (root, *root.parents) if path.exists())
    space = case.machine.space(place)
    build, copy = (_size(path) for path in (case.settings.paths.build_file, case.settings.paths.published_file))
    least = max(LEAST_FREE, copy + build // 10)
    comfortable = max(2 * LEAST_FREE, copy + 2 * build)
    found = f"{space.free / 1e9:,.1f} GB free"
    if space.free_files == 0:
        yield problem("no file can be created: the file system's table of files is full", "remove files there")
    elif space.free < least:
        yield problem(
            f"{found}, and the next run needs some {least / 1e9:,.1f} GB",
            _MAKE_ROOM,
        )
    elif space.free < comfortable:
        yield warning(
            f"{found}: enough to publish, not for a rebuild or a large spill ({comfortable / 1e9:,.1f} GB)",
            _MAKE_ROOM,
        )
    else:
        yield ok(f"{found}; a run that rebuilds all takes some {comfortable / 1e9:,.1f} GB")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def clock(case: Case) -> Iterator[Outcome]:
    """Nothing that was written is of the future."""
    now, paths = case.machine.now(), case.settings.paths
    ahead = [(_modified(path), path.name) for path in _looked_at(paths)]
    ahead += list(_last_run(paths))
    late = max((one for one in ahead if one[0] > now + CLOCK_TOLERANCE), default=None)
    if late is None:
        yield ok(f"{now:%Y-%m-%d %H:%M:%S} UTC, later than all that was written")
    else:
        distance = length((late[0] - now).total_seconds())
        yield problem(
            f"it is {now:%Y-%m-%d %H:%M:%S} UTC here, and {late[1]} is from {distance} later",
            "set the clock (timedatectl set-ntp true), and see which machine wrote that",
        )


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)


def _last_run(paths: WarehousePaths) -> Iterator[tuple[datetime, str]]:
    if not paths.published_file.exists():
        return
    try:
        with published_connection(paths) as connection:
            rows = connection.execute("select max(greatest(started_at, finished_at)) from audit.run").fetchall()
    except Exception:  # noqa: BLE001 (another probe tells)
        return
    if rows and rows[0][0] is not None:
        yield rows[0][0], "the last run"
