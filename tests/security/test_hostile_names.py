"""Names that were made to be taken for something else: for SQL, for patterns of files, for another line or direction.

Accounts, entities, assets, wallets, venues, references and files bear them; what is found is what is found in the same
exchange with decent names, and the evidence of each finding leads to its rows.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.bench.exchange import judge_run
from orchestration.settings import Settings
from tests.security.canaries import BAD, NAMES, canary_exchange
from tests.support.small_exchange import Tables, write_landing

HOSTILE = {
    NAMES["c1"]: "o'brien'; drop table raw.accounts; --",
    NAMES["c1-spot"]: "a\"; select * from read_csv('/etc/passwd')\u202e --",
    NAMES["c2"]: "=cmd|'/c calc'!A1",
    NAMES["c2-margin"]: "<script>alert(1)</script>&amp; *bold* [link](http://example.org)",
    NAMES["c3"]: "$date $subject $asset {{ var('x') }} %s {0}",
    NAMES["c3-spot"]: "x" * 3000 + "'",
    "mm": "m'm\\",
    "BTC": "B'TC\";--",
    "w-btc-hot": "w'/../../*?[a-z]",
    "alpha": "al'pha|beta",
}
FILE = "it's [a-z]*?; drop {table} \n\u202e$1.csv"


def renamed(tables: Tables) -> None:
    for rows in tables.values():
        for row in rows:
            for column, value in row.items():
                if value in HOSTILE and column != "label":
                    row[column] = HOSTILE[value]


def found_with_decent_names() -> set[tuple[str, date, str, str | None]]:
    """What is wrong in the exchange, by check, day, subject and asset, whatever they are called."""
    days = [date(2022, 1, number) for number in (1, 2, 3)]
    return {
        ("deposits_withdrawals_match", days[-1], "buchungssatz77-withdrawal-1", "XT"),
        ("ledger_matches_engine", days[-1], NAMES["c3-spot"], "USDC"),
        ("ledger_matches_engine", days[-1], "USDC", "USDC"),
        ("no_negative_balance", days[-1], NAMES["c1-spot"], "USD"),
        ("no_negative_balance", days[-1], "mm-spot", "BTC"),
        *(("undeclared_affiliates", day, NAMES[name], None) for day in days for name in ("c1", "c2")),
    }


@pytest.fixture(scope="module")
def build_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    books = canary_exchange()
    books.afterwards.append(renamed)
    folder = tmp_path_factory.mktemp("hostile")
    landing = write_landing(books, folder / "landing")
    for number, path in enumerate(sorted(landing.rglob("rows.csv"))):
        path.rename(path.with_name(f"{number}{FILE}"))
    settings = Settings(landing, folder / "warehouse")
    judgement = judge_run(settings, "hostile", date.fromisoformat(BAD), date.fromisoformat(BAD))
    assert judgement.refusal is None, judgement.refusal
    expected = {tuple(HOSTILE.get(str(part), part) for part in finding) for finding in found_with_decent_names()}
    assert set(judgement.findings) == expected
    return settings.paths.build_file


def test_nothing_else_is_found_and_nothing_less(build_file: Path) -> None:
    with duckdb.connect(str(build_file), read_only=True) as connection:
        files = connection.execute("select count(distinct source_file) from audit.load where source_file like '%drop%'")
        assert files.fetchall()[0][0] > 10
        rows = connection.execute("select count(*) from raw.accounts").fetchall()
    assert rows == [(8,)]


def test_the_evidence_of_each_finding_leads_to_its_rows(build_file: Path) -> None:
    with duckdb.connect(str(build_file), read_only=True) as connection:
        findings = connection.execute("select check_name, subject_id, evidence from checked.finding").fetchall()
        assert {subject for _, subject, _ in findings} >= {HOSTILE[NAMES["c1"]], HOSTILE[NAMES["c3-spot"]]}
        for name, _, evidence in findings:
            assert len(connection.extract_statements(evidence)) == 1, name
            if "audit." not in evidence:  # what a whole run records isn't there
                assert connection.execute(evidence).fetchall(), (name, evidence[:200])
