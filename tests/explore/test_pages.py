"""Each page on small warehouses, without a browser: what is shown, what is said where nothing is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.explore import serving
from orchestration.explore.publication import serve_from
from orchestration.settings import WarehousePaths
from tests.explore import books
from tests.explore.books import DEBTOR, FILE, FIRST, HOSTILE, LAST

testing = pytest.importorskip("streamlit.testing.v1")
APP = Path(serving.__file__).parent / "app.py"

OWES = {"day": LAST, "check": "no_negative_balance", "type": "account", "subject": DEBTOR, "asset": "USD"}
ROW = {"table": "ledger_entries", "key": "entry-1", "file": FILE, "row": 7}
PAGES: list[tuple[str, Mapping[str, Any], str]] = [
    ("headline", {}, "Short: what is owed"),
    ("headline", {"date": FIRST}, "Covered: every customer"),
    ("group", {"group": "USD"}, "-140.00000001"),
    ("group", {"group": HOSTILE}, "No such group"),
    ("account", {"search": "hyperlink"}, "None."),
    ("account", {"account": DEBTOR}, "=HYPERLINK"),
    ("account", {"account": HOSTILE}, "No account of that name"),
    ("wallet", {}, "Wallets"),
    ("wallet", {"wallet": "w-1"}, "bank"),
    ("wallet", {"wallet": HOSTILE}, "No wallet of that name"),
    ("affiliates", {"entity": HOSTILE}, "A &amp; B &lt;b&gt;Ltd&lt;/b&gt;"),
    ("affiliates", {"entity": "nobody"}, "No entity of that name"),
    ("compare", {}, "Compare two days"),
    ("replay", {"date": LAST}, "+140.00000001 since the day before"),
    ("findings", {"days": "all"}, "Findings of all days"),
    ("findings", {"severity": "nonsense", "date": "nonsense"}, f"Findings of {LAST}"),
    ("finding", OWES, "fails no_negative_balance"),
    ("finding", {"day": "nonsense"}, "No such finding stands"),
    ("source", ROW, f"{FILE}"),
    ("source", {**ROW, "row": "9" * 30}, "No such row"),
]


def started() -> Any:
    """The app on its first page; which pages there are is known once it has run."""
    return testing.AppTest.from_file(str(APP), default_timeout=120).run()


def opened(app: Any, page: str, parameters: Mapping[str, Any]) -> Any:
    """The app after a page was opened by its address."""
    app.switch_page(f"screens/{page}.py")
    for name in list(app.query_params):
        del app.query_params[name]
    for name, value in parameters.items():
        app.query_params[name] = str(value)
    return app.run()


def texts(app: Any) -> str:
    """All that a page says outside of its tables."""
    said = [element.proto.body for element in app.main if element.type == "html"]
    ours = [element.value for kind in ("header", "subheader", "caption") for element in app.get(kind)]
    return "\n".join([*said, *ours])


@pytest.fixture(scope="module")
def app(told: WarehousePaths) -> Iterator[Any]:
    publication = serve_from(told)
    yield started()
    publication.close()


@pytest.mark.parametrize(("page", "parameters", "said"), PAGES, ids=lambda value: str(value)[:30])
def test_a_page_is_opened_by_its_address(app: Any, page: str, parameters: Mapping[str, Any], said: str) -> None:
    opened(app, page, parameters)
    assert not app.exception
    text = texts(app)
    assert said in text
    assert "can't be shown" not in text
    # What markup or markdown could be made of is in none of our titles and notes, and escaped in all else.
    for element in app.main:
        if element.type not in ("html", "dataframe", "code", "text_input", "main"):
            assert "alert(1)" not in str(element.proto), element.type
    assert "<script" not in text
    assert "<img" not in text


def test_tables_hold_every_digit_as_text(app: Any) -> None:
    opened(app, "account", {"account": DEBTOR})
    tables = [table.value for table in app.dataframe]
    (balances,) = [table for table in tables if "balance" in table.columns]
    assert list(balances["balance"]) == ["-98,765,432,109,876,543.210000000000000001"]
    opened(app, "affiliates", {})
    assert [HOSTILE] in [
        list(table["entity_id"]) for table in (one.value for one in app.dataframe) if "entity_id" in table
    ]


def test_the_address_follows_the_hand_and_the_page_the_address(app: Any) -> None:
    opened(app, "headline", {})
    assert str(LAST) in str(app.query_params["date"])
    app.date_input[0].set_value(FIRST).run()
    assert str(FIRST) in str(app.query_params["date"])
    assert "Covered" in texts(app)
    app.query_params["date"] = str(LAST)
    app.run()
    assert app.date_input[0].value == LAST
    assert "Short" in texts(app)


def test_the_replay_steps_from_day_to_day(app: Any) -> None:
    opened(app, "replay", {})
    before, after = app.button
    assert (before.disabled, after.disabled) == (True, False)
    after.click().run()
    assert str(LAST) in str(app.query_params["date"])
    assert "What broke on this day" in texts(app)
    assert f"{LAST}: Short" in texts(app)
    assert app.button[1].disabled


def test_findings_are_chosen_by_check_and_subject(app: Any) -> None:
    opened(app, "findings", {"check": "affiliate_privileges", "days": "all"})
    assert [len(table.value) for table in app.dataframe] == [2]
    app.text_input[0].set_value("nobody").run()
    assert "None stands that matches." in texts(app)
    assert "nobody" in str(app.query_params["subject"])


@pytest.mark.parametrize(
    ("tables", "has_marts", "said"),
    [
        (books.refused(), False, "No day was ever published"),
        ({}, True, "No day was ever published"),
        ({"marts.fct_solvency_daily": [{"as_of_date": FIRST, "status": "covered"}]}, True, "Covered"),
        (
            {"marts.fct_solvency_daily": [{"as_of_date": FIRST, "status": "incomplete", "unpriced_assets": 2}]},
            True,
            "Incomplete",
        ),
        ({**books.story(), **books.refused("keys came twice")}, True, "keys came twice"),
    ],
    ids=["refused", "empty", "one day without a figure", "unpriced", "refused after a good run"],
)
def test_pages_of_other_warehouses_stand(tmp_path: Path, tables: Any, has_marts: bool, said: str) -> None:
    publication = serve_from(books.publish(tmp_path / "warehouse", tables, has_marts=has_marts))
    app = started()
    assert said in texts(app)
    for page in ("group", "replay", "findings"):
        opened(app, page, {})
        assert not app.exception, page
        assert "can't be shown" not in texts(app), page
        if page == "findings" and "audit.finding" in tables and not has_marts:
            assert "keys_unique" in list(app.dataframe[0].value["check_name"])
    publication.close()


def test_a_file_that_is_gone_is_one_line_on_the_page(tmp_path: Path) -> None:
    publication = serve_from(books.publish(tmp_path / "warehouse", books.story()))
    app = started()
    publication.paths.published_file.unlink()
    app.run()
    assert not app.exception
    assert "This can't be shown" in texts(app)
    assert "no warehouse in" in texts(app)
    publication.close()
