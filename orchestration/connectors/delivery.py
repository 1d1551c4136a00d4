"""Deliveries: what a source gave for a day, put into the landing zone whole or not at all.

What belongs here: staging, checkpoints, manifests, the moment from which a delivery counts. What doesn't: where rows
come from.

A pull writes below ``_staging/<source>/<day>/``, which readers of a landing zone don't look at. Once a source has said
that all was there, every table's file stands there finished, and the manifest is moved to
``_manifests/<source>/<day>.json``. From that moment the delivery counts: files are then moved to their places, and
whoever was killed in between is followed by ``finish_deliveries``, which moves the rest. Before it nothing counts.
A delivery is never replaced: what a source corrects comes with a later day.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration import contract
from orchestration.connectors.base import Batch, Feed, Json, Order
from orchestration.connectors.errors import AnswerError, EmptyAnswerError
from orchestration.connectors.rows import merge_parts, write_news, write_rows
from orchestration.durable import sync
from orchestration.errors import ConfigurationError
from orchestration.landing.changes import sha256_of
from orchestration.landing.discovery import leads_out
from orchestration.landing.manifests import MANIFESTS, STAGING, manifest_path

FLUSHED_ROWS = 50_000
"""Small batches are gathered until they have so many rows or one was slow; then they and the cursor become durable."""


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One file of a delivery. ``file`` is its path in the landing zone; ``rows`` and ``bytes`` what it holds."""

    table: str
    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a source delivered for a day.

    ``window`` is the day as its first moment and the first one after it; ``position`` what the next pull goes on from;
    ``pulled_at`` the wall clock's time, for people. A table without a file had no news.
    """

    source: str
    kind: str
    day: date
    window: tuple[datetime, datetime]
    position: Json
    pulled_at: datetime
    files: tuple[DeliveredFile, ...]

    def as_json(self) -> str:
        """The manifest as it is stored."""
        return json.dumps(asdict(self), indent=1, default=lambda value: value.isoformat(), ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a stored manifest; raise ConfigurationError if it is damaged, or another delivery's."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls(
                source=stored["source"],
                kind=stored["kind"],
                day=date.fromisoformat(stored["day"]),
                window=(datetime.fromisoformat(stored["window"][0]), datetime.fromisoformat(stored["window"][1])),
                position=stored["position"],
                pulled_at=datetime.fromisoformat(stored["pulled_at"]),
                files=tuple(DeliveredFile(**file) for file in stored["files"]),
            )
            if (manifest.source, str(manifest.day)) != (path.parent.name, path.stem):
                raise ValueError(f"it is that of {manifest.source}, {manifest.day}")
            if not all(_is_in_its_place(file) for file in manifest.files):
                raise ValueError("it names a file outside the landing zone")
            return manifest
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ConfigurationError(f"manifest {path} can't be read ({error}); restore it from a backup") from error


def _is_in_its_place(file: DeliveredFile) -> bool:
    """Whether a file is named that a delivery can have: a manifest is a file that others may have written."""
    parts = Path(file.file).parts
    return file.table in contract.tables_by_name() and parts[:1] == (file.table,) and ".." not in parts


def manifests(landing: Path, source: str) -> list[Manifest]:
    """What a source delivered, by day."""
    folder = landing / MANIFESTS / source
    return [Manifest.read(path) for path in sorted(folder.glob("????-??-??.json"))]


def last_manifest(landing: Path, source: str, before: date | None = None) -> Manifest | None:
    """The latest delivery of a source, or the latest for a day before ``before``."""
    folder = landing / MANIFESTS / source
    names = sorted(path.name for path in folder.glob("????-??-??.json"))
    names = [name for name in names if before is None or name < before.isoformat()]
    return Manifest.read(folder / names[-1]) if names else None


def is_delivered(landing: Path, source: str, day: date) -> bool:
    """Whether the source's delivery of that day counts."""
    return manifest_path(landing, source, day).exists()


def _staging_path(landing: Path, source: str, day: date) -> Path:
    return landing / STAGING / source / day.isoformat()


