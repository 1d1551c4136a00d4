"""Policy: the one validated file of thresholds, and its form as tables of the build file.

What belongs here: reading, merging and validating policy, and writing it to schema ``policy`` for the models.
What doesn't: any rule that uses a threshold (those are models).
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.checks import CHECKS, Severity, checks_by_name
from orchestration.errors import ConfigurationError

DEFAULT_POLICY_FILE = Path(__file__).with_name("policy_default.yaml")

NonNegative = Field(ge=0)
Percent = Field(ge=0, le=100)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class OperatorPolicy(_Section):
    """Who counts as the operator besides entities of that type."""

    custodial_subsidiaries: list[str]
    own_venue_sources: list[str]


class CoveragePolicy(_Section):
    """How much must be held, and what may stand for what."""

    min_coverage: Decimal = NonNegative
    min_coverage_by_group: dict[str, Decimal]
    not_redeemable: list[str]
    parity_tolerance_pct: Decimal = Percent


class ReservesPolicy(_Section):
    """What makes a reserve eligible."""

    proof_days: dict[Literal["none", "signature", "custodian_letter", "bank_confirmation"], int]
    eligible_custody: list[Literal["hot", "cold", "custodian", "bank", "venue", "staked"]]


class DustPolicy(_Section):
    """Below what a balance is dust."""

    usd: Decimal = NonNegative
    unpriced_units: Decimal = NonNegative


class CollateralPolicy(_Section):
    """What collateral is worth."""

    haircut_pct: dict[Literal["fiat", "stablecoin", "crypto", "exchange_token", "tokenized", "other"], Decimal]
    maintenance_margin_pct: Decimal = Percent


class RelationPolicy(_Section):
    """When two entities are related."""

    ownership_threshold_pct: Decimal = Field(gt=0, le=100)
    shared_attribute_max_entities: int = Field(ge=2)


class PricesPolicy(_Section):
    """How old and how far apart prices may be."""

    max_age_hours: Decimal = NonNegative
    max_spread_pct: Decimal = NonNegative


class ReconciliationPolicy(_Section):
    """How far two sources may be apart."""

    engine_drift_usd: Decimal = NonNegative
    engine_drift_pct_of_liability: Decimal = Percent
    roll_forward_usd: Decimal = NonNegative
    reported_difference_pct: Decimal = Percent
    unmatched_transfer_days: int = NonNegative


class AffiliatesPolicy(_Section):
    """How much may be lent to affiliates, against what."""

    uncollateralised_pct_of_liabilities: Decimal = Percent
    own_token_collateral_pct: Decimal = Percent


class WindowDressingPolicy(_Section):
    """What in- and outflow around a snapshot is suspicious."""

    days: int = Field(ge=1)
    flow_pct_of_reserves: Decimal = Percent


class DrainedPolicy(_Section):
    """Which wallets are worth watching for draining."""

    held_pct_of_reserves: Decimal = Percent


class RevenuePolicy(_Section):
    """How much of reported revenue may be of doubtful quality."""

    backdating_grace_days: int = NonNegative
    backdated_pct_of_ledger: Decimal = Percent
    unsupported_pct_of_reported: Decimal = Percent
    affiliate_pct_of_reported: Decimal = Percent
    own_token_pct_of_reported: Decimal = Percent


class OwnTokenPolicy(_Section):
    """When a token is the group's own, and how it would sell."""

    concentration_pct: Decimal = Percent
    liquidation_participation_pct: Decimal = Percent
    liquidation_horizon_days: int = Field(ge=1)
    liquidation_impact_factor: Decimal = NonNegative


class LiquidityPolicy(_Section):
    """What must be at hand for withdrawals."""

    window_days: int = Field(ge=1)
    liquid_custody: list[Literal["hot", "cold", "custodian", "bank", "venue", "staked"]]


class CheckPolicy(_Section):
    """What policy changes about one check."""

    severity: Severity | None = None
    enabled: bool = True


class Policy(_Section):
    """The whole policy; every field of every section is documented in ``policy_default.yaml``."""

    operator: OperatorPolicy
    coverage: CoveragePolicy
    reserves: ReservesPolicy
    dust: DustPolicy
    collateral: CollateralPolicy
    relation: RelationPolicy
    prices: PricesPolicy
    reconciliation: ReconciliationPolicy
    affiliates: AffiliatesPolicy
    window_dressing: WindowDressingPolicy
    drained: DrainedPolicy
    revenue: RevenuePolicy
    own_token: OwnTokenPolicy
    liquidity: LiquidityPolicy
    checks: dict[str, CheckPolicy]

    @property
    def content_hash(self) -> str:
        """sha256 of the policy's canonical JSON; two files that mean the same have the same hash."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class _ExactLoader(yaml.SafeLoader):
    """Reads YAML floats as text, so that 0.1 reaches Decimal as written."""


def _exact_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(str(loader.construct_scalar(node)).replace("_", ""))


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _exact_number)


def _merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        both_maps = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both_maps else value
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_ExactLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"policy file {path} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, ArithmeticError) as error:
        raise ConfigurationError(f"policy file {path} is not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"policy file {path} must be a mapping of sections, like {DEFAULT_POLICY_FILE.name}")
    return content


def load_policy(path: Path | None = None) -> Policy:
    """Return the default policy with the settings of ``path`` in place of its own.

    Raises ConfigurationError, naming the setting, if the file can't be read, names an unknown setting or check, or
    holds a value out of range.
    """
    settings = _read(DEFAULT_POLICY_FILE)
    if path is not None:
        settings = _merge(settings, _read(path))
    try:
        policy = Policy.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"policy file {path}: {place}: {first['msg']}") from error
    unknown = sorted(set(policy.checks) - set(checks_by_name()))
    if unknown:
        raise ConfigurationError(f"policy file {path}: checks: no check is named {', '.join(unknown)}")
    return policy


def _scalars_and_items(policy: Policy) -> tuple[list[tuple[str, Decimal]], list[tuple[str, str, Decimal | None]]]:
    scalars: list[tuple[str, Decimal]] = []
    items: list[tuple[str, str, Decimal | None]] = []
    for section_name, section in policy:
        if section_name == "checks":
            continue
        for name, value in section:
            qualified = f"{section_name}.{name}"
            if isinstance(value, list):
                items.extend((qualified, item, None) for item in value)
            elif isinstance(value, dict):
                items.extend((qualified, key, Decimal(item)) for key, item in value.items())
            else:
                scalars.append((qualified, Decimal(value)))
    return scalars, items


def write_policy(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Replace the tables ``policy.setting``, ``policy.list_item`` and ``policy.check_setting`` by this policy.

    Settings are named ``section.name``. Lists have items without value, maps have items with one.
    """
    scalars, items = _scalars_and_items(policy)
    checks = []
    for check in CHECKS:
        override = policy.checks.get(check.name, CheckPolicy())
        checks.append((check.name, check.kind.value, (override.severity or check.severity).value, override.enabled))
    connection.execute("create schema if not exists policy")
    connection.execute("create or replace table policy.setting (name varchar primary key, value decimal(38,18))")
    connection.execute("create or replace table policy.list_item (name varchar, item varchar, value decimal(38,18))")
    connection.execute(
        "create or replace table policy.check_setting"
        " (check_name varchar primary key, kind varchar, severity varchar, is_enabled boolean)"
    )
    connection.executemany("insert into policy.setting values (?, ?)", scalars)
    if items:
        connection.executemany("insert into policy.list_item values (?, ?, ?)", items)
    connection.executemany("insert into policy.check_setting values (?, ?, ?, ?)", checks)
