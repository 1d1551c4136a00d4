"""The landing contract of DOMAIN.md section 2, once and machine-readable.

What belongs here: the tables a landing zone may hold, their columns, types, keys and allowed values, and the
metadata columns that ingestion adds. Readers, raw tables, GX entry suites, dbt sources and the simulator derive
from it. What doesn't: reading files, SQL that runs, thresholds (those are policy).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class ColumnKind(StrEnum):
    """How a column's text becomes a value; each kind has exactly one DuckDB type."""

    TEXT = "text"
    ENUM = "enum"
    DECIMAL = "decimal"
    PERCENT = "percent"
    INTEGER = "integer"
    TIMESTAMP = "timestamp"
    DATE = "date"


DUCKDB_TYPES: dict[ColumnKind, str] = {
    ColumnKind.TEXT: "VARCHAR",
    ColumnKind.ENUM: "VARCHAR",
    ColumnKind.DECIMAL: "DECIMAL(38,18)",
    ColumnKind.PERCENT: "DECIMAL(38,18)",
    ColumnKind.INTEGER: "BIGINT",
    ColumnKind.TIMESTAMP: "TIMESTAMP",
    ColumnKind.DATE: "DATE",
}
"""Timestamps are UTC without a zone: TIMESTAMPTZ would make results depend on the session's time zone."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract.

    ``required`` means that the value may not be null (the column itself must always be present).
    ``values`` are the allowed values of an enum column; ``positive`` refuses zero and less. ``is_statistic`` marks a
    decimal that is estimated and no amount: it may be delivered as a binary float. ``description`` names unit and sign.
    """

    name: str
    kind: ColumnKind
    description: str
    required: bool = True
    values: tuple[str, ...] = ()
    positive: bool = False
    is_statistic: bool = False

    @property
    def duckdb_type(self) -> str:
        """The column's type in DuckDB."""
        return DUCKDB_TYPES[self.kind]


@dataclass(frozen=True, slots=True)
class Reference:
    """A column whose non-null values must exist as ``target_column`` of ``target_table``."""

    column: str
    target_table: str
    target_column: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the landing zone.

    ``dated`` tables arrive as ``<table>/date=YYYY-MM-DD/``, the others as ``<table>/``. ``key`` identifies a row;
    a table with ``versioned`` true may hold several rows of one key that differ in ``recorded_at``.
    ``required_daily`` tables must have a partition on every day, even if it has no rows.
    """

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    dated: bool
    versioned: bool = False
    required_daily: bool = False
    references: tuple[Reference, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The contract's columns in order, without ingestion metadata."""
        return tuple(column.name for column in self.columns)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that identify a row including its version: two rows alike in these must be alike in all."""
        return (*self.key, "recorded_at") if self.versioned else self.key

    def column(self, name: str) -> Column:
        """Return the column of that name; raise KeyError if the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")


METADATA_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("partition_date", "DATE", "day of the batch the row first arrived in; null for reference tables"),
    ("source_file", "VARCHAR", "file the row was read from, relative to the landing zone"),
    ("source_row", "BIGINT", "row in that file, counted from 1, a header not counted"),
)
"""Columns that ingestion adds to every raw table: name, DuckDB type, description."""


def _text(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.TEXT, description, required)


def _enum(name: str, values: str, description: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.ENUM, description, required, tuple(values.split("|")))


def _decimal(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.DECIMAL, description, required)


def _percent(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.PERCENT, description, required)


def _integer(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.INTEGER, description, required)


def _time(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.TIMESTAMP, description, required)


_RECORDED_AT = _time("recorded_at", "when the source system recorded the row, UTC")
_VALID_FROM = _time("valid_from", "start of validity, inclusive, UTC")
_VALID_TO = _time("valid_to", "end of validity, exclusive, UTC; null means still", required=False)
_AS_OF = _time("as_of", "the moment the row describes, UTC")

