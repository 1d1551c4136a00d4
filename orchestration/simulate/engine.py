"""The simulation as a whole: plan, days, tables, reports, truth.

What belongs here: the order of things. What doesn't: anything that happens on the exchange (activity, margin, acts)
or a table's columns (tables.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from orchestration import contract
from orchestration.errors import ConfigurationError
from orchestration.simulate import columns, tables
from orchestration.simulate.activity import live_through_day
from orchestration.simulate.acts import build_act
from orchestration.simulate.acts.base import Act
from orchestration.simulate.assets import ASSETS
from orchestration.simulate.book import Book, LegBatch, open_book
from orchestration.simulate.delivery import Delivery
from orchestration.simulate.faults import Fault, plan_faults
from orchestration.simulate.margin import MarginDesk, work_margin_desk
from orchestration.simulate.outcome import Outcome
from orchestration.simulate.payments import open_desk
from orchestration.simulate.prices import Integers, PricePaths, plan_prices, reference_prices
from orchestration.simulate.record import Records, record_day
from orchestration.simulate.reference import reference_tables
from orchestration.simulate.reports import REVENUE_DELAY_DAYS, STOCK_DELAY_DAYS, revenue_figures, stock_figures
from orchestration.simulate.scenario import Scenario, load_scenario
from orchestration.simulate.today import Today
from orchestration.simulate.treasury import close_day
from orchestration.simulate.truth import truth_document
from orchestration.simulate.world import OPERATOR, SUSPENSE_ACCOUNT, World, give_addresses, plan_world
from orchestration.simulate.writer import LandingWriter

PLAN_STREAM, PRICE_STREAM, DAY_STREAM, ADDRESS_STREAM = range(4)
REPEATED_ROWS = 3


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What was written: the folder, the days covered, ledger entries, rows per table and where the truth is."""

    folder: Path
    first_date: date
    last_date: date
    entries: int
    rows: dict[str, int]
    truth: Path


@dataclass
class Run:
    """One simulation under way."""

    scenario: Scenario
    seed: int
    world: World
    paths: PricePaths
    quotes: Integers
    volumes: Integers
    acts: list[Act]
    book: Book
    records: Records
    margin: MarginDesk
    names: tables.Names
    writer: LandingWriter


def simulate(
    scenario: str,
    out: Path,
    *,
    days: int | None = None,
    accounts: int | None = None,
    seed: int = 0,
    faults: Sequence[str] = (),
    last_date: date | None = None,
) -> SimulationSummary:
    """Write a landing zone and its truth for a scenario; the same arguments give the same bytes.

    ``days`` and ``accounts`` resize the scenario, ``seed`` is any integer that isn't negative, ``faults`` names what is
    planted into it; a ``last_date`` moves the exchange there. Raises ConfigurationError for an unknown scenario or
    fault, faults that don't go together, sizes or a day it can't have, or an output folder that holds something else.
    """
    plan = load_scenario(scenario, days=days, accounts=accounts, last_date=last_date)
    if seed < 0:
        raise ConfigurationError(f"--seed {seed}: choose zero or a positive whole number")
    planted = plan_faults(plan, faults)
    writer = LandingWriter.open(Path(out))
    try:
        run = _prepare(plan, planted, seed, writer)
        _simulate_days(run)
        _write_reference(run)
        delivery = Delivery(writer.work, run.world.clock, plan.days)
        for act in run.acts:
            act.spoil(delivery)
        truth = writer.finish(truth_document(seed, run.acts, Outcome(plan, run.book, run.records)))
    except BaseException:
        writer.abandon()
        raise
    return SimulationSummary(
        folder=Path(out),
        first_date=plan.start,
        last_date=plan.last,
        entries=writer.rows["ledger_entries"],
        rows={table.name: writer.rows[table.name] for table in contract.TABLES},
        truth=truth,
    )


def _write_reference(run: Run) -> None:
    """Write the reference tables, which hold all that was ever recorded."""
    delivered = reference_tables(run.world)
    for act in run.acts:
        act.refer(run.world, delivered)
    for name, table in delivered.items():
        run.writer.write(name, table)


def _prepare(plan: Scenario, faults: Sequence[Fault], seed: int, writer: LandingWriter) -> Run:
    """Plan the world and its prices, let the acts change the plan, and open the book."""
    start_prices = np.array([asset.start_price for asset in ASSETS])
    world = plan_world(plan, start_prices, np.random.default_rng([seed, PLAN_STREAM]))
    paths = plan_prices(plan.days, world.owed_usd, OPERATOR, np.random.default_rng([seed, PRICE_STREAM]))
    acts = [*(build_act(act) for act in plan.acts), *faults]
    for act in acts:
        act.prepare(world, paths)
    give_addresses(world, np.random.default_rng([seed, ADDRESS_STREAM]))
    quotes, volumes = paths.quotes(), paths.volumes()
    book = open_book(world, start_prices)
    return Run(
        scenario=plan,
        seed=seed,
        world=world,
        paths=paths,
        quotes=quotes,
        volumes=volumes,
        acts=acts,
        book=book,
        records=Records(
            reference_prices(quotes, volumes), [paths.least_own_token_volume_usd(day) for day in range(plan.days)]
        ),
        margin=MarginDesk.opened(world.customers.count),
        names=tables.Names.of(world),
        writer=writer,
    )


