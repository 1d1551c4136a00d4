"""One function per check of DOMAIN.md section 7: who fails it, on which day, in which asset.

What belongs here: the condition of each check. What doesn't: messages and evidence, and checks of files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tests.oracle.books import ONE_DAY, Books, day_end
from tests.oracle.decimals import HUNDRED, ZERO, exactly, total, value_usd
from tests.oracle.exchange import Exchange
from tests.oracle.ledger import day_of_snapshot
from tests.oracle.reported import Figure, figures, snapshot_day


@dataclass(frozen=True, order=True)
class Finding:
    """One subject failing one check on one day; amounts are for the reader and not compared."""

    check: str
    as_of_date: date
    subject_id: str
    asset: str = ""


Check = Callable[[Exchange, date], Iterable[tuple[str, str]]]


# prices -------------------------------------------------------------------------------------------------------------


def balances_that_matter(exchange: Exchange, day: date) -> set[str]:
    """Assets of which more than dust is owed by the operator, owed to it, or held for customers."""
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for (asset, relation), line in exchange.ledger.owed(day).items():
        owed[asset] += line.receivable + (line.liability if relation != "operator" else ZERO)
    held: dict[str, Decimal] = defaultdict(Decimal)
    for wallet_id in exchange.wallets.wallet_ids:
        version = exchange.wallets.last_version(wallet_id, day)
        if version is not None and version["purpose"] == "customer":
            for asset in exchange.wallets.assets_until(wallet_id, day):
                held[asset] += max(exchange.wallets.balance(wallet_id, asset, day) or ZERO, ZERO)
    return {
        asset
        for quantities in (owed, held)
        for asset, quantity in quantities.items()
        if not exchange.ledger.is_dust(quantity, asset, day)
    }


def prices_complete(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A balance that matters has no price."""
    for asset in balances_that_matter(exchange, day):
        if exchange.prices.usd(asset, day) is None:
            yield asset, asset


