"""Great Expectations as a newcomer writes them: a suite of ranges and presence over daily totals of the raw tables.

Ranges are those of the first week, widened by half on either side. The suite runs in Great Expectations itself, on a
pandas frame with one row a day. Spot accounts may be a unit below zero: whoever sees dust alarm daily allows for it.
"""

from __future__ import annotations

from typing import Any

from orchestration.bench.rivals.books import Alarm, DailyBooks

TRAINING_DAYS, MARGIN = 7, 0.5

_DAILY_TABLES = ("ledger_entries", "balance_snapshots", "wallet_balances", "token_prices")
_BY_ASSET = {
    "price": "select day, asset, median(price_usd) as value from token_prices group by all",
    "owed": "select day, asset, sum(balance) as value from balance_snapshots group by all",
    "held": "select day, asset, sum(balance) as value from wallet_balances group by all",
}
_NEVER = {
    "null amounts": "select day, count(*) filter (where amount is null or account_id is null or asset is null) as value"
    " from ledger_entries group by day",
    "keys twice": "select day, count(*) - count(distinct entry_id) as value from ledger_entries group by day",
    "negative spot balances": "select day, count(*) filter (where balance < -1 and account_class = 'spot') as value"
    " from balance_snapshots left join accounts using (account_id) group by day",
    "negative wallet balances": "select day, count(*) filter (where balance < 0) as value from wallet_balances"
    " group by day",
    "prices of zero or less": "select day, count(*) filter (where price_usd <= 0 or price_usd is null) as value"
    " from token_prices group by day",
}


def range_alarms(books: DailyBooks) -> set[Alarm]:
    """Days on which an expectation of the suite fails."""
    frame = _frame(books)
    bounds = _bounds(frame)
    failed = _validate(frame, bounds)
    return {Alarm(frame["day"].iloc[row].date(), *_asset_and_measure(column)) for column, row in failed}


def _frame(books: DailyBooks) -> Any:
    days = books.connection.execute(
        "select unnest(generate_series(?::date, ?::date, interval 1 day))::timestamp as day",
        [books.first_date, books.last_date],
    ).df()
    parts = [
        f"select day, 'rows|{table}' as measure, count(*)::double as value from {table} group by day"
        for table in _DAILY_TABLES
    ]
    parts += [f"select day, '{name}|' as measure, value::double as value from ({sql})" for name, sql in _NEVER.items()]
    parts += [
        f"select day, '{name}|' || asset as measure, value::double as value from ({sql})"
        for name, sql in _BY_ASSET.items()
    ]
    long = books.connection.execute(
        f"select day::timestamp as day, measure, value from ({' union all '.join(parts)}) where day is not null"
        " and measure is not null order by all"
    ).df()
    wide = long.pivot_table(index="day", columns="measure", values="value", aggfunc="first")
    return days.merge(wide.reset_index(), on="day", how="left")


def _bounds(frame: Any) -> dict[str, tuple[float | None, float | None]]:
    """Lowest and highest value allowed in each column."""
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for column in frame.columns.drop("day"):
        name = column.split("|")[0]
        week = frame[column].head(TRAINING_DAYS).dropna()
        if name in _NEVER:
            bounds[column] = (0.0, 0.0)
        elif name == "rows":
            bounds[column] = (1.0, None)
        elif len(week):
            low, high = float(week.min()), float(week.max())
            bounds[column] = (low - MARGIN * abs(low), high + MARGIN * abs(high))
    return bounds


def _validate(frame: Any, bounds: dict[str, tuple[float | None, float | None]]) -> list[tuple[str, int]]:
    """Column and row position of every value outside its bounds, or missing."""
    import great_expectations as gx
    from great_expectations import expectations as gxe

    from expectations.engine import ephemeral_context, quiet_logging

    context = ephemeral_context()
    asset = context.data_sources.add_pandas("newcomer").add_dataframe_asset("daily")
    batch = asset.add_batch_definition_whole_dataframe("all")
    suite = gx.ExpectationSuite(
        name="ranges",
        expectations=[
            expectation
            for column, (low, high) in bounds.items()
            for expectation in (
                gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high),
                gxe.ExpectColumnValuesToNotBeNull(column=column),
            )
        ],
    )
    with quiet_logging():
        result = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite, result_format="COMPLETE")
    return [
        (item.expectation_config.kwargs["column"], int(row))
        for item in result.results
        if not item.success
        for row in item.result["unexpected_index_list"]
    ]


def _asset_and_measure(column: str) -> tuple[str, str]:
    name, _, rest = column.partition("|")
    return ("", f"{name} {rest}".strip()) if name == "rows" or name in _NEVER else (rest, name)
