"""What a report says, against small exchanges whose figures are known by heart."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from orchestration.errors import ConfigurationError
from orchestration.keyed_hashes import process_hashing
from orchestration.report.content import ReportContent
from orchestration.report.findings import SHOWN_PER_CHECK
from orchestration.report.network import SHOWN_ENTITIES
from orchestration.report.texts import verdict_sentence
from tests.support.published import BTC, DAY, SOLVENCY
from tests.support.reported import (
    COVERED,
    FINDING,
    OPERATOR,
    RUN,
    WATERFALL,
    ReportedWarehouse,
    short_exchange,
)

COMPANY = {"entity_type": "company", "name": "Company"}
PERSON = {"entity_type": "person", "name": "Private Person"}


@pytest.fixture(scope="module")
def short() -> ReportContent:
    return short_exchange().content()


def links(content: ReportContent) -> set[tuple[str, str, str]]:
    return {(link["parent"], link["child"], link["kind"]) for link in content.network.links}


def hashed(entity: str) -> str:
    return f"entity {process_hashing().of(entity)}"


def test_the_verdict_on_a_short_exchange(short: ReportContent) -> None:
    assert short.day == DAY
    assert short.is_failed
    assert short.short_since == DAY - timedelta(days=1)
    assert verdict_sentence(short) == (
        "On 2026-03-04 the exchange could not hand every customer back what it owed: 140.00 USD short."
        " 1 critical finding stands."
    )


def test_a_day_is_asked_for_or_is_the_latest() -> None:
    warehouse = short_exchange()
    before = warehouse.content(DAY - timedelta(days=2))
    assert before.day == DAY - timedelta(days=2)
    assert before.short_since is None
    assert not before.is_failed
    assert [row["as_of_date"] for row in before.history] == [DAY - timedelta(days=3), DAY - timedelta(days=2)]
    with pytest.raises(
        ConfigurationError, match="2026-04-01 isn't in this warehouse; it holds 2026-03-01 to 2026-03-04"
    ):
        warehouse.content(date(2026, 4, 1))


def test_a_publication_of_an_older_version_is_refused_with_what_to_do() -> None:
    warehouse = short_exchange()
    warehouse.connection.execute("drop table marts.fct_affiliate_balance_daily")
    with pytest.raises(ConfigurationError, match=r"older version.*run its latest day again"):
        warehouse.content()


def test_a_shortfall_that_was_mended_counts_from_the_last_break() -> None:
    content = ReportedWarehouse().days([SOLVENCY, COVERED, SOLVENCY]).content()
    assert content.short_since == DAY


def test_an_exchange_without_anything_to_show() -> None:
    content = ReportedWarehouse().days([COVERED]).content()
    assert not content.is_failed
    assert content.short_since is None
    assert (content.revenue, content.coverage, content.exclusions, content.findings.checks) == ([], [], [], [])
    assert (content.stress.tokens, content.stress.steps, content.snapshot) == ([], [], None)
    assert (content.network.exposures, content.network.links) == ([], [])
    assert content.network.total["affiliates"] == 0
    assert verdict_sentence(content).endswith("could hand every customer back what it owed them, in kind.")


def test_an_exchange_with_an_asset_without_a_price_is_incomplete() -> None:
    warehouse = ReportedWarehouse().days([SOLVENCY | {"status": "incomplete", "unpriced_assets": 1}])
    warehouse.add("fct_reserve_coverage_daily", BTC | {"price_usd": None, "gap_usd": None})
    content = warehouse.content()
    assert content.is_failed
    assert "the picture is incomplete: 1 asset has no price. The shortfall in priced assets is 140.00" in (
        verdict_sentence(content)
    )


def step(content: ReportContent, factor: str) -> dict[str, Decimal | None]:
    (found,) = (row for row in content.stress.steps if row["price_factor"] == Decimal(factor))
    return found


def test_own_token_stress_at_the_days_price_is_the_published_day(short: ReportContent) -> None:
    published = ("customer_liabilities_usd", "eligible_reserves_usd", "coverage_ratio", "in_kind_shortfall_usd")
    assert {name: step(short, "1")[name] for name in published} == {name: short.solvency[name] for name in published}
    assert step(short, "1")["group_assets_usd"] == short.solvency["group_assets_usd"]
    assert step(short, "1")["affiliate_uncollateralised_usd"] == short.solvency["affiliate_uncollateralised_usd"]


def test_own_token_stress_by_hand(short: ReportContent) -> None:
    assert [str(row["price_factor"]) for row in short.stress.steps] == [
        *("1", "0.9", "0.8", "0.7", "0.6", "0.5", "0.4", "0.3", "0.2", "0.1", "0")
    ]
    half, nothing = step(short, "0.5"), step(short, "0")
    assert half["customer_liabilities_usd"] == Decimal("985.5")
    assert half["eligible_reserves_usd"] == Decimal("885.25")
    assert half["coverage_ratio"] == Decimal("0.898274987316")
    assert half["in_kind_shortfall_usd"] == 140
    assert half["group_assets_usd"] == 985
    # The account that owes 70 has own tokens that fetch 7: at half the price 3.5 of it are gone.
    assert half["affiliate_uncollateralised_usd"] == Decimal("63.5")
    assert nothing["customer_liabilities_usd"] == Decimal("970.5")
    assert nothing["eligible_reserves_usd"] == Decimal("870.25")
    assert nothing["affiliate_uncollateralised_usd"] == 67


def test_a_shortfall_in_own_tokens_shrinks_with_their_price() -> None:
    warehouse = short_exchange()
    change = warehouse.connection.execute
    change("update marts.fct_reserve_coverage_daily set gap_usd = -9 where is_own_token and as_of_date = ?", [DAY])
    assert step(warehouse.content(), "0.5")["in_kind_shortfall_usd"] == Decimal("144.5")


@pytest.mark.parametrize(
    ("debt", "at_full_price", "at_half", "at_nothing"),
    [
        # Covered by 10 of collateral, of which own tokens are 7; a surplus is nobody else's.
        ("value_usd = -9", "0", "2.5", "6"),
        # A debt in own tokens shrinks with what secures it.
        ("is_own_token = true", "60", "28.5", "0"),
        ("value_usd = null", "0", "0", "0"),
    ],
)
def test_exposure_under_stress_is_counted_account_by_account(
    debt: str, at_full_price: str, at_half: str, at_nothing: str
) -> None:
    warehouse = short_exchange()
    warehouse.connection.execute(f"update marts.fct_affiliate_balance_daily set {debt} where balance < 0")
    content = warehouse.content()
    exposures = [step(content, factor)["affiliate_uncollateralised_usd"] for factor in ("1", "0.5", "0")]
    assert exposures == [Decimal(at_full_price), Decimal(at_half), Decimal(at_nothing)]


def test_stress_of_an_exchange_that_owes_nothing_has_no_coverage() -> None:
    warehouse = ReportedWarehouse().days([COVERED | {"customer_liabilities_usd": "0", "coverage_ratio": None}])
    warehouse.add("fct_own_token_daily", {"asset": "XT", "reason": "issuer"})
    steps = warehouse.content().stress.steps
    assert len(steps) == 11
    assert {row["coverage_ratio"] for row in steps} == {None}


def test_stress_is_exact_for_amounts_that_no_float_holds() -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    warehouse.add("fct_own_token_daily", {"asset": "XT", "reason": "issuer"})
    owed = {"relation": "customer"}
    warehouse.add("fct_customer_liability_daily", {"asset": "USD", "liability_usd": "999999999999999.00000001"}, **owed)
    warehouse.add("fct_customer_liability_daily", {"asset": "XT", "liability_usd": "999999999999999.00000003"}, **owed)
    assert step(warehouse.content(), "0.1")["customer_liabilities_usd"] == Decimal("1099999999999998.900000013")


def test_the_network_names_companies_and_hashes_persons(short: ReportContent) -> None:
    founder = hashed("founder-secret-id")
    assert links(short) == {
        (founder, "holding", "ownership 80 %"),
        ("holding", "op", "ownership 90 %, control"),
        (founder, "fund", "ownership 100 %"),
    }
    by_key = {entity["entity"]: entity for entity in short.network.entities}
    assert set(by_key) == {founder, "holding", "fund", "op"}
    assert by_key[founder]["name"] is None
    assert by_key["op"]["name"] == "Operator Ltd"
    assert "ecret" not in repr(short.network)


def test_an_affiliate_in_the_network_is_found_among_the_findings_by_its_hash(short: ReportContent) -> None:
    (fund,) = (entity for entity in short.network.entities if entity["entity"] == "fund")
    assert fund["entity_hash"] == process_hashing().of("fund")
    assert short.network.exposures[0]["entity"] == "fund"
    assert short.network.exposures[0]["uncollateralised_usd"] == 60
    assert short.network.total == {
        "affiliates": 3,
        "with_accounts": 1,
        "gross_claims_usd": 25,
        "gross_borrowing_usd": 70,
        "uncollateralised_usd": 60,
    }


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("holder -> op", "a link of no kind"),
        ("stranger -> op (control)", "somebody who isn't known"),
        ("holder -> op (ownership 90 %) -> nobody (control)", "a part that can't be read"),
        ("holder -> op (gift)", "a kind that there isn't"),
        ("holder", "no link"),
        (None, "no path"),
    ],
)
def test_a_path_that_can_t_be_read_beyond_doubt_is_a_link_by_its_rule(path: str | None, why: str) -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    warehouse.entity(OPERATOR, "operator")
    warehouse.entity({"entity_id": "holder", **COMPANY}, "affiliate", "shareholder_of_operator", path)
    assert links(warehouse.content()) == {("holder", "op", "shareholder of operator")}, why


def test_a_customer_on_a_path_is_a_hash_even_if_a_company() -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    warehouse.entity(OPERATOR, "operator")
    warehouse.entity({"entity_id": "client", **COMPANY}, "customer")
    warehouse.entity({"entity_id": "cousin", **PERSON}, "affiliate", "family", "client -> cousin (family)")
    assert links(warehouse.content()) == {(hashed("client"), hashed("cousin"), "family")}


def test_relations_of_other_days_are_none() -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    warehouse.entity({"entity_id": "former", **COMPANY}, "affiliate", "director")
    warehouse.connection.execute("update marts.dim_entity_relation set to_date = ?", [DAY])
    assert warehouse.content().network.total["affiliates"] == 0


def test_a_large_network_shows_the_largest_exposures_and_counts_the_others() -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    warehouse.entity(OPERATOR, "operator")
    for number in range(SHOWN_ENTITIES + 5):
        entity = {"entity_id": f"firm-{number:02d}", **COMPANY}
        warehouse.entity(entity, "affiliate", "director", f"firm-{number:02d} -> op (ownership 21 %)")
        owing = {"entity_id": entity["entity_id"], "gross_borrowing_usd": number, "uncollateralised_usd": number}
        warehouse.add("fct_affiliate_exposure_daily", owing)
    network = warehouse.content().network
    assert [row["entity"] for row in network.exposures][:2] == ["firm-28", "firm-27"]
    assert (len(network.exposures), network.left_out) == (SHOWN_ENTITIES, 5)
    assert network.total["gross_borrowing_usd"] == sum(range(SHOWN_ENTITIES + 5))


def test_the_waterfall_is_of_months_reported_up_to_the_day() -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    later, silent = {"month": date(2026, 4, 1)}, {"month": date(2026, 1, 1), "reported_usd": None}
    warehouse.add("fct_token_adjusted_revenue_monthly", WATERFALL, WATERFALL | later, WATERFALL | silent)
    (month,) = warehouse.content().revenue
    steps = ("unsupported_usd", "backdated_usd", "affiliate_usd", "own_token_haircut_usd")
    assert month["month"] == date(2026, 2, 1)
    assert month["reported_usd"] - sum(month[step] for step in steps) == month["token_adjusted_revenue_usd"]


def test_a_dressed_snapshot_stays_dressed_when_its_window_moves_on(short: ReportContent) -> None:
    assert short.snapshot is not None
    assert (short.snapshot.day, short.snapshot.window_days, short.snapshot.limit_pct) == (date(2026, 3, 1), 3, 5)
    (flow,) = short.snapshot.flows
    assert (flow["is_window_dressed"], flow["outflow_since"]) == (True, Decimal("0.0035"))
    assert [row["as_of_date"] for row in short.snapshot.reserves] == [
        date(2026, 2, 28) + timedelta(n) for n in range(5)
    ]


def test_snapshots_before_the_latest_are_listed_if_they_were_dressed() -> None:
    warehouse = short_exchange()
    warehouse.add(
        "fct_snapshot_flow_daily",
        {"in_kind_group": "BTC", "snapshot_at": datetime(2026, 3, 4), "snapshot_date": date(2026, 3, 3)},
        eligible_reserves="1",
        is_window_dressed=False,
    )
    snapshot = warehouse.content().snapshot
    assert snapshot is not None
    assert snapshot.day == date(2026, 3, 3)
    assert snapshot.earlier == [{"snapshot_date": date(2026, 3, 1), "in_kind_group": "BTC", "seen_on": DAY}]


def test_of_ten_thousand_findings_the_largest_of_each_check_are_shown() -> None:
    warehouse = short_exchange()
    warehouse.connection.execute(
        "insert into audit.finding by name select f.* replace (number as impact_usd, 'account' as subject_type,"
        " 'no_negative_balance' as check_name, 'customer-' || number as subject_id)"
        " from audit.finding as f, range(10000) as r(number)"
    )
    findings = warehouse.content().findings
    assert (findings.total, findings.critical) == (10_001, 10_001)
    largest, other = findings.checks
    assert (largest.findings, len(largest.rows), largest.left_out) == (
        10_000,
        SHOWN_PER_CHECK,
        10_000 - SHOWN_PER_CHECK,
    )
    assert [row["impact_usd"] for row in largest.rows][:3] == [9999, 9998, 9997]
    assert len(warehouse.connection.execute(largest.query).fetchall()) == 10_000
    assert other.left_out == 0


def test_a_finding_about_somebody_names_nobody_and_another_shows_its_evidence(short: ReportContent) -> None:
    warehouse = short_exchange()
    about = {"check_name": "no_negative_balance", "subject_type": "account", "subject_id": "account-secret"}
    said = {"message": "Account account-secret owes.", "observed": "account-secret", "evidence": "account-secret"}
    warehouse.add("audit.finding", FINDING | about | said)
    content = warehouse.content()
    assert "account-secret" not in repr(content.findings)
    assert f"account {process_hashing().of('account-secret')}" in repr(content.findings)
    (row,) = short.findings.checks[0].rows
    assert (row["message"], row["evidence"]) == (FINDING["message"], FINDING["evidence"])


def test_sources_say_how_far_behind_they_are() -> None:
    warehouse = ReportedWarehouse().days([COVERED])
    load = {"run_id": "run-1", "load_number": 2, "sha256": "1", "rows": 3, "bytes": 1, "modified_ns": 1}
    prices = load | {"table_name": "token_prices", "source_file": "p", "partition_date": DAY - timedelta(days=2)}
    late = {"outcome": "refused", "partition_date": DAY, "source_file": "q"}
    warehouse.add("audit.load", prices | {"outcome": "accepted"}, prices | late)
    warehouse.add("audit.load", load | {"table_name": "accounts", "source_file": "a", "outcome": "accepted"})
    rows = {row["table_name"]: (row["due"], row["last_day"], row["days_behind"]) for row in warehouse.content().sources}
    assert rows == {
        "accounts": ("reference", None, None),
        "ledger_entries": ("daily", DAY, 0),
        "token_prices": ("daily", DAY - timedelta(days=2), 2),
    }


def test_the_hash_of_inputs_is_of_files_and_not_of_runs() -> None:
    first, again, other = ReportedWarehouse(), ReportedWarehouse(), ReportedWarehouse()
    for warehouse in (first, again, other):
        warehouse.days([COVERED])
    again.add("audit.run", RUN | {"run_id": "run-2"})
    again.connection.execute("insert into audit.load select * replace ('run-2' as run_id) from audit.load")
    other.connection.execute("update audit.load set sha256 = 'ff'")
    assert first.content().inputs_hash == again.content().inputs_hash != other.content().inputs_hash
