"""The default policy of DOMAIN.md section 7, as the oracle reads it, and another one to try the settings with.

What belongs here: the thresholds, and how they are written in a policy file. What doesn't: their use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


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
    min_coverage_by_group: dict[str, Decimal] = field(default_factory=dict)
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
    engine_drift_units_by_asset: dict[str, Decimal] = field(default_factory=dict)
    engine_drift_pct_of_liability: Decimal = Decimal("0.01")
    roll_forward_usd: Decimal = Decimal(1)
    roll_forward_units_by_asset: dict[str, Decimal] = field(default_factory=dict)
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


OTHER_POLICY = Policy(
    custodial_subsidiaries=frozenset({"below"}),
    own_venue_sources=frozenset({"alpha-x"}),
    min_coverage=Decimal("1.02"),
    min_coverage_by_group={"BTC": Decimal("0.5")},
    not_redeemable=frozenset({"USDC"}),
    parity_tolerance_pct=Decimal("2.5"),
    proof_days={"none": 0, "signature": 91, "custodian_letter": 93, "bank_confirmation": 365},
    eligible_custody=frozenset({"hot", "cold", "bank", "venue"}),
    dust_usd=Decimal("12.5"),
    haircut_pct={**_haircuts(), "crypto": Decimal("12.5"), "other": Decimal(100)},
    maintenance_margin_pct=Decimal("7.5"),
    ownership_threshold_pct=Decimal(10),
    shared_attribute_max_entities=2,
    price_max_age_hours=20,
    price_max_spread_pct=Decimal("0.5"),
    engine_drift_usd=Decimal("0.1"),
    engine_drift_units_by_asset={"BTC": Decimal("0.00002")},
    roll_forward_usd=Decimal(5000),
    roll_forward_units_by_asset={"BTC": Decimal("0.3")},
    reported_difference_pct=Decimal("0.1"),
    unmatched_transfer_days=1,
    uncollateralised_pct_of_liabilities=Decimal(10),
    own_token_collateral_pct=Decimal(50),
    window_dressing_days=2,
    window_dressing_flow_pct=Decimal("0.01"),
    drained_held_pct=Decimal(20),
    backdating_grace_days=3,
    affiliate_pct_of_reported=Decimal(30),
    concentration_pct=Decimal(20),
    liquidation_participation_pct=Decimal(25),
    liquidation_horizon_days=7,
    liquidation_impact_factor=Decimal("1.5"),
    liquidity_window_days=2,
    liquid_custody=frozenset({"hot"}),
)
"""Every setting that a random exchange could feel, moved."""


def policy_file_text(policy: Policy) -> str:
    """The policy as the YAML that ``ringfence run --policy`` reads."""

    def items(values: frozenset[str]) -> str:
        return f"[{', '.join(sorted(values))}]"

    def pairs(values: dict[str, Any]) -> str:
        return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"

    sections: dict[str, dict[str, Any]] = {
        "operator": {
            "custodial_subsidiaries": items(policy.custodial_subsidiaries),
            "own_venue_sources": items(policy.own_venue_sources),
        },
        "coverage": {
            "min_coverage": policy.min_coverage,
            "min_coverage_by_group": pairs(policy.min_coverage_by_group),
            "not_redeemable": items(policy.not_redeemable),
            "parity_tolerance_pct": policy.parity_tolerance_pct,
        },
        "reserves": {"proof_days": pairs(policy.proof_days), "eligible_custody": items(policy.eligible_custody)},
        "dust": {"usd": policy.dust_usd},
        "collateral": {
            "haircut_pct": pairs(policy.haircut_pct),
            "maintenance_margin_pct": policy.maintenance_margin_pct,
        },
        "relation": {
            "ownership_threshold_pct": policy.ownership_threshold_pct,
            "shared_attribute_max_entities": policy.shared_attribute_max_entities,
        },
        "prices": {"max_age_hours": policy.price_max_age_hours, "max_spread_pct": policy.price_max_spread_pct},
        "reconciliation": {
            "engine_drift_usd": policy.engine_drift_usd,
            "engine_drift_units_by_asset": pairs(policy.engine_drift_units_by_asset),
            "engine_drift_pct_of_liability": policy.engine_drift_pct_of_liability,
            "roll_forward_usd": policy.roll_forward_usd,
            "roll_forward_units_by_asset": pairs(policy.roll_forward_units_by_asset),
            "reported_difference_pct": policy.reported_difference_pct,
            "unmatched_transfer_days": policy.unmatched_transfer_days,
        },
        "affiliates": {
            "uncollateralised_pct_of_liabilities": policy.uncollateralised_pct_of_liabilities,
            "own_token_collateral_pct": policy.own_token_collateral_pct,
        },
        "window_dressing": {
            "days": policy.window_dressing_days,
            "flow_pct_of_reserves": policy.window_dressing_flow_pct,
        },
        "drained": {"held_pct_of_reserves": policy.drained_held_pct},
        "revenue": {
            "backdating_grace_days": policy.backdating_grace_days,
            "affiliate_pct_of_reported": policy.affiliate_pct_of_reported,
        },
        "own_token": {
            "concentration_pct": policy.concentration_pct,
            "liquidation_participation_pct": policy.liquidation_participation_pct,
            "liquidation_horizon_days": policy.liquidation_horizon_days,
            "liquidation_impact_factor": policy.liquidation_impact_factor,
        },
        "liquidity": {
            "window_days": policy.liquidity_window_days,
            "liquid_custody": items(policy.liquid_custody),
        },
    }
    lines = []
    for section, settings in sections.items():
        lines.append(f"{section}:")
        lines.extend(f"  {name}: {value}" for name, value in settings.items())
    return "\n".join(lines) + "\n"
