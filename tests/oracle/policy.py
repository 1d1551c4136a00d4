"""The default policy of DOMAIN.md section 7, as the oracle reads it.

What belongs here: the thresholds. What doesn't: their use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


def _proof_days() -> dict[str, int]:
    return {"none": 0, "signature": 92, "custodian_letter": 92, "bank_confirmation": 92}


def _haircuts() -> dict[str, Decimal]:
    percentages = {"fiat": 0, "stablecoin": 2, "crypto": 10, "exchange_token": 50, "tokenized": 30, "other": 50}
    return {asset_class: Decimal(percentage) for asset_class, percentage in percentages.items()}


@dataclass(frozen=True)
class Policy:
    """Every threshold that a formula or a check uses; percentages run from 0 to 100."""

    custodial_subsidiaries: frozenset[str] = frozenset()
    own_venue_sources: frozenset[str] = frozenset()
    min_coverage: Decimal = Decimal(1)
    not_redeemable: frozenset[str] = frozenset()
    parity_tolerance_pct: Decimal = Decimal(1)
    proof_days: dict[str, int] = field(default_factory=_proof_days)
    eligible_custody: frozenset[str] = frozenset({"hot", "cold", "custodian", "bank"})
    dust_usd: Decimal = Decimal(1)
    dust_unpriced_units: Decimal = Decimal("0.000001")
    haircut_pct: dict[str, Decimal] = field(default_factory=_haircuts)
    maintenance_margin_pct: Decimal = Decimal(5)
    ownership_threshold_pct: Decimal = Decimal(20)
    shared_attribute_max_entities: int = 10
    price_max_age_hours: int = 36
    price_max_spread_pct: Decimal = Decimal(5)
    engine_drift_usd: Decimal = Decimal(1)
    engine_drift_pct_of_liability: Decimal = Decimal("0.01")
    roll_forward_usd: Decimal = Decimal(1)
    reported_difference_pct: Decimal = Decimal("0.5")
    unmatched_transfer_days: int = 2
    uncollateralised_pct_of_liabilities: Decimal = Decimal(1)
    own_token_collateral_pct: Decimal = Decimal(20)
    window_dressing_days: int = 3
    window_dressing_flow_pct: Decimal = Decimal(5)
    drained_held_pct: Decimal = Decimal(1)
    backdating_grace_days: int = 10
    backdated_pct_of_ledger: Decimal = Decimal("0.5")
    unsupported_pct_of_reported: Decimal = Decimal("0.5")
    affiliate_pct_of_reported: Decimal = Decimal(5)
    own_token_pct_of_reported: Decimal = Decimal(10)
    concentration_pct: Decimal = Decimal(50)
    liquidation_participation_pct: Decimal = Decimal(10)
    liquidation_horizon_days: int = 30
    liquidation_impact_factor: Decimal = Decimal(1)
    liquidity_window_days: int = 7
    liquid_custody: frozenset[str] = frozenset({"hot", "bank"})
