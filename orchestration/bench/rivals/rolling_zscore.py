"""A rolling z-score, as data observability tools have it by default: 14 days of training, 3 standard deviations.

It watches the totals of the marts, one series a figure and asset. The day under test isn't part of its own training,
which would keep it from ever firing on windows this short.
"""

from __future__ import annotations

from orchestration.bench.rivals.books import Alarm, DailyBooks

WINDOW_DAYS, SIGMA = 14, 3.0

_SERIES = """
    select as_of_date as day, '' as asset, unnest(
        [
            ('customer_liabilities_usd', customer_liabilities_usd::double),
            ('customer_receivables_usd', customer_receivables_usd::double),
            ('eligible_reserves_usd', eligible_reserves_usd::double),
            ('coverage_ratio', coverage_ratio::double),
            ('affiliate_borrowing_usd', affiliate_borrowing_usd::double)
        ]
    ) as figure
    from marts.marts.fct_solvency_daily
    union all
    select as_of_date, asset, ('liability', liability::double)
    from marts.marts.fct_customer_liability_daily where relation = 'customer'
    union all
    select as_of_date, in_kind_group, ('eligible_reserves', eligible_reserves::double)
    from marts.marts.fct_reserve_coverage_daily
"""


def zscore_alarms(books: DailyBooks) -> set[Alarm]:
    """Days on which a total is further than three sigma from the two weeks before; none if no mart was built."""
    if books.build_file is None:
        return set()
    books.connection.execute(f"attach '{books.build_file}' as marts (read_only)")
    try:
        rows = books.connection.execute(
            f"""
            with series as (select day, asset, figure[1] as name, figure[2] as value from ({_SERIES})),
            trained as (
                select
                    day, asset, name, value,
                    count(value) over window_before as days,
                    avg(value) over window_before as mean,
                    stddev_samp(value) over window_before as deviation
                from series
                window window_before as (
                    partition by asset, name order by day rows between $window preceding and 1 preceding
                )
            )
            select day, asset, name from trained
            where days = $window and abs(value - mean) > $sigma * deviation
            """.replace("figure[1]", "figure[1]"),
            {"window": WINDOW_DAYS, "sigma": SIGMA},
        ).fetchall()
    finally:
        books.connection.execute("detach marts")
    return {Alarm(*row) for row in rows}
