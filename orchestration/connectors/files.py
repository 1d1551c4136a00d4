"""Files on local or S3-compatible storage: CSV, Parquet and JSONL that fill any table of the contract.

What belongs here: the configuration, and which files are a day's. What doesn't: finding and fetching files
(``stored_files``, ``local_files``, ``s3_files``), reading them (``file_rows``).

A file lands with the day on which it is pulled. One whose name gives a day waits for that day; if it comes later, it
lands late, as its rows then are. A file that was overwritten after it had landed lands again, whole, with the day of
that pull: rows that are the same count once, and those that differ are told by the check ``keys_unique``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration import contract
from orchestration.connectors.base import (
    Batch,
    Completed,
    Connector,
    Feed,
    Json,
    Order,
    Probe,
    Services,
    SourceConfiguration,
)
from orchestration.connectors.errors import AnswerError
from orchestration.connectors.file_rows import Constant, check_columns, rows_of
from orchestration.connectors.http import HttpSettings
from orchestration.connectors.limits import Limits
from orchestration.connectors.local_files import LocalFolder
from orchestration.connectors.s3_files import S3Storage
from orchestration.connectors.secrets import Address, VariableName
from orchestration.connectors.stored_files import FilePattern, Intake, PatternText, Storage, StoredFile, look
from orchestration.landing.discovery import format_of, is_temporary


class TableFiles(BaseModel):
    """Where a table's files lie and what their columns are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: PatternText | None = None
    columns: Mapping[str, str | Constant] = Field(default_factory=dict)
    may_be_empty: bool | None = None
    required: bool | None = None


class FilesConfiguration(SourceConfiguration):
    """The keys of a source of files; the example configuration says what each means."""

    location: str = Field(min_length=1)
    layout: Literal["patterns", "landing"] = "patterns"
    tables: Mapping[str, TableFiles] = Field(default_factory=dict)
    endpoint: Address | None = None
    region: str | None = None
    access_key_variable: VariableName | None = None
    secret_key_variable: VariableName | None = None
    session_token_variable: VariableName | None = None
    etag_is_md5: bool = True
    http: HttpSettings = HttpSettings(requests_per_second=50)
    limits: Limits = Limits()

    @property
    def is_s3(self) -> bool:
        """Whether the location is in object storage."""
        return self.location.startswith("s3://")

    @property
    def tables_wanted(self) -> Mapping[str, TableFiles]:
        """The tables to fill: those that are named, or with the landing layout all if none is."""
        return self.tables or {table.name: TableFiles() for table in contract.TABLES}

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if "://" in self.location and not self.is_s3:
            raise ValueError("location is a folder or s3://bucket/prefix")
        if self.is_s3 and not self.location.removeprefix("s3://").partition("/")[0]:
            raise ValueError("location names no bucket; write s3://bucket/prefix")
        if (self.access_key_variable is None) != (self.secret_key_variable is None):
            raise ValueError("access_key_variable and secret_key_variable go together")
        if not self.is_s3 and (self.endpoint or self.region or self.access_key_variable):
            raise ValueError("endpoint, region and credentials are of s3:// locations")
        if self.layout == "patterns" and not self.tables:
            raise ValueError("tables is missing; name a pattern for each table, or say layout: landing")
        for name, files in self.tables.items():
            self._check_table(name, files)
        return self

    def _check_table(self, name: str, files: TableFiles) -> None:
        if name not in contract.tables_by_name():
            raise ValueError(f"tables: the contract has no table {name}")
        if (files.pattern is None) == (self.layout == "patterns"):
            raise ValueError(f"tables.{name}: a pattern is given here, and only, if the layout is patterns")
        check_columns(contract.table(name), files.columns)


