"""A custodian's CSV files: which columns hold the balances, and of which day they are.

What belongs here: configuration, the layout of lines. What doesn't: finding files (``stored_files``), whose balances
they are (``holdings``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.connectors.base import (
    Batch,
    Completed,
    Connector,
    Feed,
    Order,
    Probe,
    Services,
    SourceConfiguration,
)
from orchestration.connectors.custodian.holdings import (
    NETWORK,
    CustodianConfiguration,
    Line,
    Register,
    amount_of,
    balances_of,
    in_utc,
    moment_of,
    require_every_wallet,
    text_of,
)
from orchestration.connectors.errors import AnswerError
from orchestration.connectors.local_files import LocalFolder
from orchestration.connectors.stored_files import (
    ArrivedFile,
    FilePattern,
    Intake,
    PatternText,
    StoredFile,
    copy_of,
    look,
)
from orchestration.errors import ConfigurationError
from orchestration.imports.text_lines import TextLine, column_name, read_lines, split_cells

_DELIMITERS: tuple[str, ...] = (",", ";", "\t", "|")
_LAST_SECOND = time(23, 59, 59)
_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}")


class FileColumns(BaseModel):
    """Headers of the columns, in any case; or ``=text`` for what every line has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field(min_length=1)
    asset: str = Field(min_length=1)
    balance: str = Field(min_length=1)
    as_of: str | None = Field(None, min_length=1)


class CustodianFilesConfiguration(CustodianConfiguration):
    """Where the files lie and how their lines are laid out."""

    folder: Path
    files: PatternText
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    lines_before_header: int = Field(0, ge=0, le=1000)
    columns: FileColumns
    decimal_comma: bool | None = None
    date_format: str | None = None
    leave_out: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _tells_the_day(self) -> Self:
        if self.columns.as_of is None and not FilePattern(self.files).is_dated:
            raise ValueError("nothing says of which day balances are; name columns.as_of, or write {date} into files")
        if self.columns.as_of is not None and self.columns.as_of.startswith("="):
            raise ValueError("columns.as_of is a column")
        if self.date_format is not None and self.columns.as_of is None:
            raise ValueError("date_format is of columns.as_of, which isn't there")
        return self


