"""The per-asset ratio that proof-of-reserves pages publish.

Formula: what the exchange's listed wallets hold over the sum of customers' balances, asset by asset, 100 % or more
being sound. Such pages cover coins, not bank accounts, and sum customers' net balances, negative ones included.
"""

from __future__ import annotations

from orchestration.bench.rivals.books import Alarm, DailyBooks


def ratio_alarms(books: DailyBooks) -> set[Alarm]:
    """Days and assets on which the published ratio is below one."""
    rows = books.connection.execute(
        """
        with owed as (
            select balance_snapshots.day, balance_snapshots.asset, sum(balance_snapshots.balance) as quantity
            from balance_snapshots
            inner join accounts using (account_id)
            inner join entities using (entity_id)
            inner join tokens using (asset)
            where entities.entity_type = 'customer' and accounts.account_class in ('spot', 'margin')
                and tokens.asset_class <> 'fiat'
            group by all
        ),
        held as (
            select wallet_balances.day, wallet_balances.asset, sum(wallet_balances.balance) as quantity
            from wallet_balances
            where wallet_id in (
                select wallet_id from wallets inner join entities on owner_entity_id = entity_id
                where entity_type = 'operator'
            )
            group by all
        )
        select owed.day, owed.asset
        from owed
        left join held using (day, asset)
        where owed.quantity > 0 and coalesce(held.quantity, 0) < owed.quantity
        """
    ).fetchall()
    return {Alarm(day, asset, "ratio below one") for day, asset in rows}
