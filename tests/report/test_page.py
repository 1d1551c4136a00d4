"""The page and the document: the same figures, the same bytes, nothing from outside, usable by whoever reads."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestration.report.content import ReportContent
from orchestration.report.document import SCHEMA_VERSION, document, document_text
from orchestration.report.network_chart import layers
from orchestration.report.page import SECTIONS, render
from orchestration.report.tables import TABLES, Column, printed_size, shown_days
from orchestration.report.texts import grouped_text, percent_text, short_amount
from orchestration.settings import HASH_KEY, REPOSITORY
from tests.support.published import BTC, SOLVENCY
from tests.support.reported import COVERED, WATERFALL, Decimal, ReportedWarehouse, exact, short_exchange

SCHEMA = json.loads((REPOSITORY / "orchestration/report/solvency.schema.json").read_text(encoding="utf-8"))
VOID = {"meta", "br", "link", "img"}


class Page(HTMLParser):
    """What a test asks of a page: elements with attributes, tables of cells, and whether tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return short_exchange().content()


@pytest.fixture(scope="module")
def text(content: ReportContent) -> str:
    return render(content)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def test_page_and_document_have_the_same_figures(content: ReportContent, page: Page) -> None:
    amounts = [
        leaf for leaf in leaves(document(content)) if isinstance(leaf, str) and re.fullmatch(r"-?\d+\.\d+", leaf)
    ]
    cells = [exact(cell) for row in page.rows for cell in row if re.fullmatch(r"−?[\d,]+(\.\d+)?", cell)]
    assert len(cells) > 100
    integers = {leaf for leaf in leaves(document(content)) if isinstance(leaf, int)}
    assert (
        set(cells)
        - {Decimal(amount) for amount in amounts}
        - integers
        - {exact(row["value"]) for row in content.policy}
        == set()
    )
    told = {
        Decimal(document(content)["headline"][name])
        for name in SOLVENCY
        if name.endswith("_usd") and name != "group_assets_usd"
    }
    assert told <= set(cells)
    assert {Decimal(row["gap"]) for row in document(content)["coverage"]} <= set(cells)
    assert {
        Decimal(step["customer_liabilities_usd"]) for step in document(content)["own_token_stress"]["steps"]
    } <= set(cells)


def test_the_document_is_what_its_schema_documents(content: ReportContent) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    bare = ReportedWarehouse().days([COVERED]).content()
    for told in (content, bare):
        assert list(Draft202012Validator(SCHEMA).iter_errors(json.loads(document_text(told)))) == []
    assert document(content)["schema_version"] == SCHEMA_VERSION == SCHEMA["properties"]["schema_version"]["const"]
    assert document(bare)["snapshot"] is None


def test_amounts_in_the_document_are_exact_texts() -> None:
    large = "123456789012345.00000001"
    told = document(ReportedWarehouse().days([SOLVENCY | {"customer_liabilities_usd": large}]).content())
    assert told["headline"]["customer_liabilities_usd"] == large
    assert not any(isinstance(leaf, float) for leaf in leaves(told))


def test_the_policy_of_the_page_lets_in_its_own_style_and_nothing_else(text: str, page: Page) -> None:
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (meta["content"] for meta in page.of("meta") if meta.get("http-equiv"))
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    attributes = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in attributes if name in ("style", "src", "xmlns", "srcset") or name.startswith("on")}
    assert all((link["href"] or "").startswith("#") for link in page.of("a"))
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "form", "image", "use"}
    assert "//" not in text
    assert "@import" not in text
    assert not [url for url in re.findall(r"url\(([^)]*)", text) if not url.startswith("#")]


