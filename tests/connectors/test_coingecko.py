"""CoinGecko through its official client: prices of the day itself, numbers as written, supply while it is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.base import Batch, Clock, Order, Services
from orchestration.connectors.coingecko import CoinGeckoConfiguration, CoinGeckoConnector
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError, LimitError, TooLateError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults

DAY = date(2026, 3, 4)
NEXT = datetime(2026, 3, 5)


def ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def raw(text: str) -> web.Answer:
    """JSON with its numbers as they are written here."""
    return web.Answer(text.encode())


PRICES: dict[str, list[tuple[int, str, str]]] = {
    "bitcoin": [
        (ms(NEXT - timedelta(hours=2)), "64000.0", "1.0"),
        (ms(NEXT) - 12_345, "64123.123456789012345678", "35123456789.123456789"),
        (ms(NEXT), "1.0", "1.0"),
    ],
    "dust": [(ms(NEXT) - 1, "1.5e-17", "1.2345678901234567e-05"), (ms(NEXT - timedelta(hours=1)), "9.0", "1.0")],
}
SUPPLY = {
    "bitcoin": ("19876543.0", "21000000.0", "2026-03-05T00:29:12.345Z"),
    "dust": ("0.0", "589735030408323.123456789012345678", "2026-03-04T23:58:00Z"),
    "own": ("123456.000000000000000001", "null", "2026-03-05T01:29:12.345+01:00"),
}


def coingecko(request: web.Request) -> web.Answer:
    if request.headers.get("x-cg-demo-api-key") != SECRET:
        return web.Answer({"status": {"error_code": 10002, "error_message": "API Key Missing"}}, 401)
    if request.path == "/api/v3/coins/markets":
        names = request.query["ids"].split(",")
        shown = ", ".join(
            f'{{"id": "{name}", "name": "{name}", "circulating_supply": {SUPPLY[name][0]}, "total_supply":'
            f' {SUPPLY[name][1]}, "last_updated": "{SUPPLY[name][2]}"}}'
            for name in names
            if name in SUPPLY
        )
        return raw(f"[{shown}]")
    coin = request.path.split("/")[4]
    if coin not in PRICES:
        return web.Answer({"error": "coin not found"}, 404)
    assert request.path.endswith("/market_chart/range")
    assert request.query["precision"] == "18"
    first, last = (int(request.query[name]) * 1000 for name in ("from", "to"))
    points = [point for point in PRICES[coin] if first <= point[0] <= last]
    prices = ", ".join(f"[{at}, {price}]" for at, price, _ in points)
    volumes = ", ".join(f"[{at}, {volume}]" for at, _, volume in points)
    return raw(f'{{"prices": [{prices}], "market_caps": [], "total_volumes": [{volumes}]}}')


def section(server: web.Web, **changes: Any) -> dict[str, Any]:
    http = {**HTTP_SETTINGS["http"]}
    return {
        "kind": "coingecko",
        "table": "token_prices",
        "coins": {"bitcoin": "BTC", "dust": "DUST"},
        "api_url": f"{server.url}/api/v3",
        "key_variable": "COINGECKO_TEST_KEY",
        **HTTP_SETTINGS,
        "http": http,
        **changes,
    }


def case_of(server: web.Web, changes: dict[str, Any], expected: dict[str, Any], faults: dict[str, Fault]) -> Case:
    def heal() -> None:
        server.fault = None

    return Case(
        section=section(server, **changes),
        variables={"COINGECKO_TEST_KEY": SECRET},
        day=DAY,
        expected=expected,
        faults={**http_faults(server), **faults},
        heal=heal,
    )


def setting(server: web.Web, text: str) -> Callable[[], None]:
    def begin() -> None:
        server.fault = lambda request, answer: raw(text)

    return begin


class TestPrices(ConformanceTests):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with web.serving(coingecko) as server:
            prices = [
                ("BTC", "64123.123456789012345678", "35123456789.12345679", "2026-03-04 23:59:47.655"),
                ("DUST", "0.000000000000000015", "0.00001235", "2026-03-04 23:59:59.999"),
            ]
            yield case_of(
                server,
                {},
                {
                    "token_prices": [
                        {"asset": asset, "price_usd": price, "volume_usd": volume, "as_of": at, "source": "coingecko"}
                        for asset, price, volume, at in prices
                    ]
                },
                {
                    "empty": Fault(setting(server, '{"prices": [], "total_volumes": []}'), "there is none of that day"),
                    "another shape": Fault(setting(server, "[]"), "is no series"),
                    "half a series": Fault(setting(server, '{"prices": [[1]]}'), "hold no series prices"),
                    "unknown": Fault(
                        lambda: setattr(server, "fault", lambda *_: web.Answer({"error": "coin not found"}, 404)),
                        "coin not found",
                    ),
                },
            )


class TestSupply(ConformanceTests):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with web.serving(coingecko) as server:
            yield case_of(
                server,
                {
                    "table": "token_supply",
                    "coins": {"bitcoin": "BTC", "dust": "DUST", "own": "OWN"},
                    "coins_per_request": 2,
                },
                {
                    "token_supply": [
                        {"asset": asset, "as_of": at, "circulating": circulating, "total": total}
                        for asset, at, circulating, total in (
                            ("BTC", "2026-03-05 00:29:12.345", "19876543", "21000000"),
                            ("DUST", "2026-03-04 23:58:00", None, "589735030408323.123456789012345678"),
                            ("OWN", "2026-03-05 00:29:12.345", "123456.000000000000000001", None),
                        )
                    ]
                },
                {
                    "empty": Fault(setting(server, "[]"), "leaves out bitcoin, dust (2 of 2 coins)"),
                    "another shape": Fault(setting(server, '{"bitcoin": 1}'), "is no list of them"),
                    "others": Fault(setting(server, '[{"id": "other"}]'), "that it wasn't asked for"),
                },
            )


def connector(tmp_path: Path, server: web.Web, now: datetime = NEXT, **changes: Any) -> CoinGeckoConnector:
    services = Services(tmp_path, clock=Clock(now=lambda: now, sleep=lambda _: None))
    configuration = CoinGeckoConfiguration.model_validate(section(server, **changes))
    return CoinGeckoConnector("tested", configuration, services)


def rows(source: CoinGeckoConnector, day: date = DAY) -> list[dict[str, Any]]:
    return [row for batch in source.pull(Order(day)) if isinstance(batch, Batch) for row in batch.rows.to_pylist()]  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINGECKO_TEST_KEY", SECRET)


@pytest.mark.parametrize(
    ("series", "says"),
    [
        ('{"prices": [[%d, 0.0]], "total_volumes": []}', "say 0.0 with a volume of None"),
        ('{"prices": [[%d, -1]], "total_volumes": []}', "say -1"),
        ('{"prices": [[%d, 5]], "total_volumes": [[%d, -1]]}', "with a volume of -1"),
        ('{"prices": [[%d, null]], "total_volumes": []}', "is None, which is no number"),
        ('{"prices": [[%d, "x"]], "total_volumes": []}', "no number"),
        ('{"prices": [[%d, 5], [%d, 6]], "total_volumes": []}', "say two things of"),
        ('{"prices": [["soon", 5]], "total_volumes": []}', "no number"),
        ('{"prices": [[17, 5]], "total_volumes": []}', "no time in milliseconds"),
    ],
)
def test_a_price_that_cannot_be_is_refused(tmp_path: Path, series: str, says: str) -> None:
    at = ms(NEXT) - 1
    with web.serving(lambda _: raw(series.replace("%d", str(at)))) as server, pytest.raises(AnswerError, match=says):
        rows(connector(tmp_path, server, coins={"bitcoin": "BTC"}))


def test_an_old_price_does_not_stand_for_the_day(tmp_path: Path) -> None:
    series = f'{{"prices": [[{ms(NEXT - timedelta(minutes=91))}, 5]], "total_volumes": []}}'
    with web.serving(lambda _: raw(series)) as server:
        with pytest.raises(EmptyAnswerError, match="the last one is of 2026-03-04 22:29"):
            rows(connector(tmp_path, server))
        (bitcoin, _) = rows(connector(tmp_path, server, oldest_minutes=120))
        assert (bitcoin["price_usd"], bitcoin["volume_usd"]) == ("5", None)


def test_prices_of_any_past_day_can_be_pulled_and_supplies_cannot(tmp_path: Path) -> None:
    later = NEXT + timedelta(days=300)
    with web.serving(coingecko) as server:
        assert len(rows(connector(tmp_path, server, later))) == 2
        supply = connector(tmp_path, server, later, table="token_supply")
        with pytest.raises(TooLateError, match="supplies at CoinGecko can only be had as they are now"):
            rows(supply)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ('"circulating_supply": 1, "last_updated": null', "isn't dated"),
        ('"circulating_supply": 1, "last_updated": "2026-03-05T00:10:00"', "isn't dated"),
        ('"circulating_supply": 1, "last_updated": "2026-03-03T23:59:59Z"', "before the end of 2026-03-04"),
        ('"circulating_supply": 1, "last_updated": "2026-03-06T00:00:00Z"', "more than 6 hours after"),
        ('"circulating_supply": -1, "last_updated": "2026-03-05T00:10:00Z"', "is negative"),
        ('"circulating_supply": "many", "last_updated": "2026-03-05T00:10:00Z"', "no number"),
        ('"circulating_supply": 0, "total_supply": null, "last_updated": "2026-03-05T00:10:00Z"', "isn't known"),
    ],
)
def test_a_supply_that_cannot_be_is_refused(tmp_path: Path, state: str, says: str) -> None:
    answer = raw(f'[{{"id": "bitcoin", {state}}}]')
    with web.serving(lambda _: answer) as server, pytest.raises(AnswerError, match=says):
        rows(connector(tmp_path, server, table="token_supply", coins={"bitcoin": "BTC"}))


def test_a_coin_that_coingecko_does_not_know_is_named(tmp_path: Path) -> None:
    with web.serving(coingecko) as server:
        source = connector(tmp_path, server, coins={"bitcoin": "BTC", "bitcon": "X"})
        with pytest.raises(IncompleteError, match=r"leaves out bitcon \(1 of 2 coins\)"):
            list(source.check())


def test_the_key_goes_into_the_header_of_its_plan_and_the_environment_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINGECKO_PRO_API_KEY", "not ours")
    monkeypatch.setenv("COINGECKO_CUSTOM_HEADERS", "x-more: not ours")
    monkeypatch.setenv("COINGECKO_BASE_URL", "http://127.0.0.1:9")
    series = f'{{"prices": [[{ms(NEXT) - 1}, 5]], "total_volumes": []}}'
    with web.serving(lambda _: raw(series)) as server:
        rows(connector(tmp_path, server, coins={"bitcoin": "BTC"}, plan="pro"))
        rows(connector(tmp_path, server, coins={"bitcoin": "BTC"}, key_variable=None))
        with_key, without = (dict(request.headers) for request in server.requests)
    assert with_key["x-cg-pro-api-key"] == SECRET
    assert "not ours" not in f"{with_key}{without}"
    assert not [name for name in without if "api-key" in name]


def test_a_number_with_too_many_digits_is_not_read(tmp_path: Path) -> None:
    digits = "1" * 3_000_000
    with web.serving(lambda _: raw(f'{{"prices": [[{digits}, 5]]}}')) as server, pytest.raises(LimitError):
        rows(connector(tmp_path, server))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"coins": {}}, "at least 1"),
        ({"coins": {"a": "X", "b": "X"}}, "two coins are X"),
        ({"coins": {"../ping": "X"}}, "pattern"),
        ({"table": "wallets"}, "token_prices"),
        ({"coins_per_request": 251}, "less than or equal to 250"),
    ],
)
def test_a_section_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CoinGeckoConfiguration.model_validate(
            {"kind": "coingecko", "table": "token_prices", "coins": {"bitcoin": "BTC"}, **changes}
        )
