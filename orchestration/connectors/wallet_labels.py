"""Public labels of wallets: who is said to own an address, and since when that is known, as rows of table wallets.

What belongs here: which labels can be taken, and what a public label can honestly say. What doesn't: finding and
fetching files (``stored_files``), whether a wallet counts as a reserve (the warehouse; one from here never does).

A label says who is thought to own an address, no more: ownership isn't proven, the purpose is what the configuration
says (unknown, never customer), and nothing of it is free of other claims. It was known at the end of the day on which
it was added, no earlier, and is valid from then: a test of past days with today's labels would be cheating. What can't
be taken is left out and counted, in the log and in the manifest.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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
from orchestration.connectors.errors import AnswerError, EmptyAnswerError
from orchestration.connectors.limits import Limits
from orchestration.connectors.local_files import LocalFolder
from orchestration.connectors.stored_files import FilePattern, PatternText, StoredFile, copy_of, look
from orchestration.errors import ConfigurationError
from orchestration.imports.text_lines import TextLine, column_name, read_lines, split_cells

Name = Annotated[str, StringConstraints(min_length=1)]
_EVM = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_BASE58 = re.compile(r"[13][1-9A-HJ-NP-Za-km-z]{25,34}")
_BECH32 = re.compile(r"bc1[02-9ac-hj-np-z]{8,87}", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_END = time(23, 59, 59)


class LabelColumns(BaseModel):
    """What the columns are called in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chain: Name = "chain"
    address: Name = "address"
    name: Name = "name"
    added: Name = "added"


class WalletLabelsConfiguration(SourceConfiguration):
    """The keys of a source of labels; the example configuration says what each means."""

    folder: Path
    pattern: PatternText
    columns: LabelColumns = LabelColumns()
    chains: Mapping[str, Name] = Field(min_length=1)
    owners: Mapping[str, Name | None] = Field(min_length=1)
    purpose: Literal["house", "collateral", "unknown"] = "unknown"
    custody: Literal["hot", "cold", "custodian", "venue", "staked"] = "hot"
    undated_recorded_on: date | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Label:
    """One label that the configuration knows. ``owner`` is empty for nobody of ours, ``added`` None if not said."""

    network: str
    address: str
    owner: str
    added: date | None


