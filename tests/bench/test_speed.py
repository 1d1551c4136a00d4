"""The speed benchmark: contenders compute the same, commands are measured, and what comes out is complete."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.bench.exchange import scratch_settings
from orchestration.bench.speed import agreement, comparison
from orchestration.bench.speed.benchmark import SpeedPlan, SpeedResults
from orchestration.bench.speed.bulk_market import FIRST_DATE
from orchestration.bench.speed.comparison import Comparison, Conditions, Entrant, FixedCost, new_pipeline
from orchestration.bench.speed.contenders import CONTENDERS, Contender
from orchestration.bench.speed.curves import Curve
from orchestration.bench.speed.generator import Generated, Size, generate
from orchestration.bench.speed.history import History, HistoryCurve
from orchestration.bench.speed.machine import this_machine
from orchestration.bench.speed.measuring import Measured, run_measured
from orchestration.bench.speed.output import text_lines, write_results
from orchestration.bench.speed.pipeline_run import STARTING, PipelineRun, stages_of
from orchestration.contract import TABLES
from orchestration.errors import ConfigurationError
from orchestration.landing import accept, load_table
from orchestration.pipeline.steps import prepare_run
from orchestration.settings import Settings, checked_memory_limit
from orchestration.warehouse.build_file import build_connection
from orchestration.warehouse.compiled import build_models

SMALL = Size(entries=3_000, accounts=60, days=4, seed=5)
JVM_STARTS_TOO_SLOWLY_FOR_A_TEST = {"pyspark_local"}


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(SMALL, tmp_path_factory.mktemp("speed") / "landing").folder


def run_script(contender: Contender, landing: Path, out: Path) -> Path:
    out.mkdir()
    subprocess.run([sys.executable, "-m", contender.module, str(landing), str(out)], check=True)
    return out


def modelled_liabilities(settings: Settings) -> agreement.Figures:
    """The mart's customer liabilities, built from the landing zone without what they don't need."""
    prepare_run(settings, "only", FIRST_DATE, SMALL.last_date)
    with build_connection(settings.paths.build_file) as connection:
        for table in TABLES:
            load_table(connection, settings.landing, table, SMALL.last_date, "only")
        accept(connection, "only")
        build_models(connection, ["fct_customer_liability_daily"])
        rows = connection.execute(
            "select as_of_date, asset, liability from marts.fct_customer_liability_daily where relation = 'customer'"
        ).fetchall()
    return agreement.figures(rows)


def test_contenders_and_the_models_compute_the_same(landing: Path, tmp_path: Path) -> None:
    models = modelled_liabilities(scratch_settings(landing, tmp_path / "warehouse"))
    for contender in CONTENDERS:
        if contender.missing() is None and contender.name not in JVM_STARTS_TOO_SLOWLY_FOR_A_TEST:
            out = run_script(contender, landing, tmp_path / contender.name)
            computed = agreement.read_figures(out / "liability.csv")
            assert computed is not None
            assert agreement.difference(models, computed, is_exact=contender.is_exact) is None
            assert json.loads((out / "steps.json").read_text())["liabilities"] > 0


def test_a_wrong_figure_is_named_and_floats_have_their_tolerance() -> None:
    exact = {("2021-11-01", "USD"): (Decimal(1_000_000),), ("2021-11-02", "USD"): (Decimal(0),)}
    close = {("2021-11-01", "USD"): (Decimal("1000000.0001"),)}
    assert agreement.difference(exact, close, is_exact=False) is None
    assert agreement.difference(exact, close, is_exact=True) == "USD on 2021-11-01: 1000000.0001 instead of 1000000"
    assert agreement.difference(exact, {}, is_exact=False) == "USD on 2021-11-01: 0 instead of 1000000"
    assert agreement.difference({}, {}, is_exact=True) == "nothing was computed"


def test_a_command_is_measured_with_what_it_starts() -> None:
    grandchild = "import sys; held = bytearray(60_000_000); held[::4096] = b'x' * len(held[::4096]); sys.stdin.read()"
    script = (
        "import subprocess, sys, time;"
        f"child = subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdin=subprocess.PIPE);"
        "print('one ...', file=sys.stderr, flush=True); time.sleep(1); child.communicate(b'')"
    )
    measured = run_measured([sys.executable, "-c", script], environment=None, timeout=60)
    assert measured.error is None
    assert measured.seconds >= 1
    assert measured.peak_bytes > 60_000_000
    assert [text for _, text in measured.lines] == ["one ..."]


def test_a_command_that_fails_or_lasts_too_long_says_so() -> None:
    failed = run_measured([sys.executable, "-c", "raise SystemExit('no luck')"], environment=None, timeout=60)
    assert failed.error == "exit status 1: no luck"
    # Where the tests run in the background, the signal that asks a command to end may be ignored from birth.
    heeding = "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); time.sleep(60)"
    endless = run_measured([sys.executable, "-c", heeding], environment=None, timeout=1.5)
    assert endless.error is not None
    assert endless.error.startswith("stopped after")
    killed = Measured(1.0, 1.0, 1, -signal.SIGKILL, ())
    assert killed.error == "killed, most likely for want of memory"


def test_stages_follow_from_the_lines_of_a_run() -> None:
    lines = ((2.0, "loading ..."), (2.5, "a warning"), (5.0, "building ..."))
    assert stages_of(Measured(9.0, 8.0, 1, 0, lines)) == ((STARTING, 2.0), ("loading", 3.0), ("building", 4.0))


def test_curves_vary_one_thing() -> None:
    def sizes(curve: Curve, *points: int) -> list[Size]:
        return SpeedPlan(SMALL, curve, points).sizes()

    assert [size.entries for size in sizes(Curve.ENTRIES, 100, 200)] == [100, 200]
    assert {size.accounts for size in sizes(Curve.ENTRIES, 100, 200)} == {60}
    assert [size.accounts for size in sizes(Curve.ACCOUNTS, 20, 40)] == [20, 40]
    assert SpeedPlan(SMALL, Curve.DAYS).lengths() == [30, 365]
    assert SpeedPlan(SMALL).sizes() == [SMALL]


@pytest.mark.parametrize("text", ["6", "GB", "-1GB", "80%"])
def test_a_memory_limit_that_is_none_is_refused(text: str) -> None:
    assert checked_memory_limit("6GB") == "6GB"
    with pytest.raises(ConfigurationError, match="write e"):
        checked_memory_limit(text)


def test_time_for_rounds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(second) for second in range(0, 10_000, 60))
    monkeypatch.setattr(comparison.time, "monotonic", lambda: next(clock))
    assert list(comparison.rounds(Conditions(rounds=10, minutes=4))) == [0, 1, 2, 3]
    assert list(comparison.rounds(Conditions(rounds=10, minutes=0))) == [0]


def entrant(name: str, seconds: float, fixed: float, trouble: str | None = None) -> Entrant:
    run = Measured(seconds, seconds, 2_000_000, 0, ())
    return Entrant(name, "as described", fixed, [run], [{"load": seconds}], trouble)


def results() -> SpeedResults:
    pipeline = new_pipeline()
    comparison.add_run(pipeline, PipelineRun(Measured(10.0, 10.0, 1, 0, ()), ((STARTING, 4.0), ("building", 6.0))))
    generated = Generated(
        Path("landing"), {"ledger_entries": 1000, "balance_snapshots": 5, "wallet_transfers": 3}, 9, 1.0
    )
    entrants = [entrant("bare", 5, 1), entrant("ringfence", 22, 10), entrant("polars_script", 1, 1, "not installed")]
    compared = Comparison(SMALL, generated, entrants, 7_000_000, [("int_a", 2.0)])
    histories = [
        History(30, pipeline, entrant("ringfence", 12, 10)),
        History(365, pipeline, entrant("ringfence", 13, 10)),
    ]
    curve = HistoryCurve(60, 750, generated, 10.0, histories)
    fixed = FixedCost(pipeline, pipeline, {})
    return SpeedResults(SpeedPlan(SMALL, Curve.ENTRIES), this_machine(), fixed, [("dagster", 0.8)], [compared], curve)


def test_ratios_are_shown_with_and_without_the_fixed_cost(tmp_path: Path) -> None:
    lines = text_lines(results())
    row = next(line for line in lines if line.startswith("| ringfence"))
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == [
        "22.0", "22.0", "12.0", "45", "2", "4.40", "3.00", "1",
    ]  # fmt: skip
    assert any("polars_script: not installed" in line for line in lines)
    assert not any(line.startswith("| polars_script") for line in lines)
    last = next(line for line in lines if line.startswith("| 365 "))
    assert [cell.strip() for cell in last.strip("|").split("|")][3:5] == ["3.0", "1.50"]
    markdown, figures = write_results(tmp_path, results())
    assert markdown.name == "speed-entries.md"
    content = json.loads(figures.read_text())
    assert content["machine"]["cores"] >= 1
    assert content["comparisons"][0]["entrants"][1]["median_seconds"] == 22
    assert content["history"]["lengths"][1]["increment"]["fixed_seconds"] == 10
