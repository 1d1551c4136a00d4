"""The documentation page: whole in one file, the same each time, silent, and showing what the database says."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration import cli
from orchestration.audit import create_audit_schema
from orchestration.documentation.page import filled_page
from orchestration.errors import RingfenceError
from orchestration.settings import REPOSITORY, WarehousePaths
from orchestration.warehouse import compiled
from orchestration.warehouse.dbt import manifest_as_json
from tests.support.outside import program
from tests.support.reported import short_exchange

HOSTILE = "what is owed </script><script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
"""A comment as only somebody could make it who may write the published file."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report's short exchange, published, with comments."""
    folder = tmp_path_factory.mktemp("warehouse")
    connection = short_exchange().connection
    create_audit_schema(connection)
    connection.execute("comment on table marts.fct_solvency_daily is 'The answer of the day. Grain: one row per day.'")
    connection.execute(
        f"comment on column marts.fct_solvency_daily.net_gap_usd is '{HOSTILE.replace(chr(39), chr(39) * 2)}'"
    )
    file = folder / "written.duckdb"
    connection.execute(f"attach '{file}' as written")
    connection.execute("copy from database memory to written")
    connection.close()
    shutil.move(file, WarehousePaths(folder).published_file)
    return folder


def write(warehouse: Path, out: Path) -> str:
    assert cli._invoke(["docs", "--warehouse", str(warehouse), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "docs.html"
    write(warehouse, out)
    return out


def test_the_same_warehouse_gives_the_same_bytes(warehouse: Path, page: Path, tmp_path: Path) -> None:
    assert write(warehouse, tmp_path / "again.html") == page.read_text(encoding="utf-8")


def test_it_holds_no_path_of_this_machine_no_moment_and_no_customer(warehouse: Path, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    metadata = manifest_as_json()["metadata"]
    named = (str(REPOSITORY), str(warehouse), tempfile.gettempdir(), str(Path.home()) + "/")
    moments = (metadata["generated_at"], metadata["invocation_id"], "created_at", "root_path")
    assert [
        word for word in (*named, *moments, "founder-secret-id", "Secret Name", "policy-digest") if word in text
    ] == []


def test_what_the_database_says_stays_data(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "document.title" in text
    assert "</script><script>document.title" not in text
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe-eval" not in policy[1]
    assert "script-src 'sha256-" in policy[1]


@dataclass
class Visit:
    """A page that is open, and what it did without being asked."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def go(self, place: str) -> Any:
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}#!/{place}")
        return self.page


@pytest.fixture(scope="module")
def visit(page: Path) -> Iterator[Visit]:
    browser_program = program("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program, args=["--no-sandbox"])
        try:
            visit = Visit(browser.new_page(viewport={"width": 1440, "height": 900}), page.as_uri())

            def refuse(route: Any) -> None:
                if route.request.url.startswith(visit.address):
                    route.continue_()
                else:
                    visit.requests.append(route.request.url)
                    route.abort()

            visit.page.route("**/*", refuse)
            visit.page.on("console", lambda message: visit.complaints.append(message.text))
            visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
            yield visit
        finally:
            browser.close()


def test_it_shows_tables_columns_headlines_and_lineage_and_asks_nobody(visit: Visit) -> None:
    start = visit.go("overview")
    start.get_by_role("heading", name="Could this exchange hand every customer back").wait_for()
    assert start.get_by_role("link", name="in_kind_shortfall_usd").count() == 1
    start.get_by_role("link", name="fct_solvency_daily", exact=True).first.click()
    start.locator("p:visible", has_text="The answer of the day: what customers are owed").first.wait_for()
    assert start.get_by_text("DECIMAL(38,12)").count() == 2

    audit = visit.go("source/source.ringfence.audit.finding")
    audit.locator("p:visible", has_text="Findings that stand, as known at the latest run.").first.wait_for()
    assert audit.get_by_text("DECIMAL(38,8)").count() == 1

    metric = visit.go("metric/metric.ringfence.in_kind_shortfall_usd")
    metric.locator("p:visible", has_text="The headline: what is missing").first.wait_for()

    graph = visit.go("model/model.ringfence.fct_solvency_daily?g_v=1&g_i=1%2Bfct_solvency_daily%2B1")
    graph.locator("canvas").first.wait_for()
    assert visit.requests == []
    assert visit.complaints == []
    assert graph.title() == "Ringfence: tables and where they come from"


def test_another_page_of_dbt_s_than_the_one_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "index.html"
    other.write_text("<html><head></head></html>", encoding="utf-8")
    monkeypatch.setattr("dbt.task.docs.DOCS_INDEX_FILE_PATH", str(other))
    with pytest.raises(
        RingfenceError, match=r"dbt's documentation page holds no .*install the dbt-core that is pinned"
    ):
        filled_page({}, {})


def test_who_may_not_write_where_the_project_lies_gets_the_same_page(
    warehouse: Path, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nowhere:
        def __init__(self, *_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

    known = compiled.compiled_project()
    monkeypatch.setattr(compiled, "_COMPILED_FILE", "not_there_yet.json")
    monkeypatch.setattr(compiled, "_compile", lambda: list(known.values()))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", Nowhere)
    compiled.compiled_project.cache_clear()
    assert write(warehouse, tmp_path / "docs.html") == page.read_text(encoding="utf-8")
    monkeypatch.undo()
    compiled.compiled_project.cache_clear()


def test_where_nothing_was_published_or_can_be_written_that_is_said(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._invoke(["docs", "--warehouse", str(tmp_path), "--out", str(tmp_path / "docs.html")]) == 2
    assert "publish one with" in capsys.readouterr().err
    assert cli._invoke(["docs", "--warehouse", str(warehouse), "--out", str(tmp_path / "no" / "docs.html")]) == 2
    assert "choose another place with --out" in capsys.readouterr().err
    assert json.dumps([path.name for path in tmp_path.iterdir()]) == "[]"
