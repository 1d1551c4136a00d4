"""Policy: the one validated file of thresholds, and its form as tables of the build file.

What belongs here: reading, merging and validating policy, and writing it to schema ``policy`` for the models.
What doesn't: any rule that uses a threshold (those are models).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestration.checks import CHECK_DISABLED, CHECKS, Check, Severity, checks_by_name
from orchestration.errors import ConfigurationError

DEFAULT_POLICY_FILE = Path(__file__).with_name("policy_default.yaml")


def _no_truth_value(value: Any) -> Any:
    """YAML reads yes, no, on and off as truth values, and those would pass for the numbers 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("Input should be a number")
    return value


_Number = BeforeValidator(_no_truth_value)
Amount = Annotated[Decimal, _Number, Field(ge=0, max_digits=38, decimal_places=18)]
Percentage = Annotated[Decimal, _Number, Field(ge=0, le=100, max_digits=38, decimal_places=18)]
Days = Annotated[int, _Number, Field(ge=0, le=36_500)]
Custody = Literal["hot", "cold", "custodian", "bank", "venue", "staked"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class OperatorPolicy(_Section):
    """Who counts as the operator besides entities of that type."""

    custodial_subsidiaries: list[str]
    own_venue_sources: list[str]


class CoveragePolicy(_Section):
    """How much must be held, and what may stand for what."""

    min_coverage: Amount
    min_coverage_by_group: dict[str, Amount]
    not_redeemable: list[str]
    parity_tolerance_pct: Percentage


class ReservesPolicy(_Section):
    """What makes a reserve eligible."""

    proof_days: dict[Literal["none", "signature", "custodian_letter", "bank_confirmation"], Days]
    eligible_custody: list[Custody]


class DustPolicy(_Section):
    """Below what a balance is dust."""

    usd: Amount
    unpriced_units: Amount


class CollateralPolicy(_Section):
    """What collateral is worth."""

    haircut_pct: dict[Literal["fiat", "stablecoin", "crypto", "exchange_token", "tokenized", "other"], Percentage]
    maintenance_margin_pct: Percentage


class RelationPolicy(_Section):
    """When two entities are related."""

    ownership_threshold_pct: Annotated[Percentage, Field(gt=0)]
    shared_attribute_max_entities: Annotated[int, _Number, Field(ge=2)]


class PricesPolicy(_Section):
    """How old and how far apart prices may be."""

    max_age_hours: Amount
    max_spread_pct: Amount


class ReconciliationPolicy(_Section):
    """How far two sources may be apart."""

    engine_drift_usd: Amount
    engine_drift_units_by_asset: dict[str, Amount]
    engine_drift_pct_of_liability: Percentage
    roll_forward_usd: Amount
    roll_forward_units_by_asset: dict[str, Amount]
    reported_difference_pct: Percentage
    unmatched_transfer_days: Days


class AffiliatesPolicy(_Section):
    """How much may be lent to affiliates, against what."""

    uncollateralised_pct_of_liabilities: Percentage
    own_token_collateral_pct: Percentage


class WindowDressingPolicy(_Section):
    """What in- and outflow around a snapshot is suspicious."""

    days: Annotated[Days, Field(ge=1)]
    flow_pct_of_reserves: Percentage


class DrainedPolicy(_Section):
    """Which wallets are worth watching for draining."""

    held_pct_of_reserves: Percentage


class RevenuePolicy(_Section):
    """How much of reported revenue may be of doubtful quality."""

    backdating_grace_days: Days
    backdated_pct_of_ledger: Percentage
    unsupported_pct_of_reported: Percentage
    affiliate_pct_of_reported: Percentage
    own_token_pct_of_reported: Percentage


class OwnTokenPolicy(_Section):
    """When a token is the group's own, and how it would sell."""

    concentration_pct: Percentage
    liquidation_participation_pct: Percentage
    liquidation_horizon_days: Annotated[Days, Field(ge=1)]
    liquidation_impact_factor: Amount


class LiquidityPolicy(_Section):
    """What must be at hand for withdrawals."""

    window_days: Annotated[Days, Field(ge=1)]
    liquid_custody: list[Custody]


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
    """Reads YAML floats as text, so that 0.1 reaches Decimal as written, and takes no setting twice."""


def _exact_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node))
    try:
        return Decimal(text.replace("_", ""))
    except ArithmeticError as error:
        raise yaml.constructor.ConstructorError(None, None, f"{text} is not a number", node.start_mark) from error


def _mapping_without_repetition(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    names = [loader.construct_object(key) for key, _ in node.value]
    repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if repeated is not None:
        raise yaml.constructor.ConstructorError(
            None, None, f"{repeated} is set twice; keep one of them", node.start_mark
        )
    return loader.construct_mapping(node, deep=True)


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _exact_number)
_ExactLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repetition)


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
        raise ConfigurationError(f"policy file {path} can't be read: {error.strerror}; check --policy") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"policy file {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"policy file {path} must be a mapping of sections, like {DEFAULT_POLICY_FILE.name}")
    return content


def _nearest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, tuple(names), n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"what there is stands in {DEFAULT_POLICY_FILE.name}"


def _known_keys(settings: Mapping[str, Any], place: tuple[str | int, ...]) -> list[str]:
    """Keys that the default policy has where an unknown one was found."""
    for part in place[:-1]:
        settings = settings.get(str(part), {})
    return list(settings) or list(CheckPolicy.model_fields)