class WalletLabelsConnector(Connector):
    """The label files of one folder."""

    configuration_class: ClassVar[type[SourceConfiguration]] = WalletLabelsConfiguration

    def __init__(self, name: str, configuration: WalletLabelsConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration
        self.storage, self.pattern = LocalFolder(configuration.folder), FilePattern(configuration.pattern)

    @classmethod
    def feeds_of(cls, configuration: WalletLabelsConfiguration) -> tuple[Feed, ...]:  # noqa: ARG003 (one table, always)
        """Wallets; for a day before the first label was added there are none."""
        return (Feed("wallets", may_be_empty=True),)

    def check(self) -> Iterator[Probe]:
        """List the files and open the last."""
        yield look(self.storage, self.pattern, "labels")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """All wallets that were labelled by the end of the day."""
        files = self._files(order)
        left_out: Counter[str] = Counter()
        labels = [label for file in files for label in self._labels(file, left_out)]
        if not labels:
            raise AnswerError(
                f"no label in {files[-1].shown} can be taken ({_counted(left_out)})", "mend chains and owners"
            )
        columns: dict[str, list[str | None]] = defaultdict(list)
        for wallet in self._wallets(labels, order.day, left_out):
            for name, value in wallet.items():
                columns[name].append(value)
        self.services.report(f"{order.day}, {len(columns['wallet_id'])} wallets; left out: {_counted(left_out)}")
        if columns["wallet_id"]:
            yield Batch("wallets", self.table_of(columns))
        yield Completed({"day": order.day.isoformat(), "left_out": dict(sorted(left_out.items()))})

    def _files(self, order: Order) -> tuple[StoredFile, ...]:
        """The files that hold: if names give days, those of the last day."""
        found = self.pattern.found_in(self.storage, order.day)
        if not found:
            raise EmptyAnswerError(
                f"no file {self.pattern.text} lies in {self.storage.place}, which counts as missing",
                "see why it wasn't delivered, or mend the pattern",
            )
        return tuple(file for file in found if file.day == found[-1].day)

    def _labels(self, file: StoredFile, left_out: Counter[str]) -> Iterator[Label]:
        lines = self._lines(file)
        header, *rows = lines
        names = [column_name(cell) for cell in _cells(header, file)]
        wanted = self.configuration.columns
        columns = [column_name(name) for name in (wanted.chain, wanted.address, wanted.name, wanted.added)]
        for name in columns:
            if names.count(name) != 1:
                raise AnswerError(f"{file.shown} has {names.count(name)} columns {name}", "mend columns of this source")
        if not rows:
            raise EmptyAnswerError(f"{file.shown} holds no label, which counts as missing", "deliver it again")
        places = [names.index(name) for name in columns]
        for line in rows:
            cells = _cells(line, file)
            if len(cells) != len(names):
                raise AnswerError(
                    f"{file.shown}, line {line.number}: {len(cells)} cells in a row of {len(names)} columns",
                    "correct the file",
                )
            taken = self._label(*(cells[place] for place in places))
            if isinstance(taken, Label):
                yield taken
            else:
                left_out[taken] += 1

    def _lines(self, file: StoredFile) -> list[TextLine]:
        with TemporaryDirectory(prefix="ringfence-") as folder:
            path = Path(folder) / "labels"
            copy_of(self.storage, file, self.configuration.limits, path)
            with path.open("rb") as stream:
                if stream.read(2) == b"\x1f\x8b":
                    raise AnswerError(f"{file.shown} is compressed twice", "compress it once")
            try:
                return [line for line in read_lines(path) if line.text.strip()]
            except ConfigurationError as error:
                problem, _, remedy = str(error).replace(str(path), file.shown).rpartition("; ")
                raise AnswerError(problem or remedy, remedy) from error

    def _label(self, chain: str, address: str, name: str, added: str) -> Label | str:
        """The label, or why it is left out."""
        network = self.configuration.chains.get(chain)
        if network is None:
            return "of other chains"
        normalised = _normalised(network, address)
        if normalised is None:
            return "without an address of that chain"
        owner = self._owner(name)
        if owner is None:
            return "of other owners" if name else "without a name"
        if not added:
            return Label(network, normalised, owner, self.configuration.undated_recorded_on)
        try:
            day = date.fromisoformat(added) if _DATE.fullmatch(added) else datetime.fromisoformat(added).date()
        except ValueError:
            return "with an unreadable date"
        return Label(network, normalised, owner, day)

    def _owner(self, name: str) -> str | None:
        """The owner of the first pattern that fits, upper and lower case alike; empty if that says nobody of ours."""
        fits = (owner or "" for pattern, owner in self.configuration.owners.items() if _fits(name, pattern))
        return next(fits, None)

    def _wallets(self, labels: Iterable[Label], day: date, left_out: Counter[str]) -> Iterator[dict[str, str | None]]:
        """One row for each address, as known at the end of the day, in order of network and address."""
        known: dict[tuple[str, str], list[Label]] = defaultdict(list)
        for label in labels:
            if label.added is None or label.added <= day:
                known[label.network, label.address].append(label)
            else:
                left_out["added later"] += 1
        for (network, address), alike in sorted(known.items()):
            dates = [label.added for label in alike if label.added is not None]
            if len({label.owner for label in alike}) > 1:
                left_out["with several owners"] += len(alike)
            elif not alike[0].owner:
                left_out["of other owners"] += len(alike)
            elif not dates:
                left_out["without a date"] += len(alike)
            else:
                yield self._wallet(network, address, alike[0].owner, min(dates))

    def _wallet(self, network: str, address: str, owner: str, added: date) -> dict[str, str | None]:
        known = datetime.combine(added, _DAY_END).isoformat()
        return {
            "wallet_id": f"{network}:{address}",
            "network": network,
            "address": address,
            "owner_entity_id": owner,
            "purpose": self.configuration.purpose,
            "custody": self.configuration.custody,
            "encumbered_pct": "100",
            "ownership_proof": "none",
            "valid_from": known,
            "recorded_at": known,
        }


def _cells(line: TextLine, file: StoredFile) -> list[str]:
    try:
        if line.is_readable:
            return split_cells(line.text, ",")
    except csv.Error as error:
        raise AnswerError(
            f"{file.shown}, line {line.number}: no row of a table ({error})", "correct the file"
        ) from error
    raise AnswerError(f"{file.shown}, line {line.number}: not UTF-8 text", "correct the file")


def _normalised(network: str, address: str) -> str | None:
    """The one spelling of an address, None if it can't be one: hexadecimal and bech32 don't tell cases, base58 does."""
    if network == "bitcoin":
        if _BECH32.fullmatch(address) and address in (address.lower(), address.upper()):
            return address.lower()
        return address if _BASE58.fullmatch(address) else None
    if address[:2].lower() == "0x":
        return address.lower() if _EVM.fullmatch(address) else None
    return address if address and address.isprintable() and " " not in address else None


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.casefold(), pattern.casefold())


def _counted(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(left_out.items())) or "none"
