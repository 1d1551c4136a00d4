"""Questions about who holds and who owes: accounts, wallets, affiliates.

What belongs here: SQL on ``marts`` for one of them, or for a list to choose from. What doesn't: the exchange as a whole
(``solvency``), source rows (``tracing``).
"""

from __future__ import annotations

from datetime import date

from orchestration.explore.questions import Question

# accounts -----------------------------------------------------------------------------------------------------------


def accounts_like(text: str) -> Question:
    """Accounts whose identifier or owner holds a text, or whose owner's name does in any case."""
    return Question(
        """
        with found as (
            select account_id, entity_id, account_class, relation from marts.dim_account
            where contains(account_id, $text) or entity_id in (
                select entity_id from marts.dim_entity
                where contains(entity_id, $text) or contains(lower(name), lower($text))
            )
        )
        select account_id, found.entity_id, entities.name, account_class, found.relation
        from found left join marts.dim_entity as entities using (entity_id)
        order by not starts_with(account_id, $text), account_id
        """,
        {"text": text},
    )


def debtors(day: date) -> Question:
    """Negative balances of a day, the largest debt first."""
    return Question(
        "select account_id, entity_id, relation, account_class, asset, balance, value_usd, is_permitted, reason"
        " from marts.fct_negative_balance_daily where as_of_date = $day"
        " order by value_usd nulls first, account_id, asset",
        {"day": day},
    )


def account(name: str) -> Question:
    """An account and its owner."""
    return Question(
        "select accounts.account_id, accounts.entity_id, entities.name, entities.country, accounts.account_class,"
        " accounts.relation, accounts.label, accounts.opened_at, accounts.closed_at, accounts.recorded_at"
        " from marts.dim_account as accounts left join marts.dim_entity as entities using (entity_id)"
        " where account_id = $name",
        {"name": name},
    )


def accounts_of(entity: str) -> Question:
    """An owner's accounts."""
    return Question(
        "select account_id, account_class, relation, label, opened_at, closed_at from marts.dim_account"
        " where entity_id = $entity order by account_id",
        {"entity": entity},
    )


def account_equity(name: str) -> Question:
    """An account's equity through time: on days on which it borrowed or had an open position."""
    return Question(
        "select as_of_date, collateral_usd, borrowing_usd, unrealised_usd, equity_usd, has_unpriced_collateral,"
        " has_unpriced_borrowing from marts.fct_account_equity_daily where account_id = $name order by as_of_date desc",
        {"name": name},
    )


def account_negative_balances(name: str) -> Question:
    """An account's balances below zero, by asset and day."""
    return Question(
        "select as_of_date, asset, balance, value_usd, is_permitted, is_dust, reason"
        " from marts.fct_negative_balance_daily where account_id = $name"
        " order by as_of_date desc, value_usd nulls first, asset",
        {"name": name},
    )


def account_negative_periods(name: str) -> Question:
    """From when to when an account was below zero, and the ledger entry that drove it there."""
    return Question(
        "select from_date, to_date, asset, lowest_balance, event_entry_id, event_transaction_id, event_entry_type,"
        " event_amount, event_effective_at, event_known_at, event_reference, balance_before"
        " from marts.fct_negative_balance_period where account_id = $name order by from_date desc, asset",
        {"name": name},
    )


def account_privileges(name: str) -> Question:
    """Privileges of an account, in spans of days on which they were the same."""
    return Question(
        """
        with days as (
            select as_of_date, privileges, credit_line_usd, has_unlimited_credit,
                as_of_date - row_number() over (
                    partition by privileges, credit_line_usd, has_unlimited_credit order by as_of_date
                )::integer as span
            from marts.fct_account_privilege_daily where account_id = $name
        )
        select min(as_of_date) as first_day, max(as_of_date) as last_day, privileges, credit_line_usd,
            has_unlimited_credit
        from days group by privileges, credit_line_usd, has_unlimited_credit, span order by last_day desc, first_day
        """,
        {"name": name},
    )


def account_drifts(name: str) -> Question:
    """Where the trading engine says something else than the ledger about an account."""
    return Question(
        "select as_of_date, asset, engine_balance, ledger_balance, drift, drift_usd, has_snapshot"
        " from marts.fct_engine_drift_daily where account_id = $name order by as_of_date desc, asset",
        {"name": name},
    )


# wallets ------------------------------------------------------------------------------------------------------------


def wallets(day: date) -> Question:
    """Every wallet with what it held on a day and what of it counts; null where a balance has no price."""
    return Question(
        """
        select wallet_id, network, purpose, custody, owner_entity_id, owner_relation, ownership_proof, held.assets,
            held.balance_usd, held.eligible_usd, held.reasons
        from marts.dim_wallet
        left join (
            select wallet_id, string_agg(asset, ', ' order by asset) as assets,
                case when count(balance_usd) = count(*) then sum(balance_usd) end as balance_usd,
                case when count(eligible_usd) = count(*) then sum(eligible_usd) end as eligible_usd,
                string_agg(distinct reason, ', ' order by reason) as reasons
            from marts.fct_reserve_balance_daily where as_of_date = $day group by wallet_id
        ) as held using (wallet_id)
        order by held.balance_usd desc nulls last, wallet_id
        """,
        {"day": day},
    )


def wallet(name: str) -> Question:
    """A wallet in its latest version, and its owner's name."""
    return Question(
        "select wallets.*, entities.name as owner_name from marts.dim_wallet as wallets"
        " left join marts.dim_entity as entities on wallets.owner_entity_id = entities.entity_id"
        " where wallet_id = $name",
        {"name": name},
    )


