"""Price files: the daily closes of a day, and volumes, from CSV files in the layouts that price downloads come in.

What belongs here: the configuration, which files and assets a day must have, renaming. What doesn't: the layouts
(``imports.price_file``), finding and fetching files (``stored_files``).

A download grows by a row a day, so each pull reads the day's rows of all files, whatever was read of them before. An
asset that a file priced before and doesn't price on the day is missing data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, StringConstraints, model_validator

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
from orchestration.imports.amounts import plain_text
from orchestration.imports.price_file import AssetPrice, DayPrices, PriceOptions, read_day_prices

Name = Annotated[str, StringConstraints(min_length=1)]


class PriceFilesConfiguration(SourceConfiguration):
    """The keys of a source of price files; the example configuration says what each means."""

    folder: Path
    pattern: PatternText
    asset: Name | None = None
    assets: Mapping[str, Name] = Field(default_factory=dict)
    only_assets: tuple[Name, ...] = ()
    source: Name | None = None
    volume_column: Name | None = None
    volume_in: Literal["usd", "asset"] | None = None
    daily_bars: bool | None = None
    may_lack: bool = False
    round_to_18: bool = False
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.volume_column is None) != (self.volume_in is None):
            raise ValueError("volume_column and volume_in go together: a column of volumes doesn't say what it counts")
        return self

    @property
    def options(self) -> PriceOptions:
        """What the files don't say themselves."""
        return PriceOptions(self.asset, self.round_to_18, self.volume_column, self.volume_in == "usd", self.daily_bars)


class PriceFilesConnector(Connector):
    """The price files of one folder."""

    configuration_class: ClassVar[type[SourceConfiguration]] = PriceFilesConfiguration

    def __init__(self, name: str, configuration: PriceFilesConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration
        self.storage, self.pattern = LocalFolder(configuration.folder), FilePattern(configuration.pattern)

    @classmethod
    def feeds_of(cls, configuration: PriceFilesConfiguration) -> tuple[Feed, ...]:  # noqa: ARG003 (one table, always)
        """Prices; a day without any is missing."""
        return (Feed("token_prices"),)

    def check(self) -> Iterator[Probe]:
        """List the files and open the last."""
        yield look(self.storage, self.pattern, "prices")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """The day's closes of every file."""
        found = self.pattern.found_in(self.storage, order.day)
        files = [file for file in found if file.day in (None, order.day)]
        if not files:
            raise EmptyAnswerError(
                f"no file {self.pattern.text} of {order.day} lies in {self.storage.place}, which counts as missing",
                "see why it wasn't delivered, or mend the pattern",
            )
        prices: dict[tuple[str, str], AssetPrice] = {}
        lacking: list[str] = []
        for file in files:
            self.services.report(f"{order.day}, {file.shown}")
            read = self._read(file, order)
            for price in read.prices:
                self._add(prices, price, file)
            lacking += [f"{self._renamed(asset)} in {file.shown}" for asset in read.lacking if self._is_wanted(asset)]
        self._require(prices, lacking, order)
        yield Batch("token_prices", self._rows(list(prices.values())))
        yield Completed({"day": order.day.isoformat(), "files": len(files), "lacking": len(lacking)})

    def _read(self, file: StoredFile, order: Order) -> DayPrices:
        with TemporaryDirectory(prefix="ringfence-") as folder:
            path = Path(folder) / Path(file.key).name.removesuffix(".gz")
            copy_of(self.storage, file, self.configuration.limits, path)
            with path.open("rb") as stream:
                if stream.read(2) == b"\x1f\x8b":
                    raise AnswerError(f"{file.shown} is compressed twice", "compress it once")
            try:
                return read_day_prices(path, order.day, self.configuration.options, is_of_day=file.day is not None)
            except ConfigurationError as error:
                problem, _, remedy = str(error).replace(str(path), file.shown).rpartition("; ")
                raise AnswerError(problem, remedy) from error

    def _renamed(self, asset: str) -> str:
        return self.configuration.assets.get(asset, asset)

    def _is_wanted(self, asset: str) -> bool:
        return not self.configuration.only_assets or self._renamed(asset) in self.configuration.only_assets

    def _add(self, prices: dict[tuple[str, str], AssetPrice], price: AssetPrice, file: StoredFile) -> None:
        if not self._is_wanted(price.asset):
            return
        key = (self._renamed(price.asset), self.configuration.source or price.source)
        if key in prices:
            raise AnswerError(
                f"{file.shown} prices {key[0]} a second time for source {key[1]}",
                "leave source out, so that each file is one, or narrow the pattern",
            )
        prices[key] = AssetPrice(key[0], price.price_usd, price.as_of, key[1], price.volume_usd)

    def _require(self, prices: dict[tuple[str, str], AssetPrice], lacking: list[str], order: Order) -> None:
        absent = sorted(set(self.configuration.only_assets) - {asset for asset, _ in prices})
        missing = lacking + [f"{asset} in any file" for asset in absent if not any(asset in text for text in lacking)]
        if missing and not self.configuration.may_lack:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise EmptyAnswerError(
                f"no price of {order.day} for {', '.join(missing[:3])}{more}, which counts as missing",
                "see why it wasn't delivered; if they aren't priced any more, say may_lack",
            )
        for text in missing:
            self.services.report(f"{order.day}, no price for {text}")

    def _rows(self, prices: list[AssetPrice]) -> pa.Table:
        return self.table_of(
            {
                "asset": [price.asset for price in prices],
                "price_usd": [plain_text(price.price_usd) for price in prices],
                "volume_usd": [None if price.volume_usd is None else plain_text(price.volume_usd) for price in prices],
                "as_of": [price.as_of for price in prices],
                "source": [price.source for price in prices],
            }
        )
