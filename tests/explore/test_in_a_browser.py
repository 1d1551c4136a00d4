"""The explorer as people use it: the command, a real browser, clicks from the headline down to a file."""

from __future__ import annotations

import http.client
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestration import cli
from orchestration.settings import WarehousePaths, environment_of_same_imports
from tests.explore.books import DEBT, DEBTOR, FILE, HOSTILE, LAST
from tests.support.outside import free_port, program

api = pytest.importorskip("playwright.sync_api")
COMMAND = "import sys; from orchestration.cli import main; sys.argv[0] = 'ringfence'; main()"
WAIT = 60_000


@pytest.fixture(scope="module")
def port(told: WarehousePaths) -> Iterator[int]:
    """The command, serving; it ends with the tests."""
    pytest.importorskip("streamlit")
    chosen = free_port()
    arguments = ["explore", "--warehouse", str(told.root), "--port", str(chosen), "--no-browser"]
    environment = environment_of_same_imports()
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line == f"serving http://127.0.0.1:{chosen} until Ctrl-C\n", line
            wait_until_served(server, chosen)
            yield chosen
        finally:
            server.terminate()
            said = server.communicate(timeout=60)[0]
        assert "Traceback" not in said, said


def wait_until_served(server: subprocess.Popen[str], port: int) -> None:
    """Until the port is listened on; the server's end is noticed at once."""
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        ended, _, _ = select.select([server.stdout], [], [], 0.1)
        assert server.poll() is None, ended
    raise AssertionError("nobody listens")


class Visitor:
    """One open page of a browser, and all that it asked for."""

    def __init__(self, page: Any, port: int) -> None:
        self.page = page
        self.base = f"http://127.0.0.1:{port}/"
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda channel: self.requests.append(channel.url))
        page.on("dialog", self._refuse)
        page.set_default_timeout(WAIT)

    def _refuse(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)
        self.rest()

    def rest(self) -> None:
        """Until the page has run."""
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')

    def heading(self, text: str) -> None:
        self.page.get_by_role("heading", name=text, exact=True).wait_for()
        self.rest()

    def require_no_overflow(self) -> None:
        beyond = "element => element.scrollWidth - element.clientWidth"
        assert self.page.get_by_test_id("stMain").evaluate(beyond) <= 0

    def click_first_row(self, title: str) -> None:
        """Click into the first row of the table under a title."""
        grid = self.page.locator(f"xpath=//h3[.='{title}']/following::*[@data-testid='stDataFrame'][1]")
        grid.scroll_into_view_if_needed()
        grid.locator("canvas").first.wait_for()
        grid.click(position={"x": 90, "y": 52})

    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)


@pytest.fixture(scope="module")
def visitor(port: int) -> Iterator[Visitor]:
    chromium = program("chromium", "chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        try:
            yield Visitor(browser.new_page(viewport={"width": 1280, "height": 900}), port)
        finally:
            browser.close()


def test_clicks_lead_from_the_headline_to_a_line_of_a_file(visitor: Visitor) -> None:
    # The first address that a new server is asked for is one that was sent, and its page has the menu of the others.
    visitor.open(f"replay?date={LAST}")
    visitor.heading("What broke on this day")
    visitor.page.get_by_role("link", name="Headline").click()
    visitor.heading("Could every customer be handed back what is owed?")
    visitor.click_first_row("Coverage by in-kind group")
    visitor.heading("In-kind group")
    assert visitor.query() == {"group": ["USD"], "date": [str(LAST)]}
    visitor.page.go_back()
    visitor.heading("Could every customer be handed back what is owed?")
    visitor.page.go_forward()
    visitor.heading("In-kind group")
    visitor.click_first_row("Accounts that owe")
    visitor.heading("Account")
    assert visitor.query()["account"] == [DEBTOR]
    visitor.click_first_row("Ledger entries behind findings")
    visitor.heading("Source row")
    assert visitor.query() == {
        "date": [str(LAST)],
        "table": ["ledger_entries"],
        "key": ["entry-1"],
        "file": [FILE],
        "row": ["7"],
    }
    visitor.require_no_overflow()
    main = visitor.page.get_by_test_id("stMain")
    assert "row 7, line 8" in main.inner_text()
    assert HOSTILE in main.inner_text()
    visitor.click_first_row("Findings that rest on this row")
    visitor.heading("Finding")
    assert visitor.query()["check"] == ["no_negative_balance"]
    assert visitor.dialogs == [], "no name ran as a script"


def test_what_is_shown_is_downloaded(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open("account")
    visitor.heading("Accounts below zero on this day")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="CSV").first.click()
    assert download.value.suggested_filename == f"debtors-{LAST}.csv"
    download.value.save_as(tmp_path / "debtors.csv")
    text = (tmp_path / "debtors.csv").read_text(encoding="utf-8")
    assert DEBT in text
    assert "\"'=HYPERLINK" in text
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Parquet").first.click()
    download.value.save_as(tmp_path / "debtors.parquet")
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "debtors.parquet").column("balance").to_pylist() == [Decimal(DEBT)]


def test_pages_fit_a_phone_and_ask_nobody_else(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 390, "height": 900})
    for path, title in {"": "Could every customer be handed back what is owed?", "replay": "Replay"}.items():
        visitor.open(path)
        visitor.heading(title)
        visitor.require_no_overflow()
    assert visitor.page.get_by_test_id("stAppDeployButton").count() == 0
    assert visitor.dialogs == [], "no name ran as a script"
    hosts = {urlsplit(url).hostname for url in visitor.requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}


def test_nobody_but_this_machine_is_answered(port: int) -> None:
    for elsewhere in ("127.0.0.2", "::1"):
        with socket.socket(socket.AF_INET6 if ":" in elsewhere else socket.AF_INET) as probe:
            assert probe.connect_ex((elsewhere, port)) != 0, elsewhere


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", 101),
        ("evil.example:{port}", "http://evil.example:{port}", 403),
        ("127.0.0.1:{port}", "http://evil.example", 403),
    ],
    ids=["our own page", "a name that leads here", "another site"],
)
def test_only_our_own_page_opens_a_channel(port: int, host: str, origin: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Host": host.format(port=port),
        "Origin": origin.format(port=port),
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    connection.request("GET", "/_stcore/stream", headers=headers)
    assert connection.getresponse().status == status
    connection.close()


def told_off(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli._invoke(["explore", *map(str, arguments), "--no-browser"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_command_says_what_is_missing(
    told: WarehousePaths, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no warehouse in" in told_off(capsys, "--warehouse", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = told_off(capsys, "--warehouse", told.root, "--port", taken.getsockname()[1])
        assert "give another with --port, or 0" in line
    monkeypatch.setattr("orchestration.explore.serving.find_spec", lambda name: None)
    assert "pip install 'ringfence[explore]'" in told_off(capsys, "--warehouse", told.root)
