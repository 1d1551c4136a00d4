"""Each check fires on a fault planted into the small exchange, on the right subject and days, and nothing else does.

The faults here go through the models only; those that keep a load out altogether (integrity) are in
``test_refused_loads.py``. A case lists every finding that must be there: one more is a false alarm, one less a miss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestration.checks import CHECKS, Kind
from orchestration.warehouse.compiled import DATABASE
from tests.support.small_exchange import (
    LAST_DAY,
    LONG_AGO,
    Row,
    SmallExchange,
    Tables,
    at,
    day_of,
    days,
    healthy_exchange,
)
from tests.support.warehouse import Warehouse, build_warehouse, rebuild_changed

PUBLISHED_CHECKS = [check.name for check in CHECKS if check.kind is not Kind.INTEGRITY]
Finding = tuple[str, date, str, str | None]


@dataclass(frozen=True)
class Expected:
    """A finding expected on every day from ``first`` to ``last``."""

    check: str
    subject: str
    first: str
    last: str | None = None
    asset: str | None = None

    def findings(self) -> set[Finding]:
        """The expectation day by day."""
        last = date.fromisoformat(self.last) if self.last else LAST_DAY
        return {(self.check, day, self.subject, self.asset) for day in days(date.fromisoformat(self.first), last)}


def once(check: str, subject: str, day: str, asset: str | None = None) -> Expected:
    """A finding expected on that day only."""
    return Expected(check, subject, day, day, asset)


BUILT = " ".join([*PUBLISHED_CHECKS, "evidence__row"])


@cache
def healthy_build() -> tuple[bytes, Tables]:
    """The build file of the healthy exchange with everything built, and the rows it was built from."""
    rows = healthy_exchange().tables()
    with TemporaryDirectory() as folder:
        built = build_warehouse(Path(folder), rows, first_date="2022-01-01", last_date=LAST_DAY, select=BUILT)
        return built.path.read_bytes(), rows


def find_all(folder: Path, exchange: SmallExchange) -> tuple[Warehouse, set[Finding]]:
    """Build what of the exchange isn't as in the healthy one; return the warehouse and what its checks found."""
    built, healthy = healthy_build()
    path = folder / f"{DATABASE}.duckdb"
    path.write_bytes(built)
    warehouse = rebuild_changed(path, healthy, exchange.tables(), BUILT)
    union = " union all ".join(
        f"select '{check}' as check_name, as_of_date, subject_id, asset from findings.{check}"
        for check in PUBLISHED_CHECKS
    )
    found = warehouse.query(union)
    return warehouse, {(row["check_name"], row["as_of_date"], row["subject_id"], row["asset"]) for row in found}


def change(table: str, change_row: Callable[[Row], None], **match: str) -> Callable[[SmallExchange], None]:
    """A fault that edits the derived rows of a table that match."""

    def plant(exchange: SmallExchange) -> None:
        def edit(tables: Tables) -> None:
            hits = [row for row in tables[table] if all(str(row[k])[: len(v)] == v for k, v in match.items())]
            assert hits, f"no row of {table} matches {match}"
            for row in hits:
                change_row(row)

        exchange.afterwards.append(edit)

    return plant


def drop(table: str, condition: Callable[[Row], bool]) -> Callable[[SmallExchange], None]:
    """A fault that leaves out the derived rows of a table that meet the condition."""

    def plant(exchange: SmallExchange) -> None:
        def edit(tables: Tables) -> None:
            kept = [row for row in tables[table] if not condition(row)]
            assert len(kept) < len(tables[table])
            tables[table] = kept

        exchange.afterwards.append(edit)

    return plant


def pays(payer: str, payee: str, asset: str, amount: str, day: str = "2022-01-10") -> Callable[[SmallExchange], None]:
    """One customer's asset against nothing: a plain trade leg between two accounts."""

    def plant(exchange: SmallExchange) -> None:
        legs = [(payer, asset, str(-Decimal(amount)), "trade"), (payee, asset, amount, "trade")]
        exchange.transaction(f"pay-{payer}-{asset}", at(day, 13), legs)

    return plant


def moves(wallet: str, asset: str, amount: str, day: str, **columns: str) -> Callable[[SmallExchange], None]:
    """A wallet transfer with no customer behind it."""

    def plant(exchange: SmallExchange) -> None:
        name = f"move-{wallet}-{day}"
        exchange.transfer(name, at(day, 13), wallet, asset, amount, "other", **columns)

    return plant