_IN_OUR_WORDS = {"model_type": "must hold settings by name", "dict_type": "must hold settings by name"}


def _refused(path: Path, error: ValidationError) -> ConfigurationError:
    """The first thing wrong with a policy file: file, key, what is wrong, and what to do about it."""
    first, number = error.errors()[0], error.error_count()
    place = tuple(part for part in first["loc"] if part != "[key]")
    key, found = ".".join(str(part) for part in place), first["input"]
    defaults = _read(DEFAULT_POLICY_FILE)
    if first["type"] == "extra_forbidden":
        reason = f"no such setting; {_nearest(str(place[-1]), _known_keys(defaults, place))}"
    else:
        wanted = _IN_OUR_WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
        wanted = wanted[:1].lower() + wanted[1:]
        reason = f"{wanted}, not {found!s}; correct it, or leave it out to keep the default"
    more = f" (and {number - 1} more)" if number > 1 else ""
    return ConfigurationError(f"policy file {path}: {key}: {reason}{more}")


def load_policy(path: Path | None = None) -> Policy:
    """Return the default policy with the settings of ``path`` in place of its own.

    Raises ConfigurationError, naming the file, the setting and the remedy, if the file can't be read, names an unknown
    setting or check or the same one twice, or holds a value out of range.
    """
    settings = _read(DEFAULT_POLICY_FILE)
    if path is not None:
        settings = _merge(settings, _read(path))
    try:
        policy = Policy.model_validate(settings)
    except ValidationError as error:
        raise _refused(path or DEFAULT_POLICY_FILE, error) from error
    for name in sorted(set(policy.checks) - set(checks_by_name())):
        remedy = "it stays on, leave it out" if name == CHECK_DISABLED.name else _nearest(name, checks_by_name())
        raise ConfigurationError(f"policy file {path}: checks: no check is named {name}; {remedy}")
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


def _check_settings(policy: Policy) -> list[tuple[str, str, str, bool]]:
    """Name, kind, severity and whether it is enabled, of every check."""
    settings = []
    for check in CHECKS:
        override = policy.checks.get(check.name, CheckPolicy())
        settings.append((check.name, check.kind.value, (override.severity or check.severity).value, override.enabled))
    return settings


def write_policy(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Replace the tables ``policy.setting``, ``policy.list_item`` and ``policy.check_setting`` by this policy.

    Settings are named ``section.name``. Lists have items without value, maps have items with one.
    """
    scalars, items = _scalars_and_items(policy)
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
    connection.executemany("insert into policy.check_setting values (?, ?, ?, ?)", _check_settings(policy))


def _exact_text(value: Decimal | None) -> str | None:
    """A value with the 18 places that the models see, so that texts are equal where values are."""
    return None if value is None else format(value.quantize(Decimal("1e-18")), "f")


def _short_text(text: str) -> str:
    """The same for people: without trailing zeros."""
    return text.rstrip("0").rstrip(".") if "." in text else text


Entry = tuple[str, str | None, str | None]
"""One line of a policy: the setting as section.name or checks.check_name, an item of it, and its value as text."""


def policy_entries(policy: Policy) -> list[Entry]:
    """The whole policy line by line: scalar settings, items of lists and maps, severity and switch of each check."""
    scalars, items = _scalars_and_items(policy)
    entries: list[Entry] = [(name, None, _exact_text(value)) for name, value in scalars]
    entries += [(name, item, _exact_text(value)) for name, item, value in items]
    for name, _, severity, is_enabled in _check_settings(policy):
        entries += [(f"checks.{name}", "severity", severity), (f"checks.{name}", "enabled", str(is_enabled).lower())]
    return entries


@cache
def default_entries() -> frozenset[Entry]:
    """The default policy line by line."""
    return frozenset(policy_entries(load_policy()))


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy as people read it, of a file or of a run that was made with it. ``origin`` says where it comes from."""

    origin: str
    entries: frozenset[Entry]

    def _text(self, name: str, entries: Iterable[Entry]) -> str:
        found = sorted((item or "", _short_text(value or "")) for key, item, value in entries if key == name)
        return ", ".join(" ".join(part for part in pair if part) for pair in found) or "none"

    def setting(self, name: str) -> str:
        """A setting's value; the items of a list or map, or the word none; and the default if it is another."""
        mine, default = self._text(name, self.entries), self._text(name, default_entries())
        return mine if mine == default else f"{mine} (default {default})"

    def check_state(self, check: Check) -> str:
        """The severity that policy gives a check, or that it is disabled; and the default if it is another."""
        values = {item: value for name, item, value in self.entries if name == f"checks.{check.name}"}
        if values.get("enabled", "true") != "true":
            return f"disabled (default {check.severity})"
        severity = values.get("severity") or check.severity.value
        return severity if severity == check.severity else f"{severity} (default {check.severity})"


def policy_of_file(path: Path | None) -> PolicyInForce:
    """The policy that a run with ``path`` would be made with. Raises ConfigurationError if the file is wrong."""
    origin = "the default" if path is None else f"{path}, and the default for what it leaves out"
    return PolicyInForce(origin, frozenset(policy_entries(load_policy(path))))
