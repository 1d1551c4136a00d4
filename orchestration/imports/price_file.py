"""Files of prices: the last close at or before a day, or the close of that very day, with the moment it is really of.

What belongs here: the layouts that price downloads come in. What doesn't: whether a price is fresh, agrees with
others, or is missing, which the checks say of the landing zone.

Layouts, told apart by their header: asset, date and close (daily bars of several assets); date and close (daily bars
of one asset, which the file's name or an option names); asset and price, with or without a date. Dates may be
ISO 8601 or epoch seconds or milliseconds. A bar is stamped with its day and its close is of the day's end, so a date
without a time, and a bar at midnight, are read as the last second of that day. What a column named volume counts
differs between providers, so volumes are read only where it is said.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from orchestration.errors import ConfigurationError
from orchestration.imports.amounts import EXACT, parse_amount
from orchestration.imports.text_lines import RejectedLine, TextLine, column_name, find_columns, read_lines, split_cells

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "asset": ("asset", "symbol", "token", "coin", "ticker"),
    "time": ("as_of", "date", "datetime", "timestamp", "time", "day", "unix", "epoch"),
    "price": ("price_usd", "close", "price", "close_usd"),
    "open": ("open",),
}
_DELIMITERS = (",", ";", "\t", "|")
_DAY_END = time(23, 59, 59)
_EPOCH_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))
_EPOCH = re.compile(r"\d{9,17}(?:\.\d+)?|\d(?:\.\d+)?[eE]\+?\d{1,2}")
_LEADING_WORD = re.compile(r"[A-Za-z0-9]+")
_NO_PRICE = frozenset({"", "null", "nan", "none", "n/a", "-"})


@dataclass(frozen=True, slots=True)
class AssetPrice:
    """USD for one unit of an asset, the moment (UTC, without a zone) it is of, and the file it comes from."""

    asset: str
    price_usd: Decimal
    as_of: datetime
    source: str
    volume_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceReading:
    """The last price per asset and file, and the lines that couldn't be read."""

    prices: tuple[AssetPrice, ...]
    rejects: tuple[RejectedLine, ...]


@dataclass(frozen=True, slots=True)
class PriceOptions:
    """What a price file doesn't say itself.

    ``asset`` is that of a file without a column of assets. ``volume_column`` names the volumes, which are in USD or, if
    not ``volume_is_usd``, in units of the asset and worth the close. ``is_bar`` tells whether rows are daily bars, None
    if their header tells by a column of opening prices.
    """

    asset: str | None = None
    round_to_contract: bool = False
    volume_column: str | None = None
    volume_is_usd: bool = True
    is_bar: bool | None = None


