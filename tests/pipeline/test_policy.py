"""The policy file: what it may say, and that a wrong one is refused in one line that names the setting."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import ConfigurationError
from orchestration.policy import load_policy, write_policy


def written(folder: Path, content: str | bytes) -> Path:
    """A policy file."""
    path = folder / "policy.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_holds_only_what_differs(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, "dust: {usd: 0.10}\nchecks: {prices_agree: {enabled: false}}\n"))
    assert policy.dust.usd == Decimal("0.10")
    assert policy.dust.unpriced_units == load_policy().dust.unpriced_units
    assert not policy.checks["prices_agree"].enabled


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path, "")) == load_policy()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("revenu: {backdating_grace_days: 10}", "revenu: no such setting"),
        ("revenue: {grace: 10}", "revenue.grace: no such setting"),
        ("revenue:", "revenue: must hold settings by name"),
        ("checks: {revenue_not_backdated: false}", "checks.revenue_not_backdated: must hold settings by name"),
        ("checks: {revenue_backdated: {enabled: false}}", "no check is named revenue_backdated"),
        ("checks: {check_disabled: {enabled: false}}", "no check is named check_disabled"),
        ("checks: {prices_agree: {severity: none}}", "checks.prices_agree.severity"),
        ("revenue: {affiliate_pct_of_reported: -1}", "revenue.affiliate_pct_of_reported"),
        ("revenue: {affiliate_pct_of_reported: 101}", "revenue.affiliate_pct_of_reported"),
        ("revenue: {affiliate_pct_of_reported: yes}", "revenue.affiliate_pct_of_reported"),
        ("revenue: {affiliate_pct_of_reported: .nan}", ".nan is not a number"),
        ("revenue: {backdating_grace_days: 9.5}", "revenue.backdating_grace_days"),
        ("coverage: {min_coverage_by_group: {BTC: -1}}", "coverage.min_coverage_by_group.BTC"),
        ("collateral: {haircut_pct: {fiat: 150}}", "collateral.haircut_pct.fiat"),
        ("reserves: {proof_days: {signature: -5}}", "reserves.proof_days.signature"),
        ("dust: {usd: 0.0000000000000000001}", "dust.usd"),
        ("dust: {usd: 1}\ndust: {usd: 1000000}", "dust is set twice"),
        ("dust: {usd: 1, usd: 2}", "usd is set twice"),
        ("- dust", "must be a mapping of sections"),
        ("dust: {usd", "not valid YAML"),
        (b"\xff\xfe", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, content: str | bytes, named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_policy(written(tmp_path, content))
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml can't be read"):
        load_policy(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("prices: {max_age: 36}", "prices.max_age: no such setting; did you mean max_age_hours"),
        ("price: {max_age_hours: 36}", "price: no such setting; did you mean prices"),
        (
            "checks: {prices_fresh: {enable: false}}",
            "checks.prices_fresh.enable: no such setting; did you mean enabled",
        ),
        ("checks: {price_fresh: {enabled: false}}", "no check is named price_fresh; did you mean prices_fresh"),
        ("checks: {check_disabled: {enabled: false}}", "it stays on, leave it out"),
        ("reconciliation: {roll_forward_usd: -1}", "greater than or equal to 0, not -1; correct it, or leave it out"),
        ("reserves: {eligible_custody: [hot, vault]}", "'hot', 'cold', 'custodian', 'bank', 'venue' or 'staked'"),
        ("reconciliation: {engine_drift_units_by_asset: {BTC: much}}", "engine_drift_units_by_asset.BTC: "),
        ("dust: {usd: yes}", "dust.usd: input should be a number, not True"),
        ("dust: {usd: 1}\ndust: {usd: 2}", "keep one of them"),
    ],
)
def test_a_refusal_names_the_file_the_key_and_the_remedy(tmp_path: Path, content: str, remedy: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(ConfigurationError) as refused:
        load_policy(file)
    assert str(refused.value).startswith(f"policy file {file}")
    assert remedy in str(refused.value)


def test_tolerances_by_asset_reach_the_models_as_written(tmp_path: Path) -> None:
    file = written(tmp_path, "reconciliation: {engine_drift_units_by_asset: {BTC: 0.00000001, USD: 5}}")
    with duckdb.connect(":memory:") as connection:
        write_policy(connection, load_policy(file))
        items = connection.execute(
            "select item, value from policy.list_item where name = 'reconciliation.engine_drift_units_by_asset'"
            " order by item"
        ).fetchall()
    assert items == [("BTC", Decimal("0.00000001")), ("USD", Decimal(5))]
