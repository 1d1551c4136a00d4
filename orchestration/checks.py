"""The check catalogue of DOMAIN.md section 7: name, kind, default severity, stage.

The rule of each check is the dbt model of the same name in ``dbt_project/models/findings/<kind>/``; thresholds are
policy. This module owns only what both need to agree on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class Kind(StrEnum):
    """What a finding says about the run; DOMAIN.md section 7."""

    INTEGRITY = "integrity"
    RECONCILIATION = "reconciliation"
    BREACH = "breach"
    POLICY = "policy"


class Severity(StrEnum):
    """Whether a finding fails the run (critical) or only alerts (warning)."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Its finding model has the check's name.

    ``is_event``: a finding tells of something that happened on its day; it doesn't come again on every day on which it
    hasn't been put right, so that not to find it on a later day proves nothing.
    """

    name: str
    kind: Kind
    severity: Severity = Severity.CRITICAL
    is_event: bool = False


_EVENTS = frozenset(
    {
        "wallet_rolls_forward",
        "deposits_withdrawals_match",
        "reported_liabilities_match",
        "reported_reserves_match",
        "insurance_fund_matches",
        "customer_funds_segregated",
        "transfers_to_affiliates_explained",
        "reported_revenue_supported",
        "revenue_not_backdated",
        "revenue_not_affiliate",
        "revenue_not_own_token",
        "reserves_not_window_dressed",
        "reserve_not_drained",
        "affiliation_removed",
    }
)


def _checks(kind: Kind, names: str, severity: Severity = Severity.CRITICAL) -> tuple[Check, ...]:
    return tuple(Check(name, kind, severity, name in _EVENTS) for name in names.split())


CHECKS: tuple[Check, ...] = (
    *_checks(
        Kind.INTEGRITY,
        "schema_conforms keys_unique references_resolve arrivals_complete ledger_balances history_unchanged"
        " times_plausible",
    ),
    *_checks(
        Kind.RECONCILIATION,
        "prices_complete prices_fresh ledger_matches_engine wallet_rolls_forward deposits_withdrawals_match"
        " wallets_counted_once reported_liabilities_match reported_reserves_match insurance_fund_matches",
    ),
    *_checks(Kind.RECONCILIATION, "prices_agree", Severity.WARNING),
    *_checks(
        Kind.BREACH,
        "no_negative_balance no_negative_equity reserves_cover_liabilities total_reserves_cover_liabilities"
        " affiliate_exposure_within_limit affiliate_privileges"
        " affiliate_collateral_quality customer_funds_segregated transfers_to_affiliates_explained"
        " reported_revenue_supported revenue_not_backdated revenue_not_affiliate"
        " revenue_not_own_token",
    ),
    *_checks(
        Kind.BREACH,
        "reserves_not_window_dressed reserve_not_drained undeclared_affiliates affiliation_removed"
        " own_token_concentration liquidity_covers_withdrawals",
        Severity.WARNING,
    ),
)

CHECK_DISABLED = Check("check_disabled", Kind.POLICY, Severity.WARNING)
"""Left by every check that policy switches off; never itself switched off."""


@cache
def checks_by_name() -> dict[str, Check]:
    """The catalogue by name, without ``check_disabled``."""
    return {check.name: check for check in CHECKS}
