"""The page in headless Chromium: nothing leaves it, nothing overflows, all of it can be read and reached; it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration.report.page import render
from orchestration.report.printing import printed
from tests.support.outside import program
from tests.support.reported import short_exchange

PHONE, DESK = 360, 1440
PAPER = 1024
"""Width of a page of A4 across, less its margins, in CSS pixels."""

LONG_NAME = "Very Long Name Of A Company " * 6


def page_of_large_figures() -> str:
    """A page with amounts as long as they get, and names that are longer."""
    warehouse = short_exchange()
    change = warehouse.connection.execute
    large = "123456789012345.12345678"
    for column in ("customer_liabilities_usd", "eligible_reserves_usd", "in_kind_shortfall_usd", "net_gap_usd"):
        change(f"update marts.fct_solvency_daily set {column} = ?", [large])
    for column in ("liability", "eligible_reserves", "excluded_reserves", "affiliate_claims", "gap_all_claims"):
        change(f"update marts.fct_reserve_coverage_daily set {column} = 123456789012345.123456789012345678")
    for column in ("gross_claims_usd", "collateral_mark_usd", "collateral_haircut_usd", "credit_line_usd"):
        change(f"update marts.fct_affiliate_exposure_daily set {column} = ?", [large])
    change("update marts.dim_entity set name = ? where entity_id = 'holding'", [LONG_NAME])
    change("update audit.finding set message = ?, subject_id = ?", [LONG_NAME * 3, "X" * 120])
    return render(warehouse.content())


@dataclass
class Visit:
    """A page that is open, and what it did without being asked."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def of_width(self, width: int, scheme: str) -> Visit:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(media="screen", color_scheme=scheme)
        return self


@pytest.fixture(scope="module")
def text() -> str:
    return page_of_large_figures()


@pytest.fixture(scope="module")
def visit(text: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    browser_program = program("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program, args=["--no-sandbox"])
        try:
            yield opened(browser, path)
        finally:
            browser.close()


def opened(browser: Any, path: Path) -> Visit:
    page = browser.new_page(viewport={"width": DESK, "height": 900})
    visit = Visit(page)

    def refuse(route: Any) -> None:
        if route.request.url == path.as_uri():
            route.continue_()
        else:
            visit.requests.append(route.request.url)
            route.abort()

    page.route("**/*", refuse)
    page.on("console", lambda message: visit.complaints.append(message.text))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.goto(path.as_uri())
    return visit


def test_it_renders_and_no_request_leaves(visit: Visit) -> None:
    visit.of_width(DESK, "light")
    assert visit.page.title() == "Solvency on 2026-03-04"
    assert visit.page.locator("svg:visible").count() == 6
    assert "could not hand every customer back" in visit.page.locator(".verdict").inner_text()
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visit.requests == []
    assert visit.complaints == []


def test_its_policy_refuses_what_it_doesn_t_hold(text: str, visit: Visit, tmp_path: Path) -> None:
    """Locks the policy: a page that was tampered with loads, runs and styles nothing."""
    foreign = "<img src='x.png'><script>document.title = 'run'</script><style>h1 { color: red }</style>"
    path = tmp_path / "tampered.html"
    path.write_text(text.replace("<main>", f"<main>{foreign}"), encoding="utf-8")
    page = visit.page.context.browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(path.as_uri())
    assert page.title() != "run"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(22, 32, 43)"
    kinds = {
        kind for kind in ("image", "script", "style") for told in refused if kind in told and "Content Sec" in told
    }
    assert kinds == {"image", "script", "style"}, refused
    page.close()


OVERFLOWING = """() => [...document.querySelectorAll('body *')].filter(element =>
    !element.closest('.scroll *') && !element.closest('.skip') && element.getBoundingClientRect().right > innerWidth + 1
).map(element => element.tagName + ' ' + element.className)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_overflows(visit: Visit, width: int, scheme: str) -> None:
    visit.of_width(width, scheme)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.evaluate(OVERFLOWING) == []
    assert visit.page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(box => getComputedStyle(box).overflowX === 'auto')"
    )


CONTRASTS = """() => {
    const parts = color => color.match(/[0-9.]+/g).map(Number);
    const light = ([red, green, blue]) => [red, green, blue]
        .map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, which) => sum + part * [0.2126, 0.7152, 0.0722][which], 0);
    const behind = parts(getComputedStyle(document.body).backgroundColor);
    const told = [...document.querySelectorAll('body *')].filter(element =>
        [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()) &&
        !['title', 'desc'].includes(element.tagName) && element.getClientRects().length);
    return told.map(element => {
        const style = getComputedStyle(element);
        const color = parts(element.namespaceURI.endsWith('svg') ? style.fill : style.color);
        const [low, high] = [light(color), light(behind)].sort((a, b) => a - b);
        return [(high + 0.05) / (low + 0.05), element.tagName, element.textContent.trim().slice(0, 40)];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_contrasts_with_the_page(visit: Visit, scheme: str) -> None:
    visit.of_width(DESK, scheme)
    contrasts = visit.page.evaluate(CONTRASTS)
    assert len([tag for _, tag, _ in contrasts if tag == "text"]) > 60
    assert [told for told in contrasts if told[0] < 4.5] == []


def test_the_keyboard_reaches_every_table_and_picture(visit: Visit) -> None:
    visit.of_width(PHONE, "light")
    page = visit.page
    boxes = page.locator(".scroll").count()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    reached = []
    for _ in range(boxes + 13):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert reached[0] == "skip"
    assert reached[1:13] == ["A"] * 12
    assert reached[13:] == ["scroll"] * boxes
    page.locator(".scroll[aria-label*='Picture']").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_it_prints_across_without_cutting_anything_off(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": PAPER, "height": 700})
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PAPER
    assert visit.page.evaluate(OVERFLOWING.replace("!element.closest('.scroll *') &&", "")) == []
    assert visit.page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    assert not visit.page.locator("nav").is_visible()


def test_the_installed_browser_writes_a_document_of_pages(text: str) -> None:
    program("chromium", "chromium")
    document = printed(text)
    assert document.startswith(b"%PDF-")
    boxes = re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", document)
    assert len(boxes) > 5
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(842, 595)}
