"""Every check is explained so that an auditor can work with it, and the explanation shows the policy in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from orchestration.checks import CHECK_DISABLED, CHECKS, Check, checks_by_name
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.policy import Policy, default_entries, policy_of_file
from orchestration.reading import explanation
from orchestration.reading.explanation import REFERENCES_FILE, explanation_lines, find_check, read_explanation
from orchestration.settings import DBT_PROJECT

EXPLAINED = (*CHECKS, CHECK_DISABLED)
SETTINGS = {f"{section}.{name}" for section, part in Policy.model_fields.items() if section != "checks"
            for name in part.annotation.model_fields}  # fmt: skip


def finding_model(check: Check) -> str:
    path = DBT_PROJECT / "models" / "findings" / check.kind.value / f"{check.name}.sql"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("check", EXPLAINED, ids=lambda check: check.name)
def test_every_check_has_every_part_of_an_explanation(check: Check) -> None:
    said = read_explanation(check)
    parts = (said.rule, said.why, said.prevents, said.when_it_fires)
    assert all(len(part.split()) >= 8 and part.endswith(".") for part in parts), parts
    assert len(said.sources) >= 2
    assert all(source.document and source.says for source in said.sources)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_rule_names_the_thresholds_that_its_model_reads(check: Check) -> None:
    said = read_explanation(check)
    used = set(re.findall(r"policy(?:_items)?\('([a-z_.]+)'\)", finding_model(check)))
    assert used <= set(said.settings)
    assert set(said.settings) <= SETTINGS


def test_every_setting_of_policy_is_named_by_a_rule() -> None:
    named = {name for check in CHECKS for name in read_explanation(check).settings}
    assert named == SETTINGS


def test_every_reference_is_used_and_says_where_to_find_it() -> None:
    references = yaml.safe_load(REFERENCES_FILE.read_text(encoding="utf-8"))
    explained = [read_explanation(check) for check in EXPLAINED]
    used = {part.document for said in explained for part in (*said.sources, *said.rules)}
    assert used == set(references.values())


def test_rules_that_a_check_answers_to_are_shown_and_none_is_made_up() -> None:
    answering = read_explanation(checks_by_name()["customer_funds_segregated"])
    text = " ".join(" ".join(explanation_lines(answering, policy_of_file(None))).split())
    for rule in answering.rules:
        assert f"- {rule.at}: {' '.join(rule.computed.split())}" in text
    silent = read_explanation(checks_by_name()["prices_agree"])
    assert silent.rules == ()
    assert "answers to" not in "\n".join(explanation_lines(silent, policy_of_file(None)))


def test_a_check_that_says_nothing_of_rules_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check = checks_by_name()["prices_agree"]
    path, said = explanation._stated(check)
    monkeypatch.setattr(explanation, "_stated", lambda _: (path, {"explanation": said["explanation"]}))
    with pytest.raises(RingfenceError, match=r"prices_agree\.yml: the explanation lacks 'rules'"):
        read_explanation(check)


def test_the_policy_in_force_is_filled_in_and_what_it_changes_shows(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("prices: {max_age_hours: 48}\nchecks: {prices_fresh: {severity: warning}}")
    text = "\n".join(explanation_lines(read_explanation(checks_by_name()["prices_fresh"]), policy_of_file(file)))
    assert "at most 48 (default 36) hours old" in text
    assert text.startswith("prices_fresh: reconciliation, warning (default critical)")
    assert "{" not in text


def test_a_check_that_is_switched_off_says_so(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("checks: {prices_agree: {enabled: false}}")
    lines = list(explanation_lines(read_explanation(checks_by_name()["prices_agree"]), policy_of_file(file)))
    assert lines[0] == "prices_agree: reconciliation, disabled (default warning)"


def test_default_lists_and_maps_read_as_text() -> None:
    policy = policy_of_file(None)
    assert policy.setting("reserves.eligible_custody") == "bank, cold, custodian, hot"
    assert policy.setting("reserves.proof_days").startswith("bank_confirmation 92, custodian_letter 92, none 0")
    assert policy.setting("coverage.min_coverage_by_group") == "none"
    assert policy.entries == default_entries()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("no_negative_balances", "did you mean no_negative_balance or"),
        ("window", "did you mean reserves_not_window_dressed"),
        ("zzz", "the checks are affiliate_collateral_quality, "),
    ],
)
def test_an_unknown_check_names_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        find_check(name)