class FilesConnector(Connector):
    """Files of one location."""

    configuration_class: ClassVar[type[SourceConfiguration]] = FilesConfiguration

    def __init__(self, name: str, configuration: FilesConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration
        self.storage = _storage(configuration, services)

    @classmethod
    def feeds_of(cls, configuration: FilesConfiguration) -> tuple[Feed, ...]:
        """A file that is there may be without rows if that is said; in a landing zone it always may."""
        is_landing = configuration.layout == "landing"
        return tuple(
            Feed(
                name,
                may_be_empty=is_landing if files.may_be_empty is None else files.may_be_empty,
                may_be_absent=not contract.table(name).dated or not _is_required(configuration, name),
            )
            for name, files in configuration.tables_wanted.items()
        )

    def check(self) -> Iterator[Probe]:
        """List each pattern and read a byte of its last file; that of a table that may be absent may be missing."""
        for name in self.configuration.tables_wanted:
            pattern, storage = self._files_of(name)
            probe = look(storage, pattern, name)
            if probe.works or _is_required(self.configuration, name):
                yield probe
            elif name in self.configuration.tables:
                yield Probe(name, True, f"no file {pattern.text} in {storage.place} yet, and none is required")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """The files of the day, late ones and overwritten ones, each as a batch.

        Without cursors: what was read of a file that is put right between two attempts must not land.
        """
        seen: dict[str, Json] = dict((order.position or {}).get("seen", {}))
        for name, files in self.configuration.tables_wanted.items():
            table = contract.table(name)
            pattern, storage = self._files_of(name)
            intake = Intake(storage, pattern, self.configuration.limits, order.day, seen.get(name))
            if _is_required(self.configuration, name):
                intake.require_files()
            for arrived in intake.arrived():
                changed = ", changed since it was delivered: its rows land again" if arrived.changes else ""
                self.services.report(f"{order.day}, {arrived.file.shown}{changed}")
                for rows in rows_of(table, arrived, files.columns, self.configuration.limits, self.services.report):
                    yield Batch(name, rows)
            seen[name] = intake.seen
        yield Completed({"seen": seen})

    def _files_of(self, name: str) -> tuple[FilePattern, Storage]:
        """A table's pattern, and the storage to look for it in."""
        if self.configuration.layout == "patterns":
            return FilePattern(self.configuration.tables[name].pattern or ""), self.storage
        pattern = FilePattern(f"{name}/date={{date}}/*" if contract.table(name).dated else f"{name}/*")
        return pattern, _LandingFiles(self.storage, pattern)


def _storage(configuration: FilesConfiguration, services: Services) -> Storage:
    if not configuration.is_s3:
        return LocalFolder(Path(configuration.location))
    credentials = None
    if configuration.access_key_variable and configuration.secret_key_variable:
        credentials = (
            configuration.access_key_variable,
            configuration.secret_key_variable,
            configuration.session_token_variable,
        )
    return S3Storage(
        configuration.location,
        services,
        endpoint=configuration.endpoint,
        region=configuration.region,
        credentials=credentials,
        etag_is_md5=configuration.etag_is_md5,
        settings=configuration.http,
        limits=configuration.limits,
    )


def _is_required(configuration: FilesConfiguration, name: str) -> bool:
    """Whether a day without a file is missing data: what is said, or else what the contract says of the table."""
    said = configuration.tables_wanted[name].required
    if said is not None:
        return said
    return configuration.layout == "patterns" or contract.table(name).required_daily


class _LandingFiles(Storage):
    """A landing zone's data files; one that lies where the contract has no place for it would go unseen."""

    def __init__(self, storage: Storage, pattern: FilePattern) -> None:
        self.storage, self.pattern, self.place = storage, pattern, storage.place

    def listed(self, prefix: str, depth: int | None) -> Iterator[StoredFile]:  # noqa: ARG002 (misplaced ones lie deeper)
        """The data files; raises AnswerError for one that is misplaced. Others are left alone, as everywhere."""
        for file in self.storage.listed(prefix, None):
            if format_of(file.key) is None or any(is_temporary(part) for part in file.key.split("/")):
                continue
            if self.pattern.matched(file) is None:
                raise AnswerError(
                    f"{file.shown} lies where a landing zone has no place for it", f"move it to {self.pattern.text}"
                )
            yield file

    def chunks(self, file: StoredFile) -> Iterator[bytes]:
        """The bytes as stored."""
        return self.storage.chunks(file)

    def touch(self, file: StoredFile) -> None:
        """Read as little as can be."""
        self.storage.touch(file)