REFERENCE_TABLES: tuple[Table, ...] = (
    Table(
        "entities",
        "Every legal or natural person the exchange knows.",
        ("entity_id",),
        (
            _text("entity_id", "identifier of the entity"),
            _enum("entity_type", "customer|operator|company|person|custodian|bank", "what the entity is"),
            _text("name", "name as recorded", required=False),
            _text("country", "country code", required=False),
            _RECORDED_AT,
        ),
        dated=False,
        versioned=True,
    ),
    Table(
        "entity_links",
        "Ownership, control, directorship and family between entities, from parent to child.",
        ("parent_entity_id", "child_entity_id", "link_type", "valid_from"),
        (
            _text("parent_entity_id", "the owner, controller, director or relative"),
            _text("child_entity_id", "the entity owned, controlled, directed, or the other relative"),
            _enum("link_type", "ownership|control|director|family", "kind of link"),
            _percent("ownership_pct", "share held, 0 to 100; null unless ownership", required=False),
            _VALID_FROM,
            _VALID_TO,
            _RECORDED_AT,
        ),
        dated=False,
        versioned=True,
        references=(
            Reference("parent_entity_id", "entities", "entity_id"),
            Reference("child_entity_id", "entities", "entity_id"),
        ),
    ),
    Table(
        "entity_attributes",
        "Hashed attributes by which two entities can be seen to be one.",
        ("entity_id", "attribute_type", "attribute_hash", "recorded_at"),
        (
            _text("entity_id", "the entity that uses the attribute"),
            _enum(
                "attribute_type",
                "email_domain|bank_account|device|address|phone|withdrawal_address",
                "kind of attribute",
            ),
            _text("attribute_hash", "keyed hash of the attribute's value"),
            _RECORDED_AT,
        ),
        dated=False,
        references=(Reference("entity_id", "entities", "entity_id"),),
    ),
    Table(
        "accounts",
        "Accounts of the exchange's ledger.",
        ("account_id",),
        (
            _text("account_id", "identifier of the account"),
            _text("entity_id", "the entity that holds the account"),
            _enum(
                "account_class",
                "spot|margin|house|fee|insurance_fund|external|suspense",
                "what the account is for",
            ),
            _text("label", "free text", required=False),
            _time("opened_at", "when the account was opened, UTC", required=False),
            _time("closed_at", "when the account was closed, UTC; null means open", required=False),
            _RECORDED_AT,
        ),
        dated=False,
        versioned=True,
        references=(Reference("entity_id", "entities", "entity_id"),),
    ),
    Table(
        "account_privileges",
        "Exceptions from the exchange's rules that an account enjoys.",
        ("account_id", "privilege", "valid_from"),
        (
            _text("account_id", "the privileged account"),
            _enum(
                "privilege",
                "allow_negative_balance|liquidation_exempt|credit_line|fee_exempt|withdrawal_bypass|hidden",
                "what the account is allowed",
            ),
            _decimal("limit_usd", "limit of a credit line in USD; null means none stated", required=False),
            _VALID_FROM,
            _VALID_TO,
            _RECORDED_AT,
            _text("set_by", "who set it", required=False),
        ),
        dated=False,
        versioned=True,
        references=(Reference("account_id", "accounts", "account_id"),),
    ),
    Table(
        "tokens",
        "Assets that balances are kept in.",
        ("asset",),
        (
            _text("asset", "identifier of the asset"),
            _enum("asset_class", "fiat|stablecoin|crypto|exchange_token|tokenized|other", "class for haircuts"),
            _text("issuer_entity_id", "the entity that issues the asset; null if none", required=False),
            _integer("decimals", "decimals on chain, informative", required=False),
            _text("in_kind_group", "the reference asset of the in-kind group; null means itself", required=False),
        ),
        dated=False,
        references=(Reference("issuer_entity_id", "entities", "entity_id"),),
    ),
    Table(
        "wallets",
        "Where assets are held: addresses, bank accounts, custodians' and venues' accounts.",
        ("wallet_id", "valid_from"),
        (
            _text("wallet_id", "identifier of the wallet"),
            _text("network", "bitcoin, ethereum, ..., bank, custodian, venue"),
            _text("address", "address or account number on that network; null if it has none", required=False),
            _text("owner_entity_id", "the entity that owns what is held"),
            _enum("purpose", "customer|house|collateral|unknown", "for whom it is held"),
            _enum("custody", "hot|cold|custodian|bank|venue|staked", "how it is held"),
            _percent("encumbered_pct", "share pledged to others, 0 to 100"),
            _enum(
                "ownership_proof",
                "none|signature|custodian_letter|bank_confirmation",
                "how ownership was proven",
            ),
            _time("proven_at", "when ownership was proven, UTC; null if never", required=False),
            _VALID_FROM,
            _VALID_TO,
            _RECORDED_AT,
        ),
        dated=False,
        versioned=True,
        references=(Reference("owner_entity_id", "entities", "entity_id"),),
    ),
)

_ACCOUNT = Reference("account_id", "accounts", "account_id")
_ASSET = Reference("asset", "tokens", "asset")
_WALLET = Reference("wallet_id", "wallets", "wallet_id")

