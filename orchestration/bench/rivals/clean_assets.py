"""DefiLlama's figures for centralised exchanges, as its public data definitions describe them.

Clean assets: the value of the listed wallets without the tokens that the exchange issued itself. Inflow: for each asset
the difference between the balances of two consecutive days times the price, summed over assets, so that a price move
alone is no flow. The site publishes figures and no alarm; the thresholds here are what its readers watch for: a tenth
gone in a day, a quarter gone in a week, or most of the assets being the exchange's own token.
Source: docs.llama.fi, data definitions (USD inflows); the site's page of centralised exchanges (clean assets).
"""

from __future__ import annotations

from orchestration.bench.rivals.books import Alarm, DailyBooks

DAY_OUTFLOW, WEEK_OUTFLOW, CLEAN_SHARE = 0.10, 0.25, 0.50


def clean_asset_alarms(books: DailyBooks) -> set[Alarm]:
    """Days on which the outflow is large or the assets aren't clean. The figures are totals: no asset is named."""
    rows = books.connection.execute(
        """
        with listed as (
            select distinct wallet_id
            from wallets
            inner join entities on owner_entity_id = entity_id
            where entity_type = 'operator' and network <> 'bank'
        ),
        price as (
            select day, asset, median(price_usd) as usd from token_prices where price_usd > 0 group by all
        ),
        held as (
            select day, asset, sum(balance) as quantity
            from wallet_balances semi join listed using (wallet_id)
            group by all
        ),
        valued as (
            select
                held.day, held.asset, coalesce(held.quantity * price.usd, 0) as value,
                coalesce((held.quantity - lag(held.quantity) over (partition by held.asset order by held.day))
                    * price.usd, 0) as inflow,
                coalesce(issuer.entity_type = 'operator', false) as is_own
            from held
            left join price using (day, asset)
            left join tokens using (asset)
            left join entities as issuer on tokens.issuer_entity_id = issuer.entity_id
        ),
        daily as (
            select
                day, sum(value) as assets, coalesce(sum(value) filter (where not is_own), 0) as clean,
                coalesce(sum(inflow) filter (where not is_own), 0) as inflow
            from valued group by day
        ),
        watched as (
            select
                day, assets, clean, inflow,
                lag(clean) over (order by day) as clean_yesterday,
                sum(inflow) over (order by day rows 6 preceding) as week_inflow,
                lag(clean, 7) over (order by day) as clean_a_week_ago
            from daily
        )
        select
            day, inflow < -$day_outflow * clean_yesterday, week_inflow < -$week_outflow * clean_a_week_ago,
            clean < $clean_share * assets
        from watched
        """,
        {"day_outflow": DAY_OUTFLOW, "week_outflow": WEEK_OUTFLOW, "clean_share": CLEAN_SHARE},
    ).fetchall()
    measures = ("outflow of a day", "outflow of a week", "clean share")
    return {Alarm(day, "", what) for day, *signs in rows for what, is_on in zip(measures, signs, strict=True) if is_on}
