"""A bankruptcy claims schedule and prices turned into a landing zone of opening balances.

What belongs here: what a schedule's balances become in the contract's tables, and the summary of an import. What
doesn't: layouts of files (filed_schedule, table_schedule, price_file), any figure made of the balances (dbt_project).

What is taken from a schedule, and what isn't:
- Each listed balance is an opening entry of the customer's account against the operator's external account, and the
  balance that the engine reports: the schedule is the books' only word. A balance of zero is a snapshot and no entry.
- One account listed twice with an asset has two claims: they are added up, and the summary says so.
- An amount with more than 18 significant places can't be held exactly: it is refused and listed, unless the caller
  asks for rounding. Zeros behind the 18th place are no information.
- A contract such as BTC-PERP is kept as listed, as an asset of class other. The schedule gives its quantity, not its
  value; without a price it shows as an unpriced balance, where a profit of zero would be an invention.
- Reserves, positions and privileges aren't in a schedule: wallets and their balances have no rows.
- US dollars are the numeraire and need no price; any other asset without one gets no row, so that it is found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

from orchestration.errors import ConfigurationError
from orchestration.imports.amounts import CONTRACT_INTEGER_DIGITS, EXACT, plain_text
from orchestration.imports.asset_classes import asset_class, is_derivative
from orchestration.imports.filed_schedule import looks_filed, read_filed_schedule
from orchestration.imports.landing_writer import Columns, check_target, write_landing
from orchestration.imports.price_file import AssetPrice, PriceReading, read_price_files
from orchestration.imports.schedule_lines import ScheduleReading
from orchestration.imports.table_schedule import COLUMN_SPELLINGS, find_header, read_table_schedule
from orchestration.imports.text_lines import RejectedLine, read_lines, write_rejects

NUMERAIRE = "USD"
REJECTS_FILE = "import_rejects.csv"
_SNAPSHOT_TIME = time(23, 59, 59)
_NAMES_SHOWN = 8
_REJECTS_SHOWN = 20
_TEXT_SHOWN = 80


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a schedule doesn't say and the caller knows.

    ``own_tokens``: tokens that the operator issued.
    ``redeemable``: assets that may stand in for US dollars one for one. ``price_asset``: asset of a price file
    without an asset column. ``round_to_contract``: round what has more than 18 significant places, half to even.
    ``operator``: entity_id of the exchange.
    """

    own_tokens: tuple[str, ...] = ()
    redeemable: tuple[str, ...] = ()
    price_asset: str | None = None
    round_to_contract: bool = False
    operator: str = "operator"

    @property
    def external_account(self) -> str:
        """The account that stands for the outside world."""
        return f"{self.operator}-external"


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import read, refused and decided. Every line of the schedule is counted once."""

    schedule: str
    layout: str
    as_of: date
    out: Path
    rejects_file: Path
    lines_total: int
    lines_read: int
    lines_heading: int
    lines_furniture: int
    lines_blank: int
    lines_rejected: int
    customers: int
    balances: int
    assets: int
    negative_balances: int
    zero_balances: int
    derivative_balances: int
    summed: tuple[tuple[str, str, int], ...]
    priced_assets: tuple[str, ...]
    unpriced_assets: tuple[str, ...]
    unused_prices: tuple[str, ...]
    oldest_price: datetime | None
    rejects: tuple[RejectedLine, ...]

    def text_lines(self) -> list[str]:
        """The summary for a person, one statement a line; all that was refused is in the rejects file."""
        lines = [
            f"{self.schedule} ({self.layout} layout): {self.balances:,} balances of {self.customers:,} customers in"
            f" {self.assets:,} assets; {self.negative_balances:,} below zero, {self.zero_balances:,} of zero",
            f"lines: {self.lines_total:,} = {self.lines_read:,} read + {self.lines_heading:,} headings +"
            f" {self.lines_furniture:,} page furniture + {self.lines_blank:,} blank + {self.lines_rejected:,} refused",
            f"prices: {len(self.priced_assets):,} assets priced"
            + (f", the oldest of {self.oldest_price:%Y-%m-%d %H:%M}" if self.oldest_price else "")
            + f"; {len(self.unpriced_assets):,} without a price{_named(self.unpriced_assets)}",
        ]
        if self.summed:
            named = _named(f"{account} {asset} ({count} times)" for account, asset, count in self.summed)
            lines.append(f"listed more than once for an account and added up: {len(self.summed):,}{named}")
        if self.derivative_balances:
            lines.append(
                f"contracts (such as perpetuals) kept as unpriced assets, a quantity and no value:"
                f" {self.derivative_balances:,}"
            )
        if self.unused_prices:
            lines.append(f"prices of assets that the schedule doesn't hold: {len(self.unused_prices):,}")
        if self.rejects:
            lines.append(
                f"REFUSED: {len(self.rejects):,} texts, whose amounts are in no figure; see {self.rejects_file}"
            )
            lines += [
                f"  {reject.file}, line {reject.line}: {_beginning(reject.text)} ({reject.reason})"
                for reject in self.rejects[:_REJECTS_SHOWN]
            ]
        if len(self.rejects) > _REJECTS_SHOWN:
            lines.append(f"  and {len(self.rejects) - _REJECTS_SHOWN:,} more")
        lines.append(f"landing zone of {self.as_of.isoformat()} written to {self.out}")
        return lines


def import_claims_schedule(
    schedule: Path,
    prices: Path | Sequence[Path],
    as_of: date,
    out: Path,
    *,
    cross_margined: bool = True,
    rejects: Path | None = None,
    options: ImportOptions | None = None,
) -> ImportSummary:
    """Turn a claims schedule and price files into a landing zone with one day, ``as_of``, in the folder ``out``.

    Amounts keep every digit. What can't be read is listed in ``rejects`` (``out``/import_rejects.csv unless given),
    and the summary counts every line. Accounts are of class margin if ``cross_margined``, else spot.
    Raises ConfigurationError if a file or header can't be read, nothing in it can, or ``out`` isn't empty.
    """
    chosen = options or ImportOptions()
    check_target(out)
    if rejects is not None and not rejects.parent.is_dir():
        raise ConfigurationError(f"the folder of {rejects} doesn't exist; create it or choose another place")
    reading = read_schedule(schedule, round_to_contract=chosen.round_to_contract)
    _check_names(reading, chosen)
    price_paths = [prices] if isinstance(prices, Path) else list(prices)
    price_reading = read_price_files(
        price_paths, as_of, price_asset=chosen.price_asset, round_to_contract=chosen.round_to_contract
    )
    assets = sorted({asset for balances in reading.balances.values() for asset in balances})
    used = [price for price in price_reading.prices if price.asset in set(assets) and price.asset != NUMERAIRE]
    write_landing(out, as_of, _landing_tables(reading, assets, used, as_of, chosen, cross_margined))
    rejects_file = rejects or out / REJECTS_FILE
    write_rejects(rejects_file, (*reading.rejects, *price_reading.rejects))
    return _summary(reading, price_reading, assets, used, as_of, out, rejects_file)


def read_schedule(path: Path, *, round_to_contract: bool = False) -> ScheduleReading:
    """Read a claims schedule in whichever layout it has.

    Raises ConfigurationError if the file can't be read, has neither layout, or no balance in it can be read.
    """
    lines = read_lines(path)
    header = find_header(lines)
    if header is not None and not header.missing:
        reading = read_table_schedule(path.name, lines, header, round_to_contract=round_to_contract)
    elif looks_filed(lines):
        reading = read_filed_schedule(path.name, lines, round_to_contract=round_to_contract)
    elif header is not None:
        reading = read_table_schedule(path.name, lines, header)
    else:
        raise ConfigurationError(
            f"{path.name} is no claims schedule: it has neither a header with the columns"
            f' {", ".join(COLUMN_SPELLINGS)} nor rows of the form code, "BTC[0.1], USD[-5.2]"'
        )
    if not reading.balances:
        first = f"; line {reading.rejects[0].line}: {reading.rejects[0].reason}" if reading.rejects else ""
        raise ConfigurationError(f"{path.name} holds no balance that can be read{first}; correct the file")
    return reading


def _check_names(reading: ScheduleReading, options: ImportOptions) -> None:
    """Raise ConfigurationError if a name of the operator's is a customer's, or a sum is beyond the contract."""
    for account in (options.external_account, options.operator):
        if account in reading.balances:
            raise ConfigurationError(
                f"{reading.file} lists an account {account}, which is the operator's own name here; choose another"
                " name for the operator"
            )
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for balances in reading.balances.values():
        for asset, amount in balances.items():
            totals[asset] = EXACT.add(totals[asset], abs(amount))
    largest = Decimal(10) ** CONTRACT_INTEGER_DIGITS
    for asset, total in sorted(totals.items()):
        if total >= largest:
            raise ConfigurationError(
                f"{reading.file}: the balances in {asset} add up to {plain_text(total)}, more than the"
                f" {CONTRACT_INTEGER_DIGITS} digits that a landing zone holds; leave the asset out or rescale it"
            )


def _landing_tables(
    reading: ScheduleReading,
    assets: list[str],
    prices: Sequence[AssetPrice],
    as_of: date,
    options: ImportOptions,
    cross_margined: bool,
) -> dict[str, Columns]:
    accounts = sorted(reading.balances)
    balances = [
        (account, asset, reading.balances[account][asset])
        for account in accounts
        for asset in sorted(reading.balances[account])
    ]
    opened = datetime.combine(as_of, time())
    return {
        "entities": _entities(accounts, opened, options),
        "accounts": _accounts(accounts, opened, options, "margin" if cross_margined else "spot"),
        "tokens": _tokens(assets, options),
        "ledger_entries": _opening_entries(balances, opened, options),
        "balance_snapshots": {
            "account_id": [account for account, _, _ in balances],
            "asset": [asset for _, asset, _ in balances],
            "balance": [amount for _, _, amount in balances],
            "as_of": [datetime.combine(as_of, _SNAPSHOT_TIME)] * len(balances),
        },
        "token_prices": {
            "asset": [price.asset for price in prices],
            "price_usd": [price.price_usd for price in prices],
            "as_of": [price.as_of for price in prices],
            "source": [price.source for price in prices],
        },
    }


def _customer_entity(account: str) -> str:
    return f"customer-{account}"


def _entities(accounts: list[str], recorded_at: datetime, options: ImportOptions) -> Columns:
    return {
        "entity_id": [options.operator, *map(_customer_entity, accounts)],
        "entity_type": ["operator", *["customer"] * len(accounts)],
        "recorded_at": [recorded_at] * (len(accounts) + 1),
    }


def _accounts(accounts: list[str], recorded_at: datetime, options: ImportOptions, customer_class: str) -> Columns:
    return {
        "account_id": [options.external_account, *accounts],
        "entity_id": [options.operator, *map(_customer_entity, accounts)],
        "account_class": ["external", *[customer_class] * len(accounts)],
        "recorded_at": [recorded_at] * (len(accounts) + 1),
    }


def _tokens(assets: list[str], options: ImportOptions) -> Columns:
    own_tokens = frozenset(options.own_tokens)
    return {
        "asset": assets,
        "asset_class": [asset_class(asset, own_tokens) for asset in assets],
        "issuer_entity_id": [options.operator if asset in own_tokens else None for asset in assets],
        "in_kind_group": [NUMERAIRE if asset in options.redeemable else None for asset in assets],
    }


def _opening_entries(
    balances: list[tuple[str, str, Decimal]], effective_at: datetime, options: ImportOptions
) -> Columns:
    """Two legs per balance that isn't zero: the account's and the outside world's, which sum to zero."""
    moved = [balance for balance in balances if balance[2]]
    transactions = [f"opening|{account}|{asset}" for account, asset, _ in moved]
    legs = [(transaction, leg) for transaction in transactions for leg in ("account", "external")]
    return {
        "entry_id": [f"{transaction}|{leg}" for transaction, leg in legs],
        "transaction_id": [transaction for transaction, _ in legs],
        "account_id": [name for account, _, _ in moved for name in (account, options.external_account)],
        "asset": [asset for _, asset, _ in moved for _ in range(2)],
        "amount": [leg for _, _, amount in moved for leg in (amount, amount.copy_negate())],
        "entry_type": ["opening"] * len(legs),
        "effective_at": [effective_at] * len(legs),
        "recorded_at": [effective_at] * len(legs),
    }