DATED_TABLES: tuple[Table, ...] = (
    Table(
        "ledger_entries",
        "The exchange's double-entry ledger: per transaction and asset the amounts sum to zero.",
        ("entry_id",),
        (
            _text("entry_id", "identifier of the entry"),
            _text("transaction_id", "the transaction the entry is a leg of"),
            _text("account_id", "the account that the entry changes"),
            _text("asset", "the asset moved"),
            _decimal("amount", "units of the asset; positive raises what the operator owes the account"),
            _enum(
                "entry_type",
                "opening|deposit|withdrawal|trade|fee|funding|interest|liquidation|transfer|rebate|reward|borrow|repay"
                "|adjustment|revenue",
                "why the balance changed",
            ),
            _time("effective_at", "when the entry counts, UTC"),
            _RECORDED_AT,
            _text("reference", "transfer_id of a deposit or withdrawal, else free", required=False),
            _text("memo", "free text", required=False),
        ),
        dated=True,
        required_daily=True,
        references=(_ACCOUNT, _ASSET),
    ),
    Table(
        "balance_snapshots",
        "What the trading engine says an account holds.",
        ("account_id", "asset", "as_of"),
        (
            _text("account_id", "the account"),
            _text("asset", "the asset"),
            _decimal("balance", "units of the asset; positive is owed to the account"),
            _AS_OF,
        ),
        dated=True,
        required_daily=True,
        references=(_ACCOUNT, _ASSET),
    ),
    Table(
        "wallet_balances",
        "What the chain, bank, custodian or venue says a wallet holds.",
        ("wallet_id", "asset", "as_of"),
        (
            _text("wallet_id", "the wallet"),
            _text("asset", "the asset"),
            _decimal("balance", "units of the asset held"),
            _AS_OF,
            _integer("block_height", "block of the balance; null off chain", required=False),
        ),
        dated=True,
        required_daily=True,
        references=(_WALLET, _ASSET),
    ),
    Table(
        "wallet_transfers",
        "What moved into and out of wallets.",
        ("transfer_id",),
        (
            _text("transfer_id", "identifier of the transfer"),
            _text("wallet_id", "the wallet whose balance changed"),
            _text("counterparty_address", "the other side's address", required=False),
            _text("counterparty_wallet_id", "the other side if it is a known wallet; null if outside", required=False),
            _text("asset", "the asset moved"),
            _decimal("amount", "units of the asset; positive raises the wallet's balance"),
            _enum("transfer_type", "deposit|withdrawal|internal|network_fee|other", "why it moved"),
            _time("block_time", "when it moved, UTC"),
            _RECORDED_AT,
        ),
        dated=True,
        references=(_WALLET, Reference("counterparty_wallet_id", "wallets", "wallet_id"), _ASSET),
    ),
    Table(
        "token_prices",
        "Prices by source.",
        ("asset", "as_of", "source"),
        (
            _text("asset", "the asset priced"),
            Column("price_usd", ColumnKind.DECIMAL, "USD for one unit", positive=True),
            _decimal("volume_usd", "USD traded at the source in the last day", required=False),
            _AS_OF,
            _text("source", "venue or provider"),
        ),
        dated=True,
        required_daily=True,
        references=(_ASSET,),
    ),
    Table(
        "market_depth",
        "How much of an asset a market can take.",
        ("asset", "as_of", "source"),
        (
            _text("asset", "the asset"),
            _AS_OF,
            _decimal("bid_depth_2pct_usd", "USD of bids within 2 % of the price", required=False),
            _decimal("volume_30d_avg_usd", "average USD traded a day over 30 days", required=False),
            Column(
                "volatility_30d",
                ColumnKind.DECIMAL,
                "standard deviation of daily returns over 30 days, a fraction",
                required=False,
                is_statistic=True,
            ),
            _text("source", "venue or provider"),
        ),
        dated=True,
        references=(_ASSET,),
    ),
    Table(
        "token_supply",
        "How many units of a token exist.",
        ("asset", "as_of"),
        (
            _text("asset", "the asset"),
            _AS_OF,
            _decimal("circulating", "units in circulation", required=False),
            _decimal("total", "units issued", required=False),
        ),
        dated=True,
        references=(_ASSET,),
    ),
    Table(
        "open_positions",
        "Derivative positions and their unrealised profit.",
        ("account_id", "instrument", "as_of"),
        (
            _text("account_id", "the account that holds the position"),
            _text("instrument", "the contract held"),
            _decimal("quantity", "contracts; negative is short"),
            _decimal("entry_price", "USD average entry price", required=False),
            _decimal("mark_price", "USD mark price", required=False),
            _decimal("unrealised_pnl_usd", "USD unrealised profit, negative for a loss"),
            _AS_OF,
        ),
        dated=True,
        references=(_ACCOUNT,),
    ),
    Table(
        "reported_figures",
        "What management told the world.",
        ("figure", "line", "asset", "period_start", "period_end", "published_at"),
        (
            _enum("figure", "revenue|customer_liabilities|reserves|insurance_fund", "what was reported"),
            _text("line", "line of the report; null for the total", required=False),
            _text("asset", "unit of the amount; null is a USD total", required=False),
            _decimal("amount", "units of the asset, or USD if the asset is null"),
            _time("period_start", "start of the period, inclusive, UTC", required=False),
            _time("period_end", "end of the period, UTC; of a stock figure the snapshot's moment"),
            _time("published_at", "when it was published, UTC"),
        ),
        dated=True,
        references=(_ASSET,),
    ),
)

TABLES: tuple[Table, ...] = REFERENCE_TABLES + DATED_TABLES


@cache
def tables_by_name() -> dict[str, Table]:
    """All tables of the contract by name."""
    return {table.name: table for table in TABLES}


def table(name: str) -> Table:
    """Return the table of that name; raise KeyError if the contract has none."""
    return tables_by_name()[name]


def raw_columns(table_: Table) -> tuple[tuple[str, str], ...]:
    """Name and DuckDB type of every column of the raw table: the contract's, then ingestion's metadata."""
    contract_columns = tuple((column.name, column.duckdb_type) for column in table_.columns)
    return contract_columns + tuple((name, type_) for name, type_, _ in METADATA_COLUMNS)
