"""The made-up market of the bulk generator: assets, wallets and who is who, as SQL over numbers.

What belongs here: constants, the helper tables that the generator reads, and the reference tables of its landing zone.
What doesn't: what happens on a day (``bulk_day``). Customers' accounts are numbered from 0; the lower a number, the
more active its account. Account 0 is the affiliated market maker's.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from orchestration.contract import REFERENCE_TABLES, table

FIRST_DATE = date(2021, 11, 1)

ASSETS = """
    (0, 'USD', 'fiat', 'bank', null, 2, 100000000, 0),
    (1, 'EUR', 'fiat', 'bank', null, 2, 114000000, 30),
    (2, 'USDC', 'stablecoin', 'ethereum', 'USD', 6, 100000000, 5),
    (3, 'USDT', 'stablecoin', 'tron', 'USD', 6, 100000000, 5),
    (4, 'BTC', 'crypto', 'bitcoin', null, 8, 5700000000000, 200),
    (5, 'ETH', 'crypto', 'ethereum', null, 18, 450000000000, 200),
    (6, 'SOL', 'crypto', 'solana', null, 8, 21000000000, 300),
    (7, 'XRP', 'crypto', 'xrp', null, 6, 100000000, 300),
    (8, 'MRX', 'exchange_token', 'ethereum', null, 6, 5000000000, 200)
"""
"""Number, name, class, network, in-kind group, places, price and its swing. Prices count 10**-8 USD, swings 0.01 %."""

SCALE = 100_000_000
"""Amounts are drawn as whole numbers of 10**-8 of an asset; ETH's ten further places are added as they are written."""

CENT = SCALE // 100

FEES, HOUSE, INSURANCE_FUND = -1, -2, -3
"""Numbers of the operator's own accounts. External accounts are never held as balances and have none."""

_OPERATOR, _AFFILIATE, _PARENT = "meridian-exchange", "tidewater-trading", "halcyon-holdings"
_MARGIN_EVERY = 100
_PROOF_DAYS = 60

MACROS = (
    "create macro draw(seed, day, number, what) as hash(seed, day, number, what)",
    # The square of an even draw: a quarter of the accounts makes half of the transactions.
    "create macro active_account(drawn, accounts) as"
    " cast(floor(pow((drawn % 1000003) / 1000003.0, 2) * accounts) as bigint)",
    "create macro own_asset(account) as cast(1 + account % 8 as integer)",
    f"create macro is_margin(account) as account >= 0 and account % {_MARGIN_EVERY} = 8",
    f"create macro decimal_of(units) as cast(cast(units as decimal(28,0)) * {1 / SCALE:.8f} as decimal(38,18))",
    "create macro customer_account(account) as format('acct-{:08d}', account)",
    "create macro customer_entity(account) as format('cust-{:08d}', account)",
    "create macro account_id(account) as case account"
    f" when {FEES} then 'acct-fees' when {HOUSE} then 'acct-house' when {INSURANCE_FUND} then 'acct-insurance-fund'"
    " else customer_account(account) end",
)


def prepare(connection: duckdb.DuckDBPyConnection, seed: int, days: int) -> None:
    """Create macros, assets with the step of their amounts, and the daily prices."""
    for macro in MACROS:
        connection.execute(macro)
    connection.execute(
        "create table asset as"
        " select *, cast(pow(10, greatest(8 - places, 0)) as bigint) as step, places > 8 as has_tail"
        f" from (values {ASSETS}) as listed"
        " (asset_number, asset, asset_class, network, in_kind_group, places, base_price, swing)"
    )
    connection.execute(
        "create table price as select day, asset_number, base_price"
        " + base_price * (cast(draw(?, day, asset_number, 'price') % 201 as bigint) - 100) * swing // 1000000"
        " as price from asset cross join range(?) as days (day)",
        [seed, days],
    )