def _simulate_days(run: Run) -> None:
    """Live through all days; each day's tables are written before the next begins."""
    world, book = run.world, run.book
    customers = np.concatenate(
        [
            np.arange(world.customers.count),
            [world.account_index(account.account_id) for account in world.accounts if account.is_customer],
        ]
    ).astype(np.int64)
    suspense = world.account_index(SUSPENSE_ACCOUNT)
    desk = open_desk(_today(run, 0))
    carried: LegBatch | None = None
    entries, yesterday = 0, None
    for day in range(run.scenario.days):
        today = _today(run, day)
        for act in run.acts:
            act.morning(today)
        live_through_day(today, desk)
        work_margin_desk(today, run.margin)
        for act in run.acts:
            act.evening(today)
        close_day(today, desk)
        record_day(run.records, book, day, customers, suspense)
        legs, late, transfers = book.take_day(carried)
        ledger = tables.ledger_entries(book, run.names, legs, entries)
        entries, carried = entries + legs.count, late
        sent = tables.wallet_transfers(book, run.names, transfers)
        yesterday = _write_day(run, today, ledger, sent, yesterday)


def _today(run: Run, day: int) -> Today:
    return Today(
        day=day,
        last_day=run.scenario.days - 1,
        book=run.book,
        rng=np.random.default_rng([run.seed, DAY_STREAM, day]),
        mid=run.paths.mid[day],
        price_units=run.records.price_units[day],
        locked=run.margin.locked,
        records=run.records,
    )


def _write_day(
    run: Run, today: Today, ledger: pa.Table, sent: pa.Table, yesterday: tuple[pa.Table, pa.Table] | None
) -> tuple[pa.Table, pa.Table]:
    """Write a day's partition of every dated table; return what tomorrow may deliver a second time."""
    clock, when, day = today.clock, today.clock.date_of(today.day), today.day
    as_of, writer = clock.close(day), run.writer
    delivered = {
        "ledger_entries": ledger,
        "wallet_transfers": sent,
        "balance_snapshots": tables.balance_snapshots(run.book, run.names, as_of),
        "wallet_balances": tables.wallet_balances(run.book, run.names, day, as_of),
        "token_prices": tables.token_prices(run.paths, run.quotes, run.volumes, day, clock.midnight(day)),
        "market_depth": tables.market_depth(run.paths, day, as_of),
        "token_supply": tables.token_supply(run.world, as_of),
        "open_positions": tables.open_positions(run.names, run.margin.positions, today.price_units, as_of),
        "reported_figures": columns.rows_to_table(contract.table("reported_figures"), _published(run, day)),
    }
    for act in run.acts:
        act.deliver(today, delivered)
    once = delivered["ledger_entries"], delivered["wallet_transfers"]
    for number, name in enumerate(("ledger_entries", "wallet_transfers")):
        delivered[name] = _with_repeats(today, once[number], yesterday[number] if yesterday else None)
    for name, table in delivered.items():
        writer.write(name, table, when)
    return once


def _with_repeats(today: Today, table: pa.Table, before: pa.Table | None) -> pa.Table:
    """Delivery is at least once: now and then a few of yesterday's or today's rows come a second time, unchanged."""
    if today.day % 5 == 3 and before is not None and before.num_rows:
        return pa.concat_tables([table, before.slice(before.num_rows // 2, REPEATED_ROWS)])
    if today.day % 7 == 4 and table.num_rows:
        return pa.concat_tables([table, table.slice(table.num_rows // 3, REPEATED_ROWS)])
    return table


def _published(run: Run, day: int) -> list[dict[str, Any]]:
    """What management publishes on a day about months that ended some days before."""
    clock, rows = run.world.clock, []
    for month_end in clock.month_ends(run.scenario.days):
        figures: list[dict[str, Any]] = []
        if day == month_end + STOCK_DELAY_DAYS:
            figures += stock_figures(run.book, run.records, clock, month_end, clock.at(day, 15))
        moved = [act.revenue_day(month_end) for act in run.acts]
        revenue_day = next((other for other in moved if other is not None), month_end + REVENUE_DELAY_DAYS)
        if day == revenue_day:
            figures += revenue_figures(run.records, clock, month_end, clock.at(day, 16))
        if figures:
            for act in run.acts:
                act.publish(figures, run.book, run.records, month_end)
        rows += figures
    return rows