def finish_deliveries(landing: Path, source: str = "*") -> int:
    """Move the files of deliveries that count to their places, where a kill came in between; return how many.

    Cheap if there is nothing to do, and may be called at any time, also by several processes at once. ``source``
    leaves the others alone. Raises ConfigurationError if a file of a delivery that counts is nowhere.
    """
    finished = 0
    for folder in sorted((landing / STAGING).glob(f"{source}/????-??-??")):
        path = manifest_path(landing, folder.parent.name, folder.name)
        if path.exists():
            _move_files(landing, Manifest.read(path))
            finished += 1
    return finished


def _move_files(landing: Path, manifest: Manifest) -> None:
    staging = _staging_path(landing, manifest.source, manifest.day)
    for file in manifest.files:
        staged, target = staging / _finished_name(file.table), landing / file.file
        _make_folder(target.parent)
        if leads_out(target.parent, landing, landing / file.table):
            raise ConfigurationError(f"{file.file} would land behind a link out of {landing}; remove the link")
        with suppress(FileNotFoundError):  # it was moved before the kill, or by another process just now
            _move(staged, target)
        if not target.exists():
            raise ConfigurationError(
                f"{file.file} was delivered and is gone, says manifest {manifest.source}/{manifest.day}.json; restore"
                " it from a backup, or move the manifest away and pull the day again"
            )
        sync(target.parent)
    shutil.rmtree(staging, ignore_errors=True)


def _move(staged: Path, target: Path) -> None:
    """Put a file in its place at once, also where a table's folder lies on another disk."""
    try:
        staged.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copied = target.with_name(f".{target.name}.new")
        shutil.copyfile(staged, copied)
        sync(copied)
        copied.replace(target)


def _finished_name(table: str) -> str:
    return f"{table}.finished.parquet"


