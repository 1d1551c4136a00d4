"""The layout as filed: headings, page breaks, torn cells; what can't be read is listed and never guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestration.imports.filed_schedule import read_filed_schedule
from orchestration.imports.schedule_lines import ScheduleReading
from orchestration.imports.text_lines import TextLine

HEADING = "Customer CodeToken / Fiat / NFT [Balance/NFT ID],"


def read(text: str, **options: bool) -> ScheduleReading:
    lines = [TextLine(number, line, True) for number, line in enumerate(text.split("\n"), start=1)]
    reading = read_filed_schedule("schedule.csv", lines, **options)
    set_aside = reading.heading_lines + reading.furniture_lines + reading.blank_lines
    assert reading.lines_read >= 0
    assert reading.lines_read + len(reading.rejected_lines) + set_aside == len(lines)
    return reading


def balances(reading: ScheduleReading) -> dict[tuple[str, str], str]:
    return {
        (account, asset): format(amount.normalize() + 0, "f")
        for account, assets in reading.balances.items()
        for asset, amount in assets.items()
    }


def test_rows_as_filed() -> None:
    reading = read(
        f"{HEADING}\n"
        '00000011,"BTC[0.1000000000000000],USD[-5.2000000000000000],NFT (123)[1]"\n'
        "00000012,USD[50.0100000000000000]\n"
        '00000013, "ETH[1e-8], TRUMP2024[0], BTC-PERP[-0.00009999999999997], USD[0.00]"\n'
        '00000014,"USD[1925.10439724240698400000000000],SRM_LOCKED[.5],BTT[1,234,567.5]"'
    )
    assert reading.rejects == []
    assert balances(reading) == {
        ("00000011", "BTC"): "0.1",
        ("00000011", "USD"): "-5.2",
        ("00000011", "NFT (123)"): "1",
        ("00000012", "USD"): "50.01",
        ("00000013", "ETH"): "0.00000001",
        ("00000013", "TRUMP2024"): "0",
        ("00000013", "BTC-PERP"): "-0.00009999999999997",
        ("00000013", "USD"): "0",
        ("00000014", "USD"): "1925.104397242406984",
        ("00000014", "SRM_LOCKED"): "0.5",
        ("00000014", "BTT"): "1234567.5",
    }
    assert (reading.heading_lines, reading.lines_read) == (1, 4)


def test_names_of_collectibles_keep_commas_brackets_parentheses_and_quotes() -> None:
    reading = read(
        '00000011,"NFT (288428489347938435/FTX EU - we are here! #91)[1],BTC[2]"\n'
        '00000012,"NFT (5/Old, worn (and torn) [12], by ""A"")[1],NFT(77)[3],USD[1]"\n'
        '00000013,"NFT (6/smile :))[1],ETH[1]"\n'
        '00000014,"NFT (7/sad :()[1],ETH[1]"'
    )
    assert reading.rejects == []
    assert balances(reading) == {
        ("00000011", "NFT (288428489347938435/FTX EU - we are here! #91)"): "1",
        ("00000011", "BTC"): "2",
        ("00000012", 'NFT (5/Old, worn (and torn) [12], by "A")'): "1",
        ("00000012", "NFT (77)"): "3",
        ("00000012", "USD"): "1",
        ("00000013", "NFT (6/smile :))"): "1",
        ("00000013", "ETH"): "1",
        ("00000014", "NFT (7/sad :()"): "1",
        ("00000014", "ETH"): "1",
    }


@pytest.mark.parametrize(
    "break_lines",
    [
        pytest.param("{0}\n{1}", id="quoted cell spans lines"),
        pytest.param('{0}"\n,"{1}', id="cell goes on in a row with an empty code"),
        pytest.param('{0}"\n"","{1}', id="the empty code is quoted"),
        pytest.param('{0}\n,"{1}', id="the torn cell's quote was never closed"),
        pytest.param('{0}"\n00000011,"{1}', id="the code stands again"),
        pytest.param('{0}"\n\nPage 12 of 3000\n' + HEADING + '\n,"{1}', id="page break between"),
        pytest.param("{0}\n,Page 12 of 3000\n" + HEADING + "\n{1}", id="page break within the quotes"),
    ],
)
@pytest.mark.parametrize(
    "torn",
    [
        "BTC[0.1]|,USD[-5.2],NFT (123/A b)[1]",
        "BTC[0.1],|USD[-5.2],NFT (123/A b)[1]",
        "BT|C[0.1],USD[-5.2],NFT (123/A b)[1]",
        "BTC|[0.1],USD[-5.2],NFT (123/A b)[1]",
        "BTC[|0.1],USD[-5.2],NFT (123/A b)[1]",
        "BTC[0.|1],USD[-5.2],NFT (123/A b)[1]",
        "BTC[0.1],USD[-|5.2],NFT (123/A b)[1]",
        "BTC[0.1],USD[-5.2],NF|T (123/A b)[1]",
        "BTC[0.1],USD[-5.2],NFT (1|23/A b)[1]",
        "BTC[0.1],USD[-5.2],NFT (123/A| b)[1]",
        "BTC[0.1],USD[-5.2],NFT (123/A b)|[1]",
        "BTC[0.1],USD[-5.2],NFT (123/A b)[1|]",
        "BTC[0.1],U|SD[-5.|2],NFT (12|3/A b)[1]",
    ],
)
def test_cells_torn_at_page_breaks_are_joined(torn: str, break_lines: str) -> None:
    first, *others = torn.split("|")
    text = first
    for other in others:
        text = break_lines.format(text, other)
    reading = read(f'{HEADING}\n00000010,USD[1]\n00000011,"{text}"\n00000012,USD[2]')
    expected = {("00000010", "USD"): "1", ("00000012", "USD"): "2", ("00000011", "BTC"): "0.1"}
    expected |= {("00000011", "USD"): "-5.2", ("00000011", "NFT (123/A b)"): "1"}
    assert reading.rejects == []
    assert balances(reading) == expected


def test_the_rest_of_an_unquoted_row_is_joined() -> None:
    reading = read("00000011,USD[50.0100\n00000]\n00000012,BTC[1], US\nD[2]")
    assert reading.rejects == []
    assert balances(reading) == {("00000011", "USD"): "50.01", ("00000012", "BTC"): "1", ("00000012", "USD"): "2"}


def test_a_comma_lost_at_the_break_is_put_back() -> None:
    reading = read('00000011,"BTC[1],USD[2]"\n,"ETH[3],NFT (1)[1]"')
    assert reading.rejects == []
    assert set(reading.balances["00000011"]) == {"BTC", "USD", "ETH", "NFT (1)"}


def test_a_cell_whose_rest_is_lost_costs_that_item_and_no_other_customer() -> None:
    reading = read('00000011,"BTC[1],USD[5\n00000012,USD[3]\n00000013,"ETH[2],US"\n00000014,"USD[4]"')
    assert balances(reading) == {
        ("00000011", "BTC"): "1",
        ("00000012", "USD"): "3",
        ("00000013", "ETH"): "2",
        ("00000014", "USD"): "4",
    }
    assert [(reject.line, reject.text) for reject in reading.rejects] == [(1, "00000011: USD[5"), (3, "00000013: US")]


@pytest.mark.parametrize(
    ("text", "line", "refused", "reason"),
    [
        ('00000011,"BTC[abc],USD[1]"', 1, "00000011: BTC[abc]", "'abc' is not a number"),
        ('00000011,"BTC[],USD[1]"', 1, "00000011: BTC[]", "the amount is missing"),
        ('00000011,"rubbish,USD[1]"', 1, "00000011: rubbish", "not ASSET[amount]"),
        ('00000011,"BTC[0.1234567890123456789],USD[1]"', 1, "00000011: BTC[0.1234567890123456789]", "18 significant"),
        ('00000011,"BTC[1e20],USD[1]"', 1, "00000011: BTC[1e20]", "more than 20 digits"),
        ('00000011,"BTC[1],[5],USD[1]"', 1, "00000011: [5]", "not ASSET[amount]"),
        ('00000011,"USD[1]"\nETH[3]', 2, "ETH[3]", "the row before it is complete"),
        ('00000011,"USD[1]"\nsome words', 2, "some words", "the row before it is complete"),
        ("BTC[2]\n00000011,USD[1]", 1, "BTC[2]", "none stands before it"),
        ("00000011,USD[1]\n00000012,", 2, "00000012", "no balance is listed"),
        ('00000011,"USD[1]",X', 1, "X", "text behind the list"),
        ("00000011,USD[1], NFT (3/lost NFT (4)[1]", 1, "00000011: NFT (3/lost NFT (4)[1]", "not ASSET[amount]"),
        ('00000011,"USD[1],FOO B\nAR[5]"', 1, "00000011: FOO BAR[5]", "torn between lines"),
    ],
)
def test_what_cannot_be_read_is_listed(text: str, line: int, refused: str, reason: str) -> None:
    reading = read(text)
    assert [(reject.file, reject.line, reject.text) for reject in reading.rejects] == [("schedule.csv", line, refused)]
    assert reason in reading.rejects[0].reason
    assert balances(reading)["00000011", "USD"] == "1"


def test_what_follows_a_refused_line_is_not_credited_to_the_customer_before_it() -> None:
    lines = [
        TextLine(1, '00000011,"USD[1]"', True),
        TextLine(2, '000000\\xff,"ETH[2]', False),
        TextLine(3, ',"BTC[3]"', True),
        TextLine(4, "00000013,USD[4]", True),
    ]
    reading = read_filed_schedule("schedule.csv", lines)
    assert balances(reading) == {("00000011", "USD"): "1", ("00000013", "USD"): "4"}
    assert [reject.line for reject in reading.rejects] == [2, 3]


def test_an_asset_listed_twice_is_two_claims() -> None:
    reading = read('00000011,"USD[1.5],USD[-0.25]"\n00000012,USD[1]\n00000011,USD[10]')
    assert balances(reading)["00000011", "USD"] == "11.25"
    assert reading.occurrences == {("00000011", "USD"): 3}


def test_excess_places_are_rounded_half_to_even_only_on_request() -> None:
    text = '00000011,"BTC[0.0000000000000000025],ETH[-0.0000000000000000035],SOL[1e-30]"'
    assert len(read(text).rejects) == 3
    rounded = read(text, round_to_contract=True)
    assert rounded.rejects == []
    assert balances(rounded) == {
        ("00000011", "BTC"): "0.000000000000000002",
        ("00000011", "ETH"): "-0.000000000000000004",
        ("00000011", "SOL"): "0",
    }


CODES = st.one_of(
    st.from_regex(r"[0-9]{8}", fullmatch=True),
    st.from_regex(r"A[0-9a-f]{12}", fullmatch=True),
    st.from_regex(r"C[0-9]{1,4}", fullmatch=True),
)
TICKERS = st.from_regex(r"[A-Z0-9]{1,6}(?:-PERP|-[0-9]{4}|_LOCKED)?", fullmatch=True)
PLAIN_COLLECTIBLES = st.from_regex(r"NFT \([1-9][0-9]{1,17}(?:/[A-Za-z]+(?: [A-Za-z#!.-]+){0,3})?\)", fullmatch=True)
ODD_COLLECTIBLES = st.from_regex(r"NFT \([1-9][0-9]{0,5}/[A-Za-z]+(?: ?[A-Za-z0-9()\[\],:]){0,8}\)", fullmatch=True)
AMOUNTS = st.decimals(min_value=-(10**19), max_value=10**19, places=18, allow_nan=False, allow_infinity=False)


@st.composite
def schedules(draw: st.DrawFn, names: st.SearchStrategy[str]) -> tuple[dict[tuple[str, str], Decimal], str]:
    """Balances, and their rendering with headings, page breaks and cells torn anywhere."""
    truth: dict[tuple[str, str], Decimal] = {}
    lines = [HEADING]
    style = draw(st.sampled_from(["\n", '"\n,"', '"\n' + HEADING + '\n,"', "\nPage 3 of 9\n" + HEADING + "\n"]))
    for code in draw(st.lists(CODES, min_size=1, max_size=4, unique=True)):
        items = []
        for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
            truth[code, name] = amount = draw(AMOUNTS)
            items.append(f"{name}[{amount:{draw(st.sampled_from(['f', 'e', ',f']))}}]")
        text = draw(st.sampled_from([",", ", "])).join(items)
        tears = sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=3)))
        stretches = [text[start:end] for start, end in zip([0, *tears], [*tears, len(text)], strict=True)]
        assume(all(stretch.strip() for stretch in stretches))  # a line of blanks alone is a blank line
        lines.append(f'{code},"{style.join(stretches)}"')
    return truth, "\n".join(lines)


@settings(max_examples=100, deadline=None)
@given(schedules(st.one_of(TICKERS, PLAIN_COLLECTIBLES)))
def test_any_tearing_comes_back_exactly(schedule: tuple[dict[tuple[str, str], Decimal], str]) -> None:
    truth, text = schedule
    reading = read(text)
    found = {(code, name): value for code, assets in reading.balances.items() for name, value in assets.items()}
    assert reading.rejects == []
    assert found == truth


@settings(max_examples=100, deadline=None)
@given(schedules(st.one_of(TICKERS, ODD_COLLECTIBLES)))
def test_odd_names_come_back_exactly_or_are_listed(schedule: tuple[dict[tuple[str, str], Decimal], str]) -> None:
    truth, text = schedule
    reading = read(text)
    found = {(code, name): value for code, assets in reading.balances.items() for name, value in assets.items()}
    refused_codes = {reject.text.partition(":")[0] for reject in reading.rejects}
    assert {code for code, name in truth.keys() - found.keys()} <= refused_codes
    assert found.items() <= truth.items()