def all_of(*plants: Callable[[SmallExchange], None]) -> Callable[[SmallExchange], None]:
    """Several plants as one fault."""

    def plant(exchange: SmallExchange) -> None:
        for each in plants:
            each(exchange)

    return plant


def wallet_column(wallet: str, **columns: str | None) -> Callable[[SmallExchange], None]:
    """A wallet with other attributes."""

    def plant(exchange: SmallExchange) -> None:
        row = next(row for row in exchange.reference["wallets"] if row["wallet_id"] == wallet)
        row.update(columns)

    return plant


def new_wallet(name: str, asset: str, amount: str, **columns: str) -> Callable[[SmallExchange], None]:
    """One more wallet, with an opening balance unless the amount is zero."""

    def plant(exchange: SmallExchange) -> None:
        model = exchange.reference["wallets"][0]
        row = {**model, "wallet_id": name, "address": f"address-of-{name}", **columns}
        exchange.reference["wallets"].append(row)
        exchange.wallet_opening[name, asset] = amount

    return plant


def privilege(account: str, kind: str, start: str, end: str | None = None) -> Callable[[SmallExchange], None]:
    """A privilege on an account."""

    def plant(exchange: SmallExchange) -> None:
        row = {
            "account_id": account,
            "privilege": kind,
            "limit_usd": None,
            "valid_from": start,
            "valid_to": end,
            "recorded_at": LONG_AGO,
            "set_by": "nobody",
        }
        exchange.reference["account_privileges"].append(row)

    return plant


def reports(figure: str, amount: str, published: str = "2022-02-03T08:00:00Z", **columns: str):
    """A published figure for January, besides or instead of the healthy ones."""

    def plant(exchange: SmallExchange) -> None:
        model = exchange.other["reported_figures"][0]
        row = {**model, "figure": figure, "amount": amount, "published_at": published, **columns}
        others = [r for r in exchange.other["reported_figures"] if r["figure"] != figure]
        exchange.other["reported_figures"] = [*others, {**row, "partition_date": day_of(published)}]

    return plant


def fee(payer: str, asset: str, amount: str, day: str, **columns: object) -> Callable[[SmallExchange], None]:
    """Income from one payer."""

    def plant(exchange: SmallExchange) -> None:
        legs = [(payer, asset, str(-Decimal(amount)), "fee"), ("op-fee", asset, amount, "fee")]
        exchange.transaction(f"income-{payer}", at(day, 16), legs, **columns)

    return plant


def ledger_only(name: str, kind: str, day: str, reference: str | None, amount: str = "100"):
    """Entries that touch the outside world without a transfer."""

    def plant(exchange: SmallExchange) -> None:
        legs = [("c1-spot", "USD", amount, kind), ("external", "USD", str(-Decimal(amount)), kind)]
        exchange.transaction(name, at(day, 13), legs, reference=reference)

    return plant


def shared_attribute(exchange: SmallExchange) -> None:
    """A customer and the market maker use one bank account."""
    exchange.reference["entity_attributes"] += [
        {"entity_id": name, "attribute_type": "bank_account", "attribute_hash": "same", "recorded_at": LONG_AGO}
        for name in ("c3", "mm")
    ]


def end_link(exchange: SmallExchange) -> None:
    """The founder's stake in the market maker ends on 15 January."""
    exchange.reference["entity_links"][1]["valid_to"] = "2022-01-15T00:00:00Z"


def position_loss(exchange: SmallExchange) -> None:
    """A position that loses far more than its account holds, on one day."""
    exchange.other["open_positions"].append(
        {
            "account_id": "c2-margin",
            "instrument": "BTC-PERP",
            "quantity": "100",
            "entry_price": "50000",
            "mark_price": "40000",
            "unrealised_pnl_usd": "-1000000",
            "as_of": at("2022-01-10", 23, 59),
            "partition_date": date(2022, 1, 10),
        }
    )


def set_value(**columns: str) -> Callable[[Row], None]:
    """An edit that overwrites columns."""
    return lambda row: row.update(columns)


