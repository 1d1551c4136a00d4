"""Messages and channels for tests, and what somebody hostile or long-winded could have put into them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.alerts.channels import CHANNELS, Channel, ChannelServices, Sending
from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Content, Told
from orchestration.connectors.base import Clock, Services

NIGHT = datetime(2026, 3, 5, 0, 40)
ORDER = (
    "reserves_cover_liabilities",
    "2.5 BTC were missing.",
    "100,000.00 USD at stake",
    "2026-03-01",
    "in_kind_group BTC",
    "first message",
    "select * from marts.fct_reserve_coverage_daily",
    "ringfence alerts show 7",
    "team:financial-control",
    "https://wiki.example.org/reserves",
)
"""What a message says, in the order of issue 6."""


def told(**changes: Any) -> Told:
    values: dict[str, Any] = {
        "fingerprint": "f" * 16,
        "number": 7,
        "occasion": "new",
        "category": "the business is in breach",
        "severity": "critical",
        "check_name": "reserves_cover_liabilities",
        "asset": "BTC",
        "what": "2.5 BTC were missing.",
        "how_much": "-2.5 BTC; 100,000.00 USD at stake",
        "impact_usd": "100000",
        "since": "2026-03-01 (4 days)",
        "day": "2026-03-04",
        "affected": "in_kind_group BTC",
        "changed": "first message",
        "query": "select * from marts.fct_reserve_coverage_daily where gap = 0",
        "command": "ringfence alerts show 7 --warehouse /warehouse",
        "owner": "team:financial-control",
        "runbook": "https://wiki.example.org/reserves",
    }
    return Told(**(values | changes))


def sending(
    *contents: Told,
    occasion: Occasion = Occasion.OPENED,
    is_test: bool = False,
    line: str = "ffff:7",
    place: int = 0,
    **changes: Any,
) -> Sending:
    content = Content("production", occasion, contents or (told(),), **changes)
    return Sending(f"hook:{line}:{place}", line, occasion, content, is_test)


def channel(
    name: str,
    now: Callable[[], datetime] = lambda: NIGHT,
    environment: str = "production",
    route: str = "hook",
    **settings: Any,
) -> Channel:
    made = CHANNELS[name]
    clock = Clock(now=now, sleep=lambda _: None)
    services = ChannelServices(Services(Path(), clock=clock), now, environment, route)
    return made(made.settings_class.model_validate(settings), services)


HOSTILE = (
    "<!channel> <@U123> @everyone @here *bold* _it_ `code` ```fence``` [text](http://evil.example) <at>Bob</at> & \\"
)
LONG = told(
    what=f"Überschüsse 不足 {HOSTILE} " + "🪙 schüsse " * 900,
    query="select <a> & b, '```' from t where x = '@everyone' " * 200,
    command="ringfence alerts show 7 --warehouse " + "/very/long" * 100,
    asset="COIN <!here> @everyone " + "Ä" * 300,
    affected="asset " + "不" * 400,
    owner="team:" + "o" * 500,
    runbook="https://wiki.example.org/" + "r" * 900,
)
WORST = sending(
    *[LONG] * 10,
    line="prod:asset:COIN 不足 🪙 @everyone",
    grouped_by="one asset",
    more=12_345,
    explains=tuple(f"{HOSTILE} {'y' * 300}" for _ in range(200)),
)
"""Ten incidents with long texts that try to be markup, many more, and two hundred that they explain."""