@dataclass(frozen=True, slots=True)
class DayPrices:
    """The closes of a day, and the assets that were priced before it and not on it."""

    prices: tuple[AssetPrice, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    delimiter: str
    width: int
    columns: dict[str, int]
    options: PriceOptions
    asset: str | None

    @property
    def is_bar(self) -> bool:
        return "open" in self.columns if self.options.is_bar is None else self.options.is_bar


def read_price_file(
    path: Path, as_of: date, *, price_asset: str | None = None, round_to_contract: bool = False
) -> PriceReading:
    """Read the last price at or before the end of ``as_of`` for each asset of a price file.

    Later prices are left out; nothing older is made to look newer. ``price_asset`` names the asset of a file that
    has no asset column. Raises ConfigurationError if the file can't be read or its header lacks a column.
    """
    layout, lines = _opened(path, PriceOptions(price_asset, round_to_contract))
    latest: dict[str, AssetPrice] = {}
    rejects: list[RejectedLine] = []
    for line in lines:
        try:
            price = _read_row(_cells(line, layout), layout, as_of, path.stem)
        except ValueError as error:
            rejects.append(RejectedLine(path.name, line.number, line.text, str(error)))
            continue
        if price.as_of.date() > as_of:
            continue
        known = latest.get(price.asset)
        if known is None or price.as_of > known.as_of:
            latest[price.asset] = price
        elif price.as_of == known.as_of and price.price_usd != known.price_usd:
            rejects.append(RejectedLine(path.name, line.number, line.text, "another price stands for the same moment"))
    if not latest and rejects:
        raise ConfigurationError(
            f"{path.name} holds no price that can be read; line {rejects[0].line}: {rejects[0].reason}"
        )
    return PriceReading(tuple(latest[asset] for asset in sorted(latest)), tuple(rejects))


def read_day_prices(path: Path, day: date, options: PriceOptions, *, is_of_day: bool = False) -> DayPrices:
    """Read the last price on ``day`` itself for each asset of a price file; rows of other days aren't judged.

    ``is_of_day``: all rows of the file are of that day, so they need no date. Raises ConfigurationError, naming file
    and line, for a row of the day, or of no day that can be told, that holds no price; for two prices of one moment;
    and as ``read_price_file`` does.
    """
    layout, lines = _opened(path, options)
    if "time" not in layout.columns and not is_of_day:
        raise ConfigurationError(
            f"{path.name} has no dates; name the day in the file's name, as {{date}} in its pattern"
        )
    latest: dict[str, AssetPrice] = {}
    before: set[str] = set()
    for line in lines:
        try:
            cells = _cells(line, layout)
            moment = _moment_of(cells, layout, day)
            if moment.date() != day:
                before |= {_asset_of(cells, layout)} if moment.date() < day else set()
                continue
            price = _read_row(cells, layout, day, path.stem)
            known = latest.get(price.asset)
            if known is not None and known.as_of == price.as_of and known != price:
                raise ValueError("another price stands for the same moment")
        except ValueError as error:
            raise ConfigurationError(f"{path.name}, line {line.number}: {error}; correct or remove it") from error
        if known is None or price.as_of > known.as_of:
            latest[price.asset] = price
    return DayPrices(tuple(latest[asset] for asset in sorted(latest)), tuple(sorted(before - set(latest))))


def _opened(path: Path, options: PriceOptions) -> tuple[_Layout, list[TextLine]]:
    """A file's layout, and its lines without the header, repeated or not, and blank ones."""
    lines = read_lines(path)
    first = next(line for line in lines if line.text.strip())
    layout = _layout(path, first, options)
    rows = [line for line in lines if line.text.strip() != first.text.strip()]
    return layout, [line for line in rows if line.text.strip(layout.delimiter + " ")]


def read_price_files(
    paths: Sequence[Path], as_of: date, *, price_asset: str | None = None, round_to_contract: bool = False
) -> PriceReading:
    """Read several price files, each a source of its own. Raises ConfigurationError as ``read_price_file`` does."""
    sources = [path.stem for path in paths]
    if len(set(sources)) != len(sources):
        raise ConfigurationError(f"two price files have the name {sources[0]}; rename one, the name is the source")
    readings = [
        read_price_file(path, as_of, price_asset=price_asset, round_to_contract=round_to_contract) for path in paths
    ]
    return PriceReading(
        tuple(price for reading in readings for price in reading.prices),
        tuple(reject for reading in readings for reject in reading.rejects),
    )


def _layout(path: Path, header: TextLine, options: PriceOptions) -> _Layout:
    spellings = _SPELLINGS
    if options.volume_column is not None:
        spellings = {**_SPELLINGS, "volume": (column_name(options.volume_column),)}
    best: tuple[str, list[str], dict[str, int]] = (",", [], {})
    for delimiter in _DELIMITERS:
        try:
            cells = split_cells(header.text, delimiter)
        except csv.Error:
            continue
        columns = find_columns(cells, spellings)
        if len(columns) > len(best[2]):
            best = (delimiter, cells, columns)
    delimiter, cells, columns = best
    if "price" not in columns or not {"asset", "time"} & set(columns):
        raise ConfigurationError(
            f"{path.name}, line {header.number}: no layout of prices has this header; name the columns asset, date and"
            " close, or date and close for one asset, or asset and price_usd with or without as_of"
        )
    if options.volume_column is not None and "volume" not in columns:
        raise ConfigurationError(
            f"{path.name} has no column {options.volume_column} for its volumes; mend the name of that column"
        )
    asset = None
    if "asset" not in columns:
        word = _LEADING_WORD.match(path.stem)
        asset = options.asset or (word.group().upper() if word else None)
        if asset is None:
            raise ConfigurationError(f"{path.name} has no asset column; say which asset it prices with --price-asset")
    return _Layout(delimiter, len(cells), columns, options, asset)


def _cells(line: TextLine, layout: _Layout) -> list[str]:
    """One row's cells; raise ValueError with the reason if it is no row of this layout."""
    if not line.is_readable:
        raise ValueError("the line is not UTF-8 text")
    try:
        cells = split_cells(line.text, layout.delimiter)
    except csv.Error as error:
        raise ValueError(f"the line is no row of a table: {error}") from error
    if len(cells) != layout.width:
        raise ValueError(f"the row has {len(cells)} cells and the header {layout.width}")
    return cells


def _asset_of(cells: list[str], layout: _Layout) -> str:
    asset = layout.asset or cells[layout.columns["asset"]]
    if not asset:
        raise ValueError("the asset is missing")
    return asset


def _moment_of(cells: list[str], layout: _Layout, as_of: date) -> datetime:
    if "time" in layout.columns:
        return _moment(cells[layout.columns["time"]], is_bar=layout.is_bar)
    return datetime.combine(as_of, _DAY_END)


def _read_row(cells: list[str], layout: _Layout, as_of: date, source: str) -> AssetPrice:
    """Read one row; raise ValueError with the reason if it holds no price."""
    asset, moment = _asset_of(cells, layout), _moment_of(cells, layout, as_of)
    text = cells[layout.columns["price"]]
    if text.lower() in _NO_PRICE:
        raise ValueError("there is no price")
    price = parse_amount(text, round_to_contract=layout.options.round_to_contract)
    if price <= 0:
        raise ValueError(f"the price {text!r} is not positive")
    return AssetPrice(asset, price, moment, source, _volume(cells, layout, price))


def _volume(cells: list[str], layout: _Layout, price: Decimal) -> Decimal | None:
    """The volume in USD, None if there is none; raise ValueError if it is no amount."""
    text = cells[layout.columns["volume"]] if "volume" in layout.columns else ""
    if text.lower() in _NO_PRICE:
        return None
    rounding = layout.options.round_to_contract
    volume = parse_amount(text, round_to_contract=rounding)
    if volume < 0:
        raise ValueError(f"the volume {text!r} is negative")
    if layout.options.volume_is_usd:
        return volume
    return parse_amount(format(EXACT.multiply(volume, price), "f"), round_to_contract=rounding)


def _moment(text: str, *, is_bar: bool) -> datetime:
    """The moment a price is of, UTC without a zone; raise ValueError if the text is no date."""
    if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        return datetime.combine(date.fromisoformat(text), _DAY_END)
    if _EPOCH.fullmatch(text):
        count = Decimal(text)
        ticks_per_second = next((ticks for limit, ticks in _EPOCH_UNITS if count < limit), None)
        if ticks_per_second is None:
            raise ValueError(f"{text!r} is no epoch time in seconds, milliseconds or microseconds")
        moment = datetime(1970, 1, 1) + timedelta(microseconds=int(count * (1_000_000 // ticks_per_second)))
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is neither an ISO 8601 date nor an epoch time") from error
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    if is_bar and moment.time() == time():
        return datetime.combine(moment.date(), _DAY_END)
    return moment