def prices_fresh(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A balance that matters has a price older than the policy allows."""
    limit = timedelta(hours=exchange.policy.price_max_age_hours)
    for asset in balances_that_matter(exchange, day):
        priced_at = exchange.prices.daily(asset, day).priced_at
        if priced_at is not None and day_end(day) - priced_at > limit:
            yield asset, asset


def prices_agree(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Sources differ by more than the policy allows."""
    for asset in exchange.prices.assets:
        spread = exchange.prices.daily(asset, day).spread
        if spread is not None and spread * HUNDRED > exchange.policy.price_max_spread_pct:
            yield asset, asset


# reconciliations ----------------------------------------------------------------------------------------------------


def engine_drifts(exchange: Exchange, day: date) -> dict[tuple[str, str], Decimal]:
    """Ledger less engine by account and asset, both ways; what neither holds is left out.

    Of several snapshots the one furthest apart counts. An account without a snapshot is asked for one at the moment of
    the day's last, or at the day's end if none came.
    """
    snapshots = [row for row in exchange.books.rows("balance_snapshots") if day_of_snapshot(row) == day]
    drifts: dict[tuple[str, str], Decimal] = {}
    cut = min(max(row["as_of"] for row in snapshots), day_end(day)) if snapshots else day_end(day)
    for row in sorted(snapshots, key=lambda row: row["as_of"]):
        key = row["account_id"], row["asset"]
        if exchange.relations.account_class(row["account_id"]) != "external":
            drift = exchange.ledger.balances_before(row["as_of"]).get(key, ZERO) - row["balance"]
            if abs(drift) >= abs(drifts.get(key, ZERO)):
                drifts[key] = drift
    for key, balance in exchange.ledger.balances_before(cut).items():
        drifts.setdefault(key, balance)
    return drifts


def ledger_matches_engine(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An account drifts by more than the tolerance, or an asset's drifts by more than a share of what is owed."""

    def beyond_tolerance(drift: Decimal, asset: str) -> bool:
        if asset in exchange.policy.engine_drift_units_by_asset:
            return bool(abs(drift) > exchange.policy.engine_drift_units_by_asset[asset])
        value = value_usd(abs(drift), exchange.prices.usd(asset, day))
        if value is None:
            return bool(abs(drift) >= exchange.policy.dust_unpriced_units)
        return bool(value > exchange.policy.engine_drift_usd)

    sums: dict[str, Decimal] = defaultdict(Decimal)
    for (account, asset), drift in engine_drifts(exchange, day).items():
        sums[asset] += drift
        if beyond_tolerance(drift, asset):
            yield account, asset
    for asset, drift in sums.items():
        limit = exchange.ledger.liability(asset, day) * exchange.policy.engine_drift_pct_of_liability
        if abs(drift) * HUNDRED > limit and beyond_tolerance(drift, asset):
            yield asset, asset


def wallet_rolls_forward(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A balance moved by something else than its transfers."""
    return [(drift.wallet_id, drift.asset) for drift in exchange.flows.roll_forward(day)]


def deposits_withdrawals_match(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Entries and transfers that are not each other's, after the policy's days."""
    return exchange.flows.unmatched(day)


def wallets_counted_once(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A place is listed under two wallets."""
    for wallet_id in exchange.wallets.wallet_ids:
        if exchange.wallets.versions(wallet_id, day) and exchange.wallets.namesakes(wallet_id, day):
            yield wallet_id, ""


def _differs(exchange: Exchange, reported: Decimal, computed: Decimal) -> bool:
    return abs(reported - computed) * HUNDRED > abs(computed) * exchange.policy.reported_difference_pct


def _stock_findings(
    exchange: Exchange, day: date, figure: str, computed: Callable[[Figure, date], Decimal]
) -> Iterable[tuple[str, str]]:
    """Figures of one kind that became known on the day and differ from what is computed for their snapshot."""
    for item in figures(exchange.books, figure):
        described = snapshot_day(item)
        dated = max(described, item.known_at.date())
        is_covered = exchange.books.first_date <= described <= exchange.books.last_date
        if dated == day and is_covered and _differs(exchange, item.amount, computed(item, described)):
            yield figure, item.asset or ""


def reported_liabilities_match(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Reported customer liabilities are not what the ledger owes."""

    def computed(item: Figure, described: date) -> Decimal:
        if item.asset is not None:
            return exchange.ledger.liability(item.asset, described)
        return exchange.ledger.customer_liabilities_usd(described)

    return _stock_findings(exchange, day, "customer_liabilities", computed)


def reported_reserves_match(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Reported reserves are not what is eligible."""

    def computed(item: Figure, described: date) -> Decimal:
        if item.asset is None:
            return exchange.reserves.eligible_usd(described)
        return total(held.eligible for held in exchange.reserves.holdings(described) if held.asset == item.asset)

    return _stock_findings(exchange, day, "reserves", computed)


def insurance_fund_matches(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """The reported insurance fund is not what its accounts hold."""

    def computed(item: Figure, described: date) -> Decimal:
        return total(
            balance if item.asset is not None else value_usd(balance, exchange.prices.usd(asset, described))
            for (account, asset), balance in exchange.ledger.balances(described).items()
            if exchange.relations.account_class(account) == "insurance_fund" and item.asset in (None, asset)
        )

    return _stock_findings(exchange, day, "insurance_fund", computed)


# breaches -----------------------------------------------------------------------------------------------------------


def no_negative_balance(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An account is negative beyond dust and not permitted to be."""
    for row in exchange.equities.negative_balances(day):
        if not row["is_permitted"] and not exchange.ledger.is_dust(row["balance"], row["asset"], day):
            yield row["account_id"], row["asset"]


def no_negative_equity(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An account owes more than it is worth, beyond dust."""
    for account in exchange.ledger.accounts_with_equity(day):
        is_external = exchange.relations.account_class(account) == "external"
        if not is_external and exchange.equities.of_account(account, day).equity_usd <= -exchange.policy.dust_usd:
            yield account, ""


def reserves_cover_liabilities(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A group is short."""
    for group in exchange.reserves.coverage(day):
        if exchange.reserves.gap(group, day) < 0:
            yield group, group


def total_reserves_cover_liabilities(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """The exchange is short even if surpluses offset."""
    if exchange.reserves.net_gap_usd(day) < 0:
        yield "exchange", ""


def reserves_not_window_dressed(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Reserves came before a snapshot and left after it."""
    return [(group, group) for group in exchange.flows.window_dressed(day)]


def reserve_not_drained(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A wallet that mattered is empty or silent."""
    return exchange.flows.drained(day)


def affiliate_exposure_within_limit(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An affiliate, or all of them, borrow more without collateral than the limit."""
    percentage = exchange.policy.uncollateralised_pct_of_liabilities
    limit = exchange.ledger.customer_liabilities_usd(day) * percentage
    exposures = exchange.affiliates.exposures(day)
    for entity, exposure in exposures.items():
        if exposure.uncollateralised * HUNDRED > limit:
            yield entity, ""
    if exchange.affiliates.uncollateralised_usd(day) * HUNDRED > limit:
        yield "group", ""


def affiliate_privileges(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An account of an affiliate or the operator, or a suspense account, held a privilege during the day."""
    for account, row in exchange.relations.accounts.items():
        insider = exchange.relations.account(account, day) != "customer" or row["account_class"] == "suspense"
        if insider and exchange.affiliates.privileges(account, day):
            yield account, ""


def affiliate_collateral_quality(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Too much of a borrowing affiliate's collateral is own tokens."""
    for entity, exposure in exchange.affiliates.exposures(day).items():
        share = exposure.claims * exchange.policy.own_token_collateral_pct
        borrows = exchange.affiliates.borrowing_beyond_dust(entity, day)
        if borrows and exposure.own_token_collateral * HUNDRED > share:
            yield entity, ""


def customer_funds_segregated(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An affiliate's wallet is for customers' money or received it."""
    return [(wallet_id, "") for wallet_id in exchange.flows.unsegregated(day)]


def transfers_to_affiliates_explained(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """Customers' money went to an affiliate and no withdrawal explains it."""
    return exchange.flows.to_affiliates(day)


def undeclared_affiliates(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A customer looks like an affiliate."""
    return [(entity, "") for entity in exchange.affiliates.suspects(day)]


def affiliation_removed(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """An affiliate stopped being one."""
    return [(entity, "") for entity in exchange.affiliates.removed(day)]


def own_token_concentration(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """The group holds more of a token than the limit."""
    return [(asset, asset) for asset in exchange.prices.assets if exchange.tokens.is_concentrated(asset, day)]


def liquidity_covers_withdrawals(exchange: Exchange, day: date) -> Iterable[tuple[str, str]]:
    """A group's liquid reserves don't cover a repeat of the largest recent day."""
    return [(group, group) for group in exchange.flows.illiquid(day)]


# revenue ------------------------------------------------------------------------------------------------------------


def _exceeded_on(exchange: Exchange, month: date, step: str, limit: Decimal) -> date:
    """The day on which what was known of one step was first worth more than the limit, or the last if it never was:
    later entries count against earlier ones."""
    parts = [part for part in exchange.revenue.parts() if part.month == month and part.step == step]
    known = sorted({part.known_at.date() for part in parts})
    for day in known:
        if total(part.value_usd for part in parts if part.known_at.date() <= day) > limit:
            return day
    return known[-1]


def _revenue_findings(exchange: Exchange, step: str, percentage: Decimal, base: str) -> set[tuple[str, date]]:
    """Months of which one step is more than a percentage of another figure, and the day it was known to be."""
    found = set()
    for month, figure in exchange.revenue.monthly_figures().items():
        line = exchange.revenue.waterfall(month)
        amount, limit = getattr(line, f"{step}_usd"), abs(getattr(line, base)) * percentage / HUNDRED
        if amount > 0 and amount > limit:
            reported_on = (figure.first_known_at if step == "backdated" else figure.known_at).date()
            is_gap = step == "unsupported"
            known_on = reported_on if is_gap else max(reported_on, _exceeded_on(exchange, month, step, limit))
            found.add((f"{month:%Y-%m}", known_on))
    return found


def revenue_findings(exchange: Exchange) -> set[Finding]:
    """The four revenue checks; subject is the month, dated by the day it was known."""
    policy = exchange.policy
    checks = {
        "reported_revenue_supported": ("unsupported", policy.unsupported_pct_of_reported, "reported_usd"),
        "revenue_not_backdated": ("backdated", policy.backdated_pct_of_ledger, "ledger_usd"),
        "revenue_not_affiliate": ("affiliate", policy.affiliate_pct_of_reported, "reported_usd"),
        "revenue_not_own_token": ("own_token", policy.own_token_pct_of_reported, "reported_usd"),
    }
    return {
        Finding(check, day, month)
        for check, (step, percentage, base) in checks.items()
        for month, day in _revenue_findings(exchange, step, percentage, base)
    }


# integrity, as far as rows tell -------------------------------------------------------------------------------------


@exactly
def ledger_balances(exchange: Exchange) -> set[str]:
    """Transactions whose amounts of one asset don't sum to exactly zero."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in exchange.books.rows("ledger_entries"):
        sums[entry["transaction_id"], entry["asset"]] += entry["amount"]
    return {transaction for (transaction, _), amount in sums.items() if amount != 0}


def times_plausible(exchange: Exchange) -> set[str]:
    """Entries recorded more than a day before they are effective or a day after delivery, or effective after it."""
    found = set()
    for entry in exchange.books.rows("ledger_entries"):
        delivered = day_end(entry["partition_date"])
        early = entry["recorded_at"] < entry["effective_at"] - ONE_DAY
        if early or entry["recorded_at"] > delivered + ONE_DAY or entry["effective_at"] >= delivered:
            found.add(entry["entry_id"])
    return found


def references_resolve(exchange: Exchange) -> set[str]:
    """Accounts, assets, wallets and entities that rows name and no table knows, as ``table.column=value``."""
    known = {
        "account_id": {row["account_id"] for row in exchange.books.rows("accounts")},
        "asset": {row["asset"] for row in exchange.books.rows("tokens")},
        "wallet_id": {row["wallet_id"] for row in exchange.books.rows("wallets")},
    }
    entities = {row["entity_id"] for row in exchange.books.rows("entities")}
    for column in ("entity_id", "parent_entity_id", "child_entity_id", "issuer_entity_id", "owner_entity_id"):
        known[column] = entities
    known["counterparty_wallet_id"] = known["wallet_id"]
    return {
        f"{table}.{column}={row[column]}"
        for table, rows in exchange.books.tables.items()
        for row in rows
        for column, values in known.items()
        if row.get(column) is not None and row[column] not in values
    }


def keys_unique(books: Books) -> set[tuple[str, date]]:
    """Tables in which one key came with different content, and the later delivery."""
    return {(table, partition) for table, _, partition in books.conflicts}


DAILY_CHECKS: tuple[Check, ...] = (
    prices_complete,
    prices_fresh,
    prices_agree,
    ledger_matches_engine,
    wallet_rolls_forward,
    deposits_withdrawals_match,
    wallets_counted_once,
    reported_liabilities_match,
    reported_reserves_match,
    insurance_fund_matches,
    no_negative_balance,
    no_negative_equity,
    reserves_cover_liabilities,
    total_reserves_cover_liabilities,
    reserves_not_window_dressed,
    reserve_not_drained,
    affiliate_exposure_within_limit,
    affiliate_privileges,
    affiliate_collateral_quality,
    customer_funds_segregated,
    transfers_to_affiliates_explained,
    undeclared_affiliates,
    affiliation_removed,
    own_token_concentration,
    liquidity_covers_withdrawals,
)


@exactly
def findings(exchange: Exchange) -> set[Finding]:
    """Every finding of reconciliation and breach over the whole calendar."""
    daily = {
        Finding(check.__name__, day, subject, asset)
        for check in DAILY_CHECKS
        for day in exchange.books.days
        for subject, asset in check(exchange, day)
    }
    return daily | revenue_findings(exchange)