class CustodianFilesConnector(Connector):
    """Balances from the CSV files of a folder."""

    configuration_class: ClassVar[type[SourceConfiguration]] = CustodianFilesConfiguration

    def __init__(self, name: str, configuration: CustodianFilesConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.settings = configuration
        self.storage, self.pattern = LocalFolder(configuration.folder), FilePattern(configuration.files)

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:  # noqa: ARG003 (always the same table)
        """Balances."""
        return (Feed("wallet_balances"),)

    def check(self) -> Iterator[Probe]:
        """The folder, the last file in it, the register."""
        probe = look(self.storage, self.pattern, self.pattern.text)
        yield probe
        if probe.works:
            yield self._read_last()
        yesterday = self.services.clock.now().date() - timedelta(days=1)
        register = Register(self.services.landing, yesterday, self.settings)
        yield Probe("wallets", True, f"{len(register.expected)} registered wallets of network {NETWORK} are expected")

    def _read_last(self) -> Probe:
        file = self.pattern.found_in(self.storage)[-1]
        with TemporaryDirectory(prefix="ringfence-") as folder:
            path = Path(folder) / "copy"
            copy_of(self.storage, file, self.settings.limits, path)
            lines = list(lines_of(file, path, self.settings))
        return Probe(file.shown, bool(lines), f"{len(lines)} balances")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """What files that weren't seen before say of the day, and of earlier days since the first pull: late rows."""
        stored = order.position or {}
        first_day = date.fromisoformat(stored.get("first_day", order.day.isoformat()))
        register = Register(self.services.landing, order.day, self.settings)
        intake = Intake(self.storage, self.pattern, self.settings.limits, order.day, stored.get("files"))
        lines: list[Line] = []
        for arrived in intake.arrived():
            lines.extend(self._due(intake, arrived, max(first_day, arrived.due or first_day)))
        balances = balances_of(lines, register, self.settings, self.services.report)
        of_today = zip(balances["wallet_id"], balances["as_of"], strict=True)
        spoken_of = {wallet for wallet, as_of in of_today if order.since <= as_of < order.until}
        require_every_wallet(spoken_of, register, order.day)
        # Files often hold the days before too; what was delivered of them doesn't land again.
        earliest = min((as_of.date() for as_of in balances["as_of"]), default=order.day)
        since = earliest if earliest < order.day else None
        yield Batch("wallet_balances", self.table_of(balances), delivered_since=since)
        yield Completed({"first_day": first_day.isoformat(), "files": intake.seen})

    def _due(self, intake: Intake, arrived: ArrivedFile, since: date) -> Iterator[Line]:
        """A file's lines of days from ``since`` to the pulled one; those of later days wait for theirs."""
        lines = list(lines_of(arrived.file, arrived.path, self.settings))
        later = [line.as_of.date() for line in lines if line.as_of.date() > intake.day]
        if later:
            intake.postpone(arrived, min(later))
        for line in lines:
            if since <= line.as_of.date() <= intake.day:
                yield line


def lines_of(file: StoredFile, path: Path, settings: CustodianFilesConfiguration) -> Iterator[Line]:
    """The balances of one file; raise AnswerError, naming file and line, for any line that isn't as configured."""
    try:
        lines = read_lines(path)[settings.lines_before_header :]
    except ConfigurationError as error:
        reason = str(error).replace(str(path), file.shown)
        raise AnswerError(f"{reason}, and counts as missing", "deliver the file again") from error
    header = next((line for line in lines if line.text.strip()), None)
    if header is None:
        raise AnswerError(f"{file.shown} has no header, and counts as missing", "deliver the file again")
    layout = _Layout(header, settings, file)
    for line in lines:
        if line.number > header.number and line.text.strip(f"{layout.delimiter} "):
            found = layout.read(line)
            if found is not None:
                yield found


class _Layout:
    """Where the columns are, by the header."""

    def __init__(self, header: TextLine, settings: CustodianFilesConfiguration, file: StoredFile) -> None:
        self.settings, self.file = settings, file
        self.delimiter: str = settings.delimiter or max(_DELIMITERS, key=header.text.count)
        names = [column_name(cell) for cell in self._cells(header)]
        wanted = [settings.columns.account, settings.columns.asset, settings.columns.balance, settings.columns.as_of]
        self.width, self.positions = len(names), dict[str, int]()
        for name in [name for name in wanted if name is not None and not name.startswith("=")] + [*settings.leave_out]:
            if names.count(column_name(name)) != 1:
                how_many = "no column" if column_name(name) not in names else "more than one column"
                raise AnswerError(
                    f"{file.shown}, line {header.number}: {how_many} {name!r} among {', '.join(names)[:200]}",
                    "mend columns, delimiter or lines_before_header, or see what was delivered",
                )
            self.positions[name] = names.index(column_name(name))

    def _cells(self, line: TextLine) -> list[str]:
        place = f"{self.file.shown}, line {line.number}"
        if not line.is_readable:
            raise AnswerError(f"{place} is not UTF-8 text", "have it delivered as UTF-8")
        try:
            return split_cells(line.text, self.delimiter)
        except csv.Error as error:
            raise AnswerError(f"{place} is no row of a table ({error})", "deliver the file again") from error

    def read(self, line: TextLine) -> Line | None:
        """The balance of a line, None if it is one of those to leave out."""
        place, cells = f"{self.file.shown}, line {line.number}", self._cells(line)
        if len(cells) != self.width:
            raise AnswerError(
                f"{place} has {len(cells)} cells and the header {self.width}",
                "deliver the file again; a cell with the delimiter in it must be quoted",
            )
        for name, texts in self.settings.leave_out.items():
            if cells[self.positions[name]].lower() in {text.lower() for text in texts}:
                return None
        columns = self.settings.columns
        return Line(
            place,
            text_of(self._cell(columns.account, cells), place, "account"),
            text_of(self._cell(columns.asset, cells), place, "asset"),
            amount_of(self._cell(columns.balance, cells) or None, place, "balance", self.settings.decimal_comma),
            self._as_of(cells, place),
            self.file.key,
        )

    def _cell(self, column: str, cells: list[str]) -> str:
        return column[1:] if column.startswith("=") else cells[self.positions[column]]

    def _as_of(self, cells: list[str], place: str) -> datetime:
        """The moment a balance is of, by its column or the file's name; a day without a time is its last second."""
        column, named = self.settings.columns.as_of, self.file.day
        if column is None:
            assert named is not None, "the configuration sees to it"
            return datetime.combine(named, _LAST_SECOND)
        text = cells[self.positions[column]]
        moment = self._moment(text, place)
        if named is not None and moment.date() != named:
            raise AnswerError(f"{place} is of {moment.date()} and the file's name says {named}", "ask the custodian")
        return moment

    def _moment(self, text: str, place: str) -> datetime:
        written = self.settings.date_format
        try:
            if written is not None:
                moment = datetime.strptime(text, written)
                has_time = any(part in written for part in ("%H", "%I", "%X", "%c"))
                return in_utc(moment) if has_time else datetime.combine(moment.date(), _LAST_SECOND)
            if _DAY.fullmatch(text):
                return datetime.combine(date.fromisoformat(text), _LAST_SECOND)
        except ValueError as error:
            raise AnswerError(f"{place}: as_of {text[:40]!r} is no day", "mend date_format") from error
        return moment_of(text, place, "as_of")