def _summary(
    reading: ScheduleReading,
    price_reading: PriceReading,
    assets: list[str],
    used: Sequence[AssetPrice],
    as_of: date,
    out: Path,
    rejects_file: Path,
) -> ImportSummary:
    listed = [(asset, amount) for balances in reading.balances.values() for asset, amount in balances.items()]
    priced = {price.asset for price in used} | {NUMERAIRE}
    return ImportSummary(
        schedule=reading.file,
        layout=reading.layout,
        as_of=as_of,
        out=out,
        rejects_file=rejects_file,
        lines_total=reading.lines_total,
        lines_read=reading.lines_read,
        lines_heading=reading.heading_lines,
        lines_furniture=reading.furniture_lines,
        lines_blank=reading.blank_lines,
        lines_rejected=len(reading.rejected_lines),
        customers=len(reading.balances),
        balances=len(listed),
        assets=len(assets),
        negative_balances=sum(amount < 0 for _, amount in listed),
        zero_balances=sum(not amount for _, amount in listed),
        derivative_balances=sum(is_derivative(asset) for asset, _ in listed),
        summed=tuple((account, asset, count) for (account, asset), count in sorted(reading.occurrences.items())),
        priced_assets=tuple(asset for asset in assets if asset in priced),
        unpriced_assets=tuple(asset for asset in assets if asset not in priced),
        unused_prices=tuple(sorted({price.asset for price in price_reading.prices} - set(assets))),
        oldest_price=min((price.as_of for price in used), default=None),
        rejects=(*reading.rejects, *price_reading.rejects),
    )


def _beginning(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 3]}..."


def _named(names: Iterable[str]) -> str:
    """`` (a, b, ... and 3 more)``, or nothing if there are none."""
    listed = list(names)
    if not listed:
        return ""
    more = f" and {len(listed) - _NAMES_SHOWN} more" if len(listed) > _NAMES_SHOWN else ""
    return f" ({', '.join(listed[:_NAMES_SHOWN])}{more})"