def test_headings_are_in_order_and_the_contents_lead_to_every_section(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identifiers = Counter(attributes["id"] for _, attributes in page.elements if attributes.get("id"))
    assert set(identifiers.values()) == {1}
    targets = [(link["href"] or "")[1:] for link in page.of("a")]
    assert targets == ["headline", *(anchor for anchor, _ in SECTIONS)]
    assert set(targets) <= set(identifiers)
    named = [attributes["aria-labelledby"] or "" for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert {identifier for name in named for identifier in name.split()} <= set(identifiers)


def test_tables_and_pictures_can_be_read_without_seeing_and_reached_without_a_mouse(page: Page) -> None:
    assert all(header.get("scope") in ("row", "col") for header in page.of("th"))
    scrolling = [attributes for attributes in page.of("div") if attributes.get("class") == "scroll"]
    assert len(scrolling) == len(page.of("table")) + len(page.of("svg"))
    assert all(box["tabindex"] == "0" and box["role"] == "region" for box in scrolling)
    assert all(box.get("aria-label") or box.get("aria-labelledby") for box in scrolling)
    assert len(page.of("figure")) == len(page.of("figcaption")) == len(page.of("svg")) == 6
    assert all(picture["role"] == "img" and picture["aria-labelledby"] for picture in page.of("svg"))
    assert len(page.of("title")) == len(page.of("desc")) + 1 == 7


def pictures_in(text: str) -> list[str]:
    return re.findall("<svg.*?</svg>", text, re.DOTALL)


def test_colours_of_pictures_are_those_of_the_page(text: str) -> None:
    style = (REPOSITORY / "orchestration/report/solvency.css").read_text(encoding="utf-8")
    defined = set(re.findall(r"(--[a-z]+):", style))
    for svg in pictures_in(text):
        painted = set(re.findall(r' (?:fill|stroke)="([^"]*)"', svg))
        assert {colour for colour in painted if not colour.startswith("var(")} <= {"none", "transparent"}
        assert {colour[4:-1] for colour in painted if colour.startswith("var(")} <= defined


def test_thousandths_of_a_unit_are_no_millions(text: str) -> None:
    """Locks an axis that read 10m for 0.01 bitcoin."""
    (picture,) = (svg for svg in pictures_in(text) if "around the snapshot" in svg)
    labels = re.findall(">([^<]+)</text>", picture)
    assert {"0", "0.005", "0.01"} <= set(labels)
    assert not [label for label in labels if re.search("[0-9] ?[a-zµ]", label)]


def test_the_same_warehouse_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In another process, time zone and order of sets; only the key of hashes is shared."""
    program = (
        "import sys; from tests.support.reported import short_exchange\n"
        "from orchestration.report.page import render; from orchestration.report.document import document_text\n"
        "content = short_exchange().content(); sys.stdout.write(render(content) + document_text(content))\n"
    )
    monkeypatch.setenv(HASH_KEY, "k" * 32)
    content = short_exchange().content()
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    again = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert again == render(content) + document_text(content)


HOSTILE = "\"'><script>alert(1)</script>&amp;\x00\x1b[2J\u202e]]>{{ 7 * 7 }}"


def test_hostile_names_are_text_in_pictures_too() -> None:
    warehouse = short_exchange()
    warehouse.connection.execute("update marts.dim_entity set name = ?", [HOSTILE])
    warehouse.connection.execute(
        "update marts.fct_reserve_coverage_daily set in_kind_group = ? || in_kind_group", [HOSTILE]
    )
    warehouse.connection.execute(
        "update marts.fct_snapshot_flow_daily set in_kind_group = ? || in_kind_group", [HOSTILE]
    )
    text = render(warehouse.content())
    assert "<script" not in text
    assert "49" not in re.findall("script.{0,80}", text)[0]
    assert not set(text) & {"\x00", "\x1b", "\u202e"}
    assert len(Page(text).of("svg")) == 6


def test_a_page_of_an_exchange_without_anything_to_show_says_so() -> None:
    text = render(ReportedWarehouse().days([COVERED]).content())
    assert len(Page(text).of("svg")) == 1
    for said in (
        "nothing is owed or held",
        "all reserves count",
        "there is no affiliate",
        "no month&#39;s revenue was reported",
        "No own token was known on the day",
        "No reserves were reported up to the day",
        "nothing was found",
    ):
        assert said in text, said


def test_a_page_with_unpriced_amounts_shows_them_as_unknown() -> None:
    unknown = {name: None for name in SOLVENCY if name.endswith(("_usd", "_ratio", "_share"))}
    warehouse = ReportedWarehouse().days([COVERED, SOLVENCY | unknown | {"status": "incomplete", "unpriced_assets": 2}])
    warehouse.add("fct_reserve_coverage_daily", BTC | {"price_usd": None, "gap_usd": None, "coverage_ratio": None})
    warehouse.add("fct_own_token_daily", {"asset": "UNPRICED", "reason": "issuer"})
    warehouse.add("fct_token_adjusted_revenue_monthly", WATERFALL | {"unsupported_usd": "-5", "affiliate_usd": None})
    warehouse.add(
        "fct_reserve_exclusion_daily", {"asset": "X", "reason": "unproven", "wallet_id": "w", "quantity": "1"}
    )
    text = render(warehouse.content())
    assert "2 assets have no price" in text
    assert "in no figure here: UNPRICED" in text
    assert '<td class="n">–</td>' in text


def test_a_page_of_ten_thousand_findings_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.report.page.pictures", lambda _: {})
    warehouse = short_exchange()
    warehouse.connection.execute(
        "insert into audit.finding by name select f.* replace (number as impact_usd, 'S' || number as subject_id)"
        " from audit.finding as f, range(10000) as r(number)"
    )
    text = render(warehouse.content())
    assert len(text) < 150_000
    assert "<strong>9,981 more aren't shown</strong>" in text
    assert "10,001 critical, breach" in text


def test_days_listed_are_the_last_month_ends_of_months_and_where_it_broke() -> None:
    days = [COVERED] * 60 + [SOLVENCY] * 60
    content = ReportedWarehouse().days(days).content()
    told = [str(row["as_of_date"]) for row in shown_days(content.history, content.short_since)]
    assert told[:5] == ["2025-11-30", "2025-12-31", "2026-01-03", "2026-01-04", "2026-01-31"]
    assert len(told) == 5 + 31
    assert shown_days(content.history[-3:], None) == content.history[-3:]


def test_tables_are_printed_so_that_nothing_is_cut_off() -> None:
    columns = TABLES["coverage"]

    def size(digits: int) -> str:
        row = {column.field: Decimal("1" * digits) for column in columns} | {"coverage_ratio": Decimal(1)}
        return printed_size(columns, [row | {"in_kind_group": "BTC"}])

    assert [size(digits) for digits in (4, 15, 30)] == ["", "small", "small dense"]
    assert printed_size([Column("What was said", "said", "text")], [{"said": "word " * 200}]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("-1234567.50000000"), "−1,234,567.5"),
        (Decimal("0E-18"), "0"),
        (Decimal("-0.000000000000000001"), "−0.000000000000000001"),
        (Decimal("123456789012345678.00000001"), "123,456,789,012,345,678.00000001"),
        (12345, "12,345"),
        (None, "–"),
    ],
)
def test_figures_have_all_their_digits(value: Any, text: str) -> None:
    assert grouped_text(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        ("0.999999", "99.99 %"),
        ("1", "100.00 %"),
        ("12.3456789", "1,234.56 %"),
        ("-0.00019", "−0.01 %"),
        ("0", "0.00 %"),
    ],
)
def test_what_isn_t_covered_is_never_rounded_to_covered(ratio: str, text: str) -> None:
    assert percent_text(Decimal(ratio)) == text


def test_amounts_in_pictures_are_short() -> None:
    amounts = ("0", "-12.346", "1234.5", "-1500000", "8000000000", "1e15")
    told = ["0.00", "−12.35", "1.23 k", "−1.50 m", "8.00 bn", "1,000.00 tn"]
    assert [short_amount(Decimal(amount)) for amount in amounts] == told


def test_layers_put_parents_above_children_and_end_on_cycles() -> None:
    links = [("founder", "holding"), ("holding", "operator"), ("founder", "fund"), ("operator", "subsidiary")]
    everybody = ["founder", "fund", "holding", "operator", "subsidiary"]
    assert layers("operator", everybody, links) == {
        "operator": 2,
        "subsidiary": 3,
        "holding": 1,
        "founder": 0,
        "fund": 1,
    }
    cycle = [("a", "b"), ("b", "operator"), ("operator", "a")]
    assert set(layers("operator", ["a", "b", "operator"], cycle)) == {"a", "b", "operator"}
    assert layers(None, ["alone", "other"], []) == {"alone": 0, "other": 0}