def add_to(column: str, amount: str) -> Callable[[Row], None]:
    """An edit that adds to a decimal column."""
    return lambda row: row.update({column: str(Decimal(row[column]) + Decimal(amount))})


def supply(circulating: str) -> Callable[[SmallExchange], None]:
    """Fewer tokens in circulation."""
    return change("token_supply", set_value(circulating=circulating))


JANUARY = "2022-01-01"
LOAN = all_of(
    moves("w-btc-hot", "BTC", "10", "2022-01-14"),
    moves("w-btc-hot", "BTC", "-10", "2022-01-17"),
)
MM_WALLET = new_wallet("w-mm", "BTC", "0", owner_entity_id="mm", purpose="house")
MM_BANK = new_wallet("w-mm-bank", "USD", "0", owner_entity_id="mm", purpose="house", network="bank", custody="bank")
OVERDUE = "2022-01-12"

QUIET = {
    "nothing planted": lambda exchange: None,
    "a negative balance of less than a dollar": pays("c3-spot", "c1-spot", "USD", "0.5"),
    "a collateralised margin borrow": pays("c2-margin", "c1-spot", "BTC", "3"),
    "a fee exemption of a customer": privilege("c1-spot", "fee_exempt", LONG_AGO),
    "half of a wallet pledged but enough left": wallet_column("w-btc-cold", encumbered_pct="50"),
    "a loan that fell between two snapshots": all_of(
        moves("w-btc-hot", "BTC", "10", "2022-01-06"), moves("w-btc-hot", "BTC", "-10", "2022-01-08")
    ),
    "money in a suspense account that reserves cover": lambda exchange: (
        exchange.reference["accounts"].append(
            {**exchange.reference["accounts"][4], "account_id": "op-suspense", "account_class": "suspense"}
        ),
        exchange.deposit("parked", at("2022-01-10", 13), "op-suspense", "w-bank", "USD", "30000"),
    ),
    "an affiliate as owner of its own wallet": MM_WALLET,
    "a large genuine withdrawal": lambda exchange: exchange.withdrawal(
        "large", at("2022-01-10", 13), "c1-spot", "w-btc-hot", "BTC", "2"
    ),
}

