"""Writing a report: which format, which day, and what happens if it can't be written or printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration import cli
from orchestration.errors import ConfigurationError
from orchestration.report import printing
from orchestration.report.formats import ReportFormat, format_of
from orchestration.report.printing import BROWSERS, PrintingError, found_browser, printed
from orchestration.settings import WarehousePaths
from tests.support.published import DAY
from tests.support.reported import short_exchange


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warehouse")
    exchange = short_exchange()
    exchange.connection.execute(f"attach '{WarehousePaths(folder).published_file}' as file")
    exchange.connection.execute("copy from database memory to file")
    exchange.connection.close()
    return folder


def report(warehouse: Path, out: Path, *arguments: str) -> int:
    return cli._invoke(["report", "--warehouse", str(warehouse), "--out", str(out), *arguments])


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("r.html", ReportFormat.HTML),
        ("r.JSON", ReportFormat.JSON),
        ("r.pdf", ReportFormat.PDF),
        ("r.htm", ReportFormat.HTML),
        ("r", ReportFormat.HTML),
        ("r.json.old", ReportFormat.HTML),
    ],
)
def test_the_ending_chooses_the_format(name: str, format_: ReportFormat) -> None:
    assert format_of(Path(name)) == format_


def test_a_page_of_the_latest_day(warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.report.page.pictures", lambda _: {})
    out = tmp_path / "solvency.html"
    assert report(warehouse, out) == 0
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert f"<h1>Solvency on {DAY}</h1>" in out.read_text(encoding="utf-8")


def test_json_of_a_day_that_was_asked_for(warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "solvency.json"
    assert report(warehouse, out, "--date", "2026-03-02") == 0
    assert json.loads(out.read_text(encoding="utf-8"))["day"] == "2026-03-02"
    assert report(warehouse, tmp_path / "solvency.txt", "--format", "json") == 0
    assert json.loads((tmp_path / "solvency.txt").read_text(encoding="utf-8"))["day"] == str(DAY)
    assert report(warehouse, out, "--format", "word") == 2
    assert report(warehouse, tmp_path / "no" / "folder.json") == 2
    assert "can't be written: No such file or directory; choose another place with --out" in capsys.readouterr().err


def test_without_a_browser_a_pdf_is_refused_with_the_remedy(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "solvency.pdf"
    monkeypatch.setattr("orchestration.report.page.pictures", lambda _: {})
    assert report(warehouse, out) == 2
    assert "a PDF needs Chromium, and there is none on PATH; install it" in capsys.readouterr().err
    assert not out.exists()


def stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_any_chromium_will_do_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError):
        found_browser()
    for name in reversed(BROWSERS):
        stand_in(tmp_path, name, "exit 0")
        assert Path(found_browser()).name == name


def test_a_browser_that_fails_or_hangs_is_an_error_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stand_in(tmp_path, "chromium", "echo first >&2; echo no display >&2; exit 7")
    with pytest.raises(PrintingError, match=r"didn't print the report \(exit status 7\): no display$"):
        printed("<p>")
    stand_in(tmp_path, "chromium", "exec sleep 60")
    monkeypatch.setattr(printing, "_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(PrintingError, match="timed out"):
        printed("<p>")


@pytest.mark.parametrize(("user", "is_root"), [(0, True), (1000, False)])
def test_the_sandbox_is_off_for_root_only_and_no_host_can_be_found(
    user: int, is_root: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    arguments = printing._arguments(tmp_path)
    assert ("--no-sandbox" in arguments) == is_root
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in arguments
    assert f"--user-data-dir={tmp_path}" in arguments