class Delivery:
    """One source's delivery of one day while it is being pulled. ``resume`` is where a pull that didn't end goes on."""

    def __init__(self, landing: Path, source: str, kind: str, order: Order, feeds: Sequence[Feed], digest: str) -> None:
        """Take up the parts of an earlier attempt with the same configuration (``digest``), or begin anew."""
        self.landing, self.source, self.kind, self.order = landing, source, kind, order
        self.feeds = {feed.table: feed for feed in feeds}
        self.digest = digest
        self.folder = _staging_path(landing, source, order.day)
        self.parts: dict[str, list[str]] = defaultdict(list)
        self.resume: Json = None
        self._waiting: list[Batch] = []
        self._waiting_rows = 0
        self._take_up()

    def _take_up(self) -> None:
        path = self.folder / "checkpoint.json"
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            parts = {str(table): [str(name) for name in names] for table, names in stored["parts"].items()}
            is_good = stored["digest"] == self.digest and stored["resume"] is not None
            for name in (name for names in parts.values() for name in names):
                is_good = is_good and Path(name).name == name
                _rows_of(self.folder / Path(name).name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # pyarrow's errors are ValueErrors
            is_good = False
        if not is_good:
            self.begin_anew()
            return
        self.resume = stored["resume"]
        self.parts.update(parts)
        known = {name for names in parts.values() for name in names} | {path.name}
        for left_over in self.folder.iterdir():
            if left_over.name not in known:
                left_over.unlink()

    def begin_anew(self) -> None:
        """Throw away what came of this delivery, its cursor included."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.parts.clear()
        self.resume, self._waiting, self._waiting_rows = None, [], 0

    def add(self, batch: Batch) -> None:
        """Take a batch; raise AnswerError if the contract can't hold it."""
        if batch.table not in self.feeds:
            raise AnswerError(f"rows of {batch.table}, which this source doesn't fill", "report this as a defect")
        if isinstance(batch.rows, pa.RecordBatchReader) or batch.delivered_since is not None:
            self._flush()
            if batch.delivered_since is None:
                self._write(batch.table, batch.rows)
            else:
                self._write_news(batch, batch.delivered_since)
            self._keep(batch.resume)
            return
        self._waiting.append(batch)
        self._waiting_rows += batch.rows.num_rows
        # Rows after the last cursor are written too, or they would fill the memory; a pull that goes on drops them.
        if batch.is_durable or self._waiting_rows >= FLUSHED_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Make durable what waits, and then the cursor after it."""
        waiting: dict[str, list[pa.Table]] = defaultdict(list)
        for batch in self._waiting:
            waiting[batch.table].append(batch.rows)
        for table, rows in waiting.items():
            self._write(table, pa.concat_tables(rows, promote_options="permissive"))
        if self._waiting:
            self._keep(self._waiting[-1].resume)
        self._waiting, self._waiting_rows = [], 0

    def _write(self, table: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        name = f"{table}.{len(self.parts[table]):05}.parquet"
        part = self.folder / name
        write_rows(contract.table(table), rows, part)
        sync(part)  # a checkpoint that names it mustn't outlive it
        self.parts[table].append(name)

    def _write_news(self, batch: Batch, since: date) -> None:
        table, name = contract.table(batch.table), f"{batch.table}.{len(self.parts[batch.table]):05}.parquet"
        whole, part = self.folder / f"{name}.whole", self.folder / name
        write_rows(table, batch.rows, whole)
        files = [self.landing / file for file in _delivered(self.landing, self.source, batch.table, since)]
        news = write_news(table, whole, files, part, table.key if batch.is_known_by_key else table.column_names)
        whole.unlink()
        if news == 0:
            part.unlink()
        else:
            sync(part)
            self.parts[batch.table].append(name)

    def _keep(self, resume: Json) -> None:
        if resume is None:
            return
        stored = {"digest": self.digest, "resume": resume, "parts": self.parts}
        write_durably(self.folder / "checkpoint.json", json.dumps(stored))

    def land(self, position: Json, pulled_at: datetime) -> Manifest:
        """Put the delivery in place. The source has said that all was there.

        Raises EmptyAnswerError if a table that can't be empty is; then nothing landed.
        """
        self._flush()
        files = [file for feed in self.feeds.values() for file in self._finish(feed)]
        window = (self.order.since, self.order.until)
        manifest = Manifest(self.source, self.kind, self.order.day, window, position, pulled_at, tuple(files))
        path = manifest_path(self.landing, self.source, self.order.day)
        write_durably(path, manifest.as_json())
        _move_files(self.landing, manifest)
        return manifest

    def _finish(self, feed: Feed) -> Iterator[DeliveredFile]:
        table, finished = contract.table(feed.table), self.folder / _finished_name(feed.table)
        parts = [self.folder / name for name in self.parts[feed.table]]
        if not parts and feed.may_be_absent:
            return
        if not parts:
            empty = self.folder / f"{feed.table}.00000.parquet"
            write_rows(table, pa.table({name: pa.array([], pa.string()) for name in table.column_names}), empty)
            parts = [empty]
        if len(parts) > 1:
            merge_parts(parts, finished)
        else:
            _link(parts[0], finished)
        rows = _rows_of(finished)
        if rows == 0 and not feed.may_be_empty:
            raise EmptyAnswerError(
                f"nothing came for {feed.table} of {self.order.day}, which counts as missing and not as zero",
                "see whether the source has it; if a day without rows is normal, say may_be_empty",
            )
        if not table.dated:
            whole = finished.with_suffix(".whole")
            finished.rename(whole)
            delivered = [self.landing / file for file in _delivered(self.landing, self.source, feed.table)]
            rows = write_news(table, whole, delivered, finished, table.column_names)
            if rows == 0:
                return
        place = f"{feed.table}/date={self.order.day}/{self.source}.parquet"
        if not table.dated:
            place = f"{feed.table}/{self.source}-{self.order.day}.parquet"
        if (self.landing / place).exists():
            raise ConfigurationError(f"{place} is in the landing zone already and not from this source; move it away")
        sync(finished)
        yield DeliveredFile(feed.table, place, rows, finished.stat().st_size, sha256_of(finished))


def _delivered(landing: Path, source: str, table: str, since: date = date.min) -> list[str]:
    kept = [manifest for manifest in manifests(landing, source) if manifest.day >= since]
    return [file.file for manifest in kept for file in manifest.files if file.table == table]


def _rows_of(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def configuration_digest(parts: Iterable[Any]) -> str:
    """What a checkpoint is only good with: a pull configured otherwise begins anew."""
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()


def write_durably(path: Path, text: str) -> None:
    """Replace a file at once; it is on disk when this returns."""
    _make_folder(path.parent)
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    sync(path.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; they are on disk when this returns."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync(one.parent)


def _link(path: Path, link: Path) -> None:
    """A second name for a file, or a copy where the file system has no such thing."""
    try:
        link.hardlink_to(path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        shutil.copyfile(path, link)