def wallet_balances(name: str) -> Question:
    """A wallet's balances through time, what of them counts, and why not."""
    return Question(
        "select as_of_date, asset, balance, eligible_quantity, balance_usd, eligible_usd, reason"
        " from marts.fct_reserve_balance_daily where wallet_id = $name order by as_of_date desc, asset",
        {"name": name},
    )


def wallet_value(name: str) -> Question:
    """A wallet's value through time; null on a day on which a balance has no price."""
    return Question(
        "select as_of_date, case when count(balance_usd) = count(*) then sum(balance_usd) end as balance_usd,"
        " case when count(eligible_usd) = count(*) then sum(eligible_usd) end as eligible_usd"
        " from marts.fct_reserve_balance_daily where wallet_id = $name group by as_of_date order by as_of_date",
        {"name": name},
    )


def wallet_exclusions(name: str, day: date) -> Question:
    """What of a wallet doesn't count on a day, with reasons."""
    return Question(
        "select asset, reason, quantity, value_usd from marts.fct_reserve_exclusion_daily"
        " where wallet_id = $name and as_of_date = $day order by value_usd desc nulls first, asset, reason",
        {"name": name, "day": day},
    )


def wallet_roll_forward(name: str) -> Question:
    """A wallet's balances against its transfers, what is unexplained first."""
    return Question(
        "select as_of_date, asset, previous_balance, moved, balance, unexplained, unexplained_usd, is_within_tolerance"
        " from marts.fct_wallet_roll_forward where wallet_id = $name"
        " order by coalesce(is_within_tolerance, false), as_of_date desc, asset",
        {"name": name},
    )


def wallet_misdirected(name: str) -> Question:
    """Customers' deposits that arrived in a wallet of an affiliate."""
    return Question(
        "select block_date, transfer_id, asset, amount, customer_entity_id from marts.fct_misdirected_deposit"
        " where wallet_id = $name order by block_date desc, transfer_id",
        {"name": name},
    )


# affiliates ---------------------------------------------------------------------------------------------------------


def affiliates(day: date) -> Question:
    """Entities related to the operator on a day, the largest uncollateralised exposure first."""
    return Question(
        """
        select related.entity_id, entities.name, entities.entity_type, related.reason as relation_reason,
            exposure.gross_borrowing_usd, exposure.collateral_haircut_usd, exposure.uncollateralised_usd,
            exposure.share_of_customer_liabilities, exposure.active_privileges
        from marts.dim_entity_relation as related
        left join marts.dim_entity as entities using (entity_id)
        left join (from marts.fct_affiliate_exposure_daily where as_of_date = $day) as exposure using (entity_id)
        where related.relation = 'affiliate' and related.from_date <= $day and related.to_date > $day
        order by exposure.uncollateralised_usd desc nulls last, exposure.gross_claims_usd desc nulls last,
            related.entity_id
        """,
        {"day": day},
    )


def entity(name: str) -> Question:
    """An entity."""
    return Question("select * from marts.dim_entity where entity_id = $name", {"name": name})


def relations(name: str) -> Question:
    """What an entity was to the operator, when, and by which path."""
    return Question(
        "select relation, from_date, to_date, reason, evidence_path from marts.dim_entity_relation"
        " where entity_id = $name order by from_date, to_date",
        {"name": name},
    )


def exposure(name: str) -> Question:
    """An affiliate's exposure through time, the latest day first."""
    return Question(
        "select as_of_date, gross_claims_usd, gross_borrowing_usd, collateral_mark_usd, collateral_haircut_usd,"
        " collateral_liquidation_usd, own_token_collateral_usd, uncollateralised_usd, share_of_customer_liabilities,"
        " active_privileges, credit_line_usd, credit_line_used_pct, unpriced_balances"
        " from marts.fct_affiliate_exposure_daily where entity_id = $name order by as_of_date desc",
        {"name": name},
    )


def entity_debts(name: str, day: date) -> Question:
    """What an entity's accounts owe on a day."""
    return Question(
        "select account_id, account_class, asset, balance, value_usd, is_permitted, reason"
        " from marts.fct_negative_balance_daily where entity_id = $name and as_of_date = $day"
        " order by value_usd nulls first, account_id, asset",
        {"name": name, "day": day},
    )


def affiliates_backing(day: date) -> Question:
    """What backs affiliates' exposure: their positive balances by asset, each affiliate's own."""
    return Question(
        """
        select entity_id, asset, bool_or(is_own_token) as is_own_token, sum(balance) as quantity,
            sum(collateral_mark_usd) as collateral_mark_usd, sum(collateral_haircut_usd) as collateral_haircut_usd,
            sum(collateral_liquidation_usd) as collateral_liquidation_usd
        from marts.fct_affiliate_balance_daily
        where as_of_date = $day and balance > 0
        group by entity_id, asset
        order by entity_id, collateral_mark_usd desc nulls first, asset
        """,
        {"day": day},
    )


def affiliate_balances(name: str, day: date) -> Question:
    """What an affiliate's accounts hold and owe on a day; an account's collateral secures that account alone."""
    return Question(
        "select account_id, asset, is_own_token, balance, value_usd, collateral_haircut_usd, collateral_liquidation_usd"
        " from marts.fct_affiliate_balance_daily where entity_id = $name and as_of_date = $day"
        " order by account_id, value_usd nulls first, asset",
        {"name": name, "day": day},
    )


def suspicions(name: str) -> Question:
    """Why an entity is suspected to be an affiliate that wasn't declared."""
    return Question(
        "select max(as_of_date) as last_day, min(as_of_date) as first_day, reason, evidence_path,"
        " max(value_usd) as largest_value_usd from marts.fct_affiliate_suspicion_daily where entity_id = $name"
        " group by reason, evidence_path order by last_day desc, reason, evidence_path",
        {"name": name},
    )