FAULTS: dict[str, tuple[Callable[[SmallExchange], object], list[Expected]]] = {
    "a spot account below zero": (
        pays("c3-spot", "c1-spot", "USD", "100"),
        [Expected("no_negative_balance", "c3-spot", "2022-01-10", asset="USD")],
    ),
    "the insurance fund below zero": (
        pays("op-insurance", "c1-spot", "USD", "25100", "2022-02-05"),
        [
            Expected("no_negative_balance", "op-insurance", "2022-02-05", asset="USD"),
            Expected("no_negative_equity", "op-insurance", "2022-02-05"),
        ],
    ),
    "a margin borrow without collateral": (
        all_of(pays("c2-margin", "c1-spot", "BTC", "4"), pays("c2-margin", "c1-spot", "USD", "500000")),
        [
            Expected("no_negative_balance", "c2-margin", "2022-01-10", asset="BTC"),
            Expected("no_negative_equity", "c2-margin", "2022-01-10"),
        ],
    ),
    "a position's loss larger than the account": (
        position_loss,
        [once("no_negative_equity", "c2-margin", "2022-01-10")],
    ),
    "a collateralised negative balance of an affiliate": (
        pays("mm-spot", "c1-spot", "USD", "300000"),
        [Expected("no_negative_balance", "mm-spot", "2022-01-10", asset="USD")],
    ),
    "an affiliate that borrows more than it has": (
        pays("mm-spot", "c1-spot", "USD", "600000"),
        [
            Expected("no_negative_balance", "mm-spot", "2022-01-10", asset="USD"),
            Expected("no_negative_equity", "mm-spot", "2022-01-10"),
            Expected("affiliate_exposure_within_limit", "group", "2022-01-10"),
            Expected("affiliate_exposure_within_limit", "mm", "2022-01-10"),
        ],
    ),
    "an affiliate's loan secured by the own token": (
        all_of(
            lambda exchange: exchange.transaction(
                "mm-xt",
                at(JANUARY, 0, 0, 2),
                [("mm-spot", "XT", "3000", "opening"), ("external", "XT", "-3000", "opening")],
            ),
            pays("mm-spot", "c1-spot", "USD", "300000"),
        ),
        [
            Expected("no_negative_balance", "mm-spot", "2022-01-10", asset="USD"),
            Expected("affiliate_collateral_quality", "mm", "2022-01-10"),
        ],
    ),
    "fifteen bitcoin gone": (
        moves("w-btc-cold", "BTC", "-15", "2022-01-10"),
        [Expected("reserves_cover_liabilities", "BTC", "2022-01-10", asset="BTC")],
    ),
    "the bank account nearly empty": (
        moves("w-bank", "USD", "-1190000", "2022-01-10"),
        [
            Expected("reserves_cover_liabilities", "USD", "2022-01-10", asset="USD"),
            Expected("total_reserves_cover_liabilities", "exchange", "2022-01-10"),
        ],
    ),
    "a wallet never proven": (
        wallet_column("w-btc-cold", ownership_proof="none", proven_at=None),
        [Expected("reserves_cover_liabilities", "BTC", JANUARY, asset="BTC")],
    ),
    "a proof that runs out on 20 January": (
        wallet_column("w-btc-cold", proven_at="2021-10-20T00:00:00Z"),
        [Expected("reserves_cover_liabilities", "BTC", "2022-01-20", asset="BTC")],
    ),
    "four fifths of a wallet pledged": (
        wallet_column("w-btc-cold", encumbered_pct="80"),
        [Expected("reserves_cover_liabilities", "BTC", JANUARY, asset="BTC")],
    ),
    "one address listed twice": (
        new_wallet("w-btc-copy", "BTC", "20", address="address-of-w-btc-cold"),
        [
            Expected("wallets_counted_once", "w-btc-cold", JANUARY),
            Expected("wallets_counted_once", "w-btc-copy", JANUARY),
            Expected("reserves_cover_liabilities", "BTC", JANUARY, asset="BTC"),
        ],
    ),
    "a customers' wallet that an affiliate owns": (
        wallet_column("w-usdc-hot", owner_entity_id="mm"),
        [Expected("customer_funds_segregated", "w-usdc-hot", JANUARY)],
    ),
    "customers' wires to the affiliate's bank account": (
        all_of(
            MM_BANK,
            lambda exchange: exchange.deposit("wire", at("2022-01-10", 13), "c3-spot", "w-mm-bank", "USD", "30000"),
        ),
        [once("customer_funds_segregated", "w-mm-bank", "2022-01-10")],
    ),
    "a privilege on and off between two snapshots": (
        privilege("mm-spot", "allow_negative_balance", "2022-01-10T03:00:00Z", "2022-01-10T04:00:00Z"),
        [once("affiliate_privileges", "mm-spot", "2022-01-10")],
    ),
    "a privilege of the house account": (
        privilege("op-house", "hidden", "2022-01-10T03:00:00Z"),
        [Expected("affiliate_privileges", "op-house", "2022-01-10")],
    ),
    "a customer exempt from liquidation": (
        privilege("c3-spot", "liquidation_exempt", "2022-01-10T03:00:00Z"),
        [Expected("undeclared_affiliates", "c3", "2022-01-10")],
    ),
    "a customer who shares the affiliate's bank account": (
        shared_attribute,
        [Expected("undeclared_affiliates", "c3", JANUARY)],
    ),
    "an affiliation that ends while exposure stays": (
        all_of(end_link, pays("mm-spot", "c1-spot", "USD", "300000")),
        [
            Expected("no_negative_balance", "mm-spot", "2022-01-10", asset="USD"),
            Expected("undeclared_affiliates", "mm", "2022-01-15"),
            once("affiliation_removed", "mm", "2022-01-15"),
        ],
    ),
    "bitcoin sent to an affiliate": (
        all_of(MM_WALLET, moves("w-btc-cold", "BTC", "-1", "2022-01-10", counterparty_wallet_id="w-mm")),
        [once("transfers_to_affiliates_explained", "move-w-btc-cold-2022-01-10", "2022-01-10", "BTC")],
    ),
    "an engine that disagrees by five dollars": (
        change("balance_snapshots", add_to("balance", "5"), account_id="c1-spot", asset="USD", as_of="2022-01-10"),
        [once("ledger_matches_engine", "c1-spot", "2022-01-10", "USD")],
    ),
    "an engine that doesn't know an account": (
        drop("balance_snapshots", lambda row: row["asset"] == "USDC" and row["as_of"][:10] == "2022-01-10"),
        [
            once("ledger_matches_engine", "c3-spot", "2022-01-10", "USDC"),
            once("ledger_matches_engine", "USDC", "2022-01-10", "USDC"),
        ],
    ),
    "a bank balance that moves without a transfer": (
        change("wallet_balances", add_to("balance", "100"), wallet_id="w-bank", as_of="2022-02-1"),
        [once("wallet_rolls_forward", "w-bank", "2022-02-10", "USD")],
    ),
    "a deposit that never arrived": (
        ledger_only("phantom", "deposit", "2022-01-10", "t-phantom"),
        [once("deposits_withdrawals_match", "phantom-1", OVERDUE, "USD")],
    ),
    "a deposit that nobody was credited for": (
        lambda exchange: exchange.transfer("t-lost", at("2022-01-10", 13), "w-bank", "USD", "100", "deposit"),
        [once("deposits_withdrawals_match", "t-lost", OVERDUE, "USD")],
    ),
    "an adjustment against the outside world": (
        ledger_only("printed", "adjustment", "2022-01-10", None),
        [once("deposits_withdrawals_match", "printed-2", "2022-01-10", "USD")],
    ),
    "an asset without a price": (
        drop("token_prices", lambda row: row["asset"] == "BTC"),
        [Expected("prices_complete", "BTC", JANUARY, asset="BTC")],
    ),
    "a price that stopped": (
        drop("token_prices", lambda row: row["asset"] == "BTC" and row["as_of"] > "2022-01-11"),
        [Expected("prices_fresh", "BTC", "2022-01-12", asset="BTC")],
    ),
    "a source that disagrees": (
        change("token_prices", set_value(price_usd="44000"), asset="BTC", source="alpha", as_of="2022-01-10"),
        [once("prices_agree", "BTC", "2022-01-10", "BTC")],
    ),
    "liabilities understated": (
        reports("customer_liabilities", "1000000"),
        [once("reported_liabilities_match", "customer_liabilities", "2022-02-03")],
    ),
    "reserves overstated": (
        reports("reserves", "99", asset="BTC"),
        [once("reported_reserves_match", "reserves", "2022-02-03", "BTC")],
    ),
    "a made-up insurance fund": (
        reports("insurance_fund", "7523.114"),
        [once("insurance_fund_matches", "insurance_fund", "2022-02-03")],
    ),
    "revenue that the ledger doesn't know": (
        reports("revenue", "400"),
        [once("reported_revenue_supported", "2022-01", "2022-02-03")],
    ),
    "revenue backdated into January": (
        all_of(
            fee("c1-spot", "USD", "50", "2022-01-31", partition_date=date(2022, 2, 13)),
            reports("revenue", "365.01"),
        ),
        [once("revenue_not_backdated", "2022-01", "2022-02-13")],
    ),
    "revenue within the grace period": (
        all_of(
            fee("c1-spot", "USD", "50", "2022-01-31", partition_date=date(2022, 2, 11)),
            reports("revenue", "365.01"),
        ),
        [],
    ),
    "revenue from the affiliate": (
        all_of(fee("mm-spot", "USD", "100", "2022-01-25"), reports("revenue", "415.01")),
        [once("revenue_not_affiliate", "2022-01", "2022-02-03")],
    ),
    "revenue in the own token": (
        all_of(fee("c3-spot", "XT", "50", "2022-01-25"), reports("revenue", "1316.01")),
        [once("revenue_not_own_token", "2022-01", "2022-02-03")],
    ),
    "an own token that the group mostly holds": (
        supply("15000"),
        [Expected("own_token_concentration", "XT", JANUARY, asset="XT")],
    ),
    "a hot wallet too small for withdrawals": (
        all_of(
            moves("w-btc-hot", "BTC", "-4.75", "2022-01-15", counterparty_wallet_id="w-btc-cold"),
            moves("w-btc-cold", "BTC", "4.75", "2022-01-15", counterparty_wallet_id="w-btc-hot"),
            lambda exchange: exchange.withdrawal("large", at("2022-01-14", 13), "c1-spot", "w-btc-cold", "BTC", "1"),
        ),
        [Expected("liquidity_covers_withdrawals", "BTC", "2022-01-15", "2022-01-20", "BTC")],
    ),
    "reserves borrowed for the snapshot": (
        all_of(
            LOAN,
            # Eligible on 15 January: 25 at the start, 10 borrowed, three withdrawals of 0.02.
            reports("reserves", "34.94", asset="BTC", period_end="2022-01-16T00:00:00Z"),
        ),
        [once("reserves_not_window_dressed", "BTC", "2022-01-17", "BTC")],
    ),
    "a wallet drained to nowhere": (
        moves("w-btc-hot", "BTC", "-4.96", "2022-01-10"),
        [
            once("reserve_not_drained", "w-btc-hot", "2022-01-10", "BTC"),
            Expected("liquidity_covers_withdrawals", "BTC", "2022-01-10", asset="BTC"),
        ],
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_healthy_books_raise_no_alarm(name: str, tmp_path: Path) -> None:
    exchange = healthy_exchange()
    QUIET[name](exchange)
    _, found = find_all(tmp_path, exchange)
    assert found == set()


TRACED_TO = {
    "affiliate_collateral_quality": "ledger_entries token_prices market_depth",
    "affiliate_exposure_within_limit": "ledger_entries accounts entity_links",
    "affiliate_privileges": "account_privileges accounts entity_links",
    "affiliation_removed": "entities entity_links",
    "customer_funds_segregated": "wallets",
    "deposits_withdrawals_match": "",
    "insurance_fund_matches": "reported_figures",
    "ledger_matches_engine": "ledger_entries",
    "liquidity_covers_withdrawals": "ledger_entries",
    "no_negative_balance": "ledger_entries accounts",
    "no_negative_equity": "accounts",
    "own_token_concentration": "token_supply tokens",
    "prices_agree": "token_prices",
    "prices_complete": "tokens",
    "prices_fresh": "token_prices",
    "reported_liabilities_match": "reported_figures ledger_entries",
    "reported_reserves_match": "reported_figures wallet_balances",
    "reported_revenue_supported": "reported_figures",
    "reserve_not_drained": "wallet_balances wallets",
    "reserves_cover_liabilities": "ledger_entries",
    "reserves_not_window_dressed": "wallet_transfers reported_figures",
    "revenue_not_affiliate": "ledger_entries reported_figures",
    "revenue_not_backdated": "ledger_entries reported_figures",
    "revenue_not_own_token": "ledger_entries reported_figures token_prices",
    "total_reserves_cover_liabilities": "ledger_entries wallet_balances",
    "transfers_to_affiliates_explained": "wallet_transfers wallets",
    "undeclared_affiliates": "entities",
    "wallet_rolls_forward": "wallet_balances wallets",
    "wallets_counted_once": "wallets",
}
"""Landing tables of which every finding of a check must have rows; a finding without any row can't be traced."""


def untraced(warehouse: Warehouse, found: set[Finding]) -> list[str]:
    """Findings that lack rows of a table that they rest on."""
    rows = warehouse.query(
        "select distinct check_name, as_of_date, subject_id, asset, source_table from evidence.evidence__row"
    )
    tables: dict[Finding, set[str]] = {}
    for row in rows:
        key = (row["check_name"], row["as_of_date"], row["subject_id"], row["asset"])
        tables.setdefault(key, set()).add(row["source_table"])
    return [
        f"{finding}: {sorted(tables.get(finding, set()))}"
        for finding in sorted(found, key=str)
        if not tables.get(finding) or not set(TRACED_TO[finding[0]].split()) <= tables[finding]
    ]


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found_and_nothing_else(name: str, tmp_path: Path) -> None:
    plant, expected = FAULTS[name]
    exchange = healthy_exchange()
    plant(exchange)
    warehouse, found = find_all(tmp_path, exchange)
    wanted = set().union(*(item.findings() for item in expected))
    assert sorted(map(str, found - wanted)) == [], "false alarms"
    assert sorted(map(str, wanted - found)) == [], "misses"
    assert untraced(warehouse, found) == [], "findings that can't be traced to source rows"


def test_every_published_check_has_a_planted_fault() -> None:
    planted = {item.check for _, expected in FAULTS.values() for item in expected}
    assert set(PUBLISHED_CHECKS) - planted == set()
