"""Payers, backdating and the waterfall, by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.oracle.books import Row
from tests.oracle.exchange import Exchange
from tests.oracle.findings import Finding, revenue_findings
from tests.oracle.reported import Figure, months_of, snapshot_day
from tests.oracle.small_books import entry, exchange, row

LAST = date(2026, 2, 20)


def world(*entries: dict[str, Any], **tables: list[dict[str, Any]]) -> Exchange:
    return exchange(
        last=LAST,
        entities=[{"entity_id": "alpha"}, {"entity_id": "customer", "entity_type": "customer"}],
        entity_links=[{"parent_entity_id": "operator", "child_entity_id": "alpha", "link_type": "control"}],
        accounts=[
            {"account_id": "fee", "entity_id": "operator", "account_class": "fee"},
            {"account_id": "spot", "entity_id": "customer"},
            {"account_id": "affiliate", "entity_id": "alpha"},
            {"account_id": "other-fee", "entity_id": "customer", "account_class": "fee"},
        ],
        tokens=[{"asset": "USD", "asset_class": "fiat"}, {"asset": "ONE", "issuer_entity_id": "operator"}],
        token_prices=[{"asset": "ONE", "price_usd": "2"}],
        ledger_entries=list(entries),
        **tables,
    )


def paid(
    transaction: str, payer: str, asset: str, amount: str, kind: str = "fee", **values: Any
) -> list[dict[str, Any]]:
    given = {"transaction_id": transaction, "entry_type": kind, **values}
    return [
        entry(payer, asset, f"-{amount}", **given, entry_id=f"{transaction}-payer"),
        entry("fee", asset, amount, **given, entry_id=f"{transaction}-fee"),
    ]


def by_payer(exchange_: Exchange) -> dict[str, Decimal]:
    return {line["payer_relation"]: line["quantity"] for line in exchange_.revenue.daily_rows()}


def test_payers_are_the_negative_legs_in_proportion() -> None:
    legs = [entry("spot", "USD", "-3", entry_type="fee"), entry("affiliate", "USD", "-1", entry_type="fee")]
    assert by_payer(world(*legs, entry("fee", "USD", "4", entry_type="fee"))) == {"customer": 3, "affiliate": 1}


def test_without_legs_of_the_type_the_net_negative_accounts_pay() -> None:
    legs = [
        entry("spot", "USD", "-10", entry_type="trade"),
        entry("spot", "USD", "4", entry_type="trade"),
        entry("affiliate", "USD", "5", entry_type="trade"),
        entry("fee", "USD", "1", entry_type="fee"),
    ]
    assert by_payer(world(*legs)) == {"customer": 1}


def test_a_rebate_counts_against_the_revenue_of_whoever_received_it() -> None:
    legs = [entry("fee", "USD", "-2", entry_type="rebate"), entry("affiliate", "USD", "2", entry_type="rebate")]
    assert by_payer(world(*legs)) == {"affiliate": -2}


def test_only_the_operators_fee_and_house_accounts_have_revenue() -> None:
    legs = [entry("spot", "USD", "-2", entry_type="fee"), entry("other-fee", "USD", "2", entry_type="fee")]
    assert world(*legs).revenue.daily_rows() == []


def january(**figure: Any) -> Row:
    return {
        "figure": "revenue",
        "period_start": "2026-01-01",
        "period_end": "2026-02-01",
        "published_at": "2026-02-05",
        "partition": "2026-02-05",
        **figure,
    }


def waterfall_world(reported: str = "1200") -> Exchange:
    """Ledger 1100: customers 600 USD and 150 ONE at 2; an affiliate 100 USD; 100 USD more came in on 14 February."""
    depth = [{"asset": "ONE", "volume_30d_avg_usd": "1000000000", "volatility_30d": "0"}]
    return world(
        *paid("a", "spot", "USD", "600"),
        *paid("b", "spot", "ONE", "150"),
        *paid("c", "affiliate", "USD", "100", "interest"),
        *paid("d", "affiliate", "USD", "100", "revenue", partition="2026-02-14"),
        market_depth=depth,
        reported_figures=[january(amount=reported)],
    )


def test_every_entry_falls_in_exactly_one_step() -> None:
    # 1200 reported - 100 unsupported = 1100; - 100 backdated - 100 affiliate; own tokens sell without impact: 0
    line = waterfall_world().revenue.monthly_rows()[0]
    assert line == {
        "month": date(2026, 1, 1),
        "reported_usd": 1200,
        "ledger_usd": 1100,
        "unsupported_usd": 100,
        "backdated_usd": 100,
        "affiliate_usd": 100,
        "own_token_haircut_usd": 0,
        "token_adjusted_revenue_usd": 900,
    }


def test_each_doubtful_share_is_a_finding_dated_when_it_was_known() -> None:
    # unsupported 100/1200, backdated 100/1100, affiliate 100/1200 = 8.3 %, own token 300/1200 = 25 %
    # all known by the report of 5 February but the backdated one, which arrived on the 14th
    day = date(2026, 2, 5)
    assert revenue_findings(waterfall_world()) == {
        Finding("reported_revenue_supported", day, "2026-01"),
        Finding("revenue_not_backdated", date(2026, 2, 14), "2026-01"),
        Finding("revenue_not_affiliate", day, "2026-01"),
        Finding("revenue_not_own_token", day, "2026-01"),
    }


def test_more_in_the_ledger_than_reported_is_supported() -> None:
    found = {finding.check for finding in revenue_findings(waterfall_world("1050"))}
    assert "reported_revenue_supported" not in found


def test_known_ten_days_after_the_months_end_is_not_yet_backdated() -> None:
    # the month ends 1 February 00:00; 11 February 00:00 is ten days later, 12 February more
    on_the_tenth = world(*paid("a", "spot", "USD", "1", partition="2026-02-11"))
    later = world(*paid("a", "spot", "USD", "1", partition="2026-02-12"))
    assert [line["is_backdated"] for line in on_the_tenth.revenue.daily_rows()] == [False]
    assert [line["is_backdated"] for line in later.revenue.daily_rows()] == [True]


def test_lines_sum_up_unless_there_is_a_total_and_the_latest_counts() -> None:
    lines = [january(amount="5", line="fees"), january(amount="7", line="other")]
    corrected = january(amount="9", line="fees", published_at="2026-02-06", partition="2026-02-06")
    total = january(amount="100")
    for given, expected in ((lines, 12), ([*lines, corrected], 16), ([*lines, corrected, total], 100)):
        figure = world(reported_figures=list(given)).revenue.monthly_figures()[date(2026, 1, 1)]
        assert figure.amount == expected


def test_a_month_without_a_report_has_null_steps() -> None:
    line = world(*paid("a", "spot", "USD", "1")).revenue.monthly_rows()[0]
    assert line["ledger_usd"] == 1
    assert line["reported_usd"] is None
    assert line["backdated_usd"] is None


def figure(start: str | None, end: str) -> Figure:
    given = row("reported_figures", figure="reserves", period_start=start, period_end=end, amount="1", published_at=end)
    known_at = given["known_at"]
    return Figure("reserves", None, given["period_start"], given["period_end"], given["amount"], known_at, known_at)


def test_a_snapshot_at_midnight_shows_the_day_before() -> None:
    assert snapshot_day(figure(None, "2026-01-15")) == date(2026, 1, 14)
    assert snapshot_day(figure("2026-01-15", "2026-01-15")) == date(2026, 1, 15)
    assert snapshot_day(figure("2026-01-01", "2026-02-01")) == date(2026, 1, 31)
    assert snapshot_day(figure("2026-01-01", "2026-01-31")) == date(2026, 1, 31)
    assert snapshot_day(figure(None, "2026-01-31 23:59:59")) == date(2026, 1, 31)


def test_whole_months_of_a_period() -> None:
    january_first, february_first, march_first = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
    assert months_of(figure("2026-01-01", "2026-02-01")) == [january_first]
    assert months_of(figure("2026-01-01", "2026-01-31")) == [january_first]
    assert months_of(figure("2026-01-01", "2026-01-31 23:59:59")) == [january_first]
    assert months_of(figure("2026-01-01", "2026-04-01")) == [january_first, february_first, march_first]
    assert months_of(figure("2026-01-02", "2026-02-01")) == []