def reference_tables(accounts: int, days: int) -> dict[str, str]:
    """The query of each reference table."""
    known = f"timestamp '{FIRST_DATE - timedelta(days=30)}'"
    queries = {
        "entities": _entities(accounts, known),
        "entity_links": f"""
            select parent_entity_id, child_entity_id, link_type, cast(null as decimal(38,18)) as ownership_pct,
                {known} as valid_from, cast(null as timestamp) as valid_to, {known} as recorded_at
            from (values ('{_PARENT}', '{_OPERATOR}', 'control'), ('{_PARENT}', '{_AFFILIATE}', 'control'))
                as link (parent_entity_id, child_entity_id, link_type)""",
        "entity_attributes": f"""
            select customer_entity(account) as entity_id, 'withdrawal_address' as attribute_type,
                md5(cast(account as varchar)) as attribute_hash, {known} as recorded_at
            from range(1, {accounts}) as customer (account)""",
        "accounts": _accounts(accounts, known),
        "account_privileges": _no_rows("account_privileges"),
        "tokens": f"""
            select asset, asset_class, case when asset = 'MRX' then '{_OPERATOR}' end as issuer_entity_id,
                cast(places as bigint) as decimals, in_kind_group
            from asset order by asset_number""",
        "wallets": _wallets(days),
    }
    return {listed.name: queries[listed.name] for listed in REFERENCE_TABLES}


def _no_rows(name: str) -> str:
    columns = ", ".join(f"cast(null as {column.duckdb_type}) as {column.name}" for column in table(name).columns)
    return f"select {columns} where false"


def _entities(accounts: int, known: str) -> str:
    return f"""
        select entity_id, entity_type, name, country, {known} as recorded_at
        from (values
            ('{_OPERATOR}', 'operator', 'Meridian Exchange Ltd', 'BS'),
            ('{_PARENT}', 'company', 'Halcyon Holdings Inc', 'US'),
            ('{_AFFILIATE}', 'company', 'Tidewater Trading LLC', 'US')
        ) as body (entity_id, entity_type, name, country)
        union all
        select customer_entity(account), 'customer', null,
            list_extract(['US', 'DE', 'GB', 'SG', 'JP', 'CH'], 1 + account % 6), {known}
        from range(1, {accounts}) as customer (account)"""


def _accounts(accounts: int, known: str) -> str:
    return f"""
        select account_id, '{_OPERATOR}' as entity_id, account_class, cast(null as varchar) as label,
            {known} as opened_at, cast(null as timestamp) as closed_at, {known} as recorded_at
        from (
            select 'external-' || asset as account_id, 'external' as account_class from asset
            union all values ('acct-fees', 'fee'), ('acct-house', 'house'), ('acct-insurance-fund', 'insurance_fund')
        )
        union all
        select customer_account(account), case when account = 0 then '{_AFFILIATE}' else customer_entity(account) end,
            case when is_margin(account) then 'margin' else 'spot' end, null, {known}, null, {known}
        from range({accounts}) as customer (account)"""


def _wallets(days: int) -> str:
    """A hot and a cold wallet an asset, and the house's bank account; ownership is proven anew every two months."""
    first = FIRST_DATE - timedelta(days=10)
    return f"""
        with place as (
            select lower(asset) || '-hot' as wallet_id, network, 'customer' as purpose,
                case when network = 'bank' then 'bank' else 'hot' end as custody from asset
            union all
            select lower(asset) || '-cold', network, 'customer',
                case when network = 'bank' then 'bank' else 'cold' end from asset
            union all values ('house-bank', 'bank', 'house', 'bank')
        ),

        proof as (
            select timestamp '{first}' + number * interval {_PROOF_DAYS} day as proven_from,
                lead(proven_from) over (order by number) as proven_until
            from range({days // _PROOF_DAYS + 2}) as period (number)
        )

        select wallet_id, network, md5(wallet_id) as address, '{_OPERATOR}' as owner_entity_id, purpose, custody,
            cast(0 as decimal(38,18)) as encumbered_pct,
            case when network = 'bank' then 'bank_confirmation' else 'signature' end as ownership_proof,
            proven_from - interval 8 hour as proven_at, proven_from as valid_from, proven_until as valid_to,
            proven_from - interval 1 hour as recorded_at
        from place cross join proof
        order by wallet_id, valid_from"""
