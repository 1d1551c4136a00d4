"""From records of an exchange, through the job's own checks and a published warehouse, to messages that arrived.

One exchange, day after day: two accounts let go short, a customer's and an affiliate's, on a day on which the wallets'
node is silent; a delivery that is broken and misses a table; and what was delivered mended, while policy switches a
check off. What is said of each day is kept, and no message may name anybody.
"""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.told import Hashing
from orchestration.alerts.watching import Watch
from orchestration.connectors.base import Clock
from orchestration.pipeline.direct import run_directly
from orchestration.pipeline.findings import INTEGRITY_STAGE, PUBLISHED_STAGE, record_findings
from orchestration.pipeline.run import ExitStatus, close_run, read_context
from orchestration.pipeline.steps import publish_audit_only, publish_run
from orchestration.settings import Settings
from orchestration.warehouse.build_file import build_connection, transaction
from tests.connectors import web
from tests.support.small_exchange import SmallExchange, at, healthy_exchange, write_landing

SHORT, REFUSED = date(2022, 1, 3), date(2022, 1, 4)
MARTS = ("dim_account", "dim_wallet", "dim_entity_relation")
Told = dict[str, Any]


class Records:
    """A landing zone, the runs over it, and the looks after them."""

    def __init__(self, folder: Path, books: SmallExchange, receiver: web.Web) -> None:
        self.books, self.receiver = books, receiver
        self.landing, self.delivered = write_landing(books, folder / "all"), folder / "landing"
        self.settings = Settings(self.delivered, folder / "warehouse")
        for table in self.landing.iterdir():
            if not list(table.glob("date=*")):
                shutil.copytree(table, self.delivered / table.name)
        self.alerts_file = folder / "alerts.yaml"
        to = {"url": receiver.url, "secret_variable": "HOOK_SECRET"}
        section = {
            "environment": "production",
            "hash_key_variable": "HASH_KEY",
            "routes": {"hook": {"channel": "webhook", "to": to, "group_by": "affiliate"}},
        }
        self.alerts_file.write_text(yaml.safe_dump(section), encoding="utf-8")

    def deliver(self, day: date) -> Path:
        """Let a day arrive, and return where its files are."""
        for partition in self.landing.glob(f"*/date={day}"):
            shutil.copytree(partition, self.delivered / partition.relative_to(self.landing))
        return self.delivered

    def close(self, day: date, policy: Path | None = None) -> list[Told]:
        """Run the day, publish what came of it, look the next morning, and return what was said."""
        settings = Settings(self.delivered, self.settings.warehouse, policy_file=policy)
        result = run_directly(settings, f"run-{day}-{len(self.receiver.requests)}", day, day, models=MARTS)
        with build_connection(settings.paths.build_file) as connection:
            context = read_context(connection)
            status = ExitStatus.FAILED_INTEGRITY if result.is_refused else ExitStatus.PASSED
            with transaction(connection):
                record_findings(connection, context, INTEGRITY_STAGE if result.is_refused else PUBLISHED_STAGE)
                if not result.is_refused:
                    connection.execute("delete from audit.finding where kind = 'integrity'")
                close_run(connection, context.run_id, status, "")
        publish_audit_only(settings) if result.is_refused else publish_run(settings)
        return self.look(day)

    def look(self, day: date) -> list[Told]:
        """Look the morning after a day."""
        before = len(self.receiver.requests)
        now = datetime(day.year, day.month, day.day, 7) + timedelta(days=1)
        clock = Clock(now=lambda: now, monotonic=lambda: 0.0, sleep=lambda _: None)
        watched = Watch(load_alerts(self.alerts_file), self.settings.paths, clock).look()
        assert [one.error for one in watched.delivered if one.error] == []
        return [request.json for request in self.receiver.requests[before:]]


@dataclass(frozen=True)
class Story:
    """What was said after each day."""

    records: Records
    short: list[Told]
    refused: list[Told]
    mended: list[Told]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    books = healthy_exchange()
    for name, account, amount in (("c", "c1-spot", "250000"), ("m", "mm-spot", "700000")):
        legs = [(account, "USD", f"-{amount}", "transfer"), ("c3-spot", "USD", amount, "transfer")]
        books.transaction(f"let-go-short-{name}", at(SHORT, 12), legs)
    with pytest.MonkeyPatch.context() as environment, web.serving(lambda _: web.Answer(b"ok")) as receiver:
        environment.setenv("HOOK_SECRET", "a shared secret")
        environment.setenv("HASH_KEY", "a key")
        records = Records(tmp_path_factory.mktemp("records"), books, receiver)
        for number in range(1, SHORT.day + 1):
            records.deliver(date(2022, 1, number))
        (wallets,) = (records.delivered / "wallet_balances" / f"date={SHORT}").iterdir()
        held = wallets.read_text(encoding="utf-8")
        wallets.write_text(held.splitlines(keepends=True)[0], encoding="utf-8")
        short = records.close(SHORT)
        records.deliver(REFUSED)
        prices = records.delivered / "token_prices" / f"date={REFUSED}"
        prices.rename(records.delivered.parent / "held back")
        ledger = records.delivered / "ledger_entries" / f"date={REFUSED}" / "rows.csv.gz"
        text = gzip.decompress(ledger.read_bytes())
        assert b",-400," in text
        ledger.write_bytes(gzip.compress(text.replace(b",-400,", b",four hundred,", 1), mtime=0))
        refused = records.close(REFUSED)
        ledger.write_bytes(gzip.compress(text, mtime=0))
        (records.delivered.parent / "held back").rename(prices)
        wallets.write_text(held, encoding="utf-8")
        policy = records.delivered.parent / "policy.yaml"
        policy.write_text(yaml.safe_dump({"checks": {"prices_agree": {"enabled": False}}}), encoding="utf-8")
        yield Story(records, short, refused, records.close(REFUSED, policy))


def said(messages: list[Told], occasion: str) -> set[tuple[str, str]]:
    """Checks and categories of what was said on an occasion."""
    return {
        (told["check_name"], told["category"])
        for message in messages
        if message["occasion"] == occasion
        for told in message["told"]
    }


def test_a_breach_is_told(story: Story) -> None:
    breaches = {"no_negative_balance", "no_negative_equity", "affiliate_exposure_within_limit"}
    assert said(story.short, "opened") == {
        *((check, "the business is in breach") for check in breaches),
        ("rows_arrive", "data never came"),
    }


def test_what_concerns_an_affiliate_is_told_together_and_a_customer_apart(story: Story) -> None:
    together = [message for message in story.short if ":affiliate:" in message["line"]]
    of_whom = [message for message in together if not message["line"].endswith(Hashing("a key").of("group"))]
    assert len({message["line"] for message in of_whom}) == 1
    checks = {told["check_name"] for message in of_whom for told in message["told"]}
    assert checks >= {"no_negative_balance", "affiliate_exposure_within_limit"}
    apart = [message for message in story.short if message not in together]
    assert "no_negative_balance" in {told["check_name"] for message in apart for told in message["told"]}


def test_a_silent_source_is_told_with_what_follows_from_it(story: Story) -> None:
    (message,) = [message for message in story.short if message["told"][0]["check_name"] == "rows_arrive"]
    explained = " ".join(message["explains"])
    for check in ("reserves_cover_liabilities", "total_reserves_cover_liabilities", "reserve_not_drained"):
        assert check in explained, explained
    # What the ledger says is no consequence of it.
    assert "no_negative_balance" not in explained
    (negative, *_) = [told for message in story.short for told in message["told"] if "negative" in told["check_name"]]
    assert negative["follows_from"].startswith("rows_arrive, table wallet_balances (incident ")


def test_bad_data_and_data_that_never_came_are_told_apart_though_nothing_is_published(story: Story) -> None:
    assert said(story.refused, "opened") == {
        ("schema_conforms", "the data is bad"),
        ("arrivals_complete", "data never came"),
        ("published_in_time", "data never came"),
    }
    assert said(story.refused, "resolved") == set()
    (late,) = [one for message in story.refused for one in message["told"] if one["check_name"] == "published_in_time"]
    assert late["follows_from"].startswith("arrivals_complete, table token_prices (incident ")


def test_what_is_mended_is_over_and_what_stands_by_itself_is_told(story: Story) -> None:
    over = {check for check, _ in said(story.mended, "resolved")}
    assert over == {"schema_conforms", "arrivals_complete", "published_in_time", "rows_arrive"}

    assert said(story.mended, "opened") == {
        # Customers were owed more dollars than the bank holds, silent node or not.
        ("reserves_cover_liabilities", "the business is in breach"),
        # Policy has switched one off.
        ("check_disabled", "a check could not do its work"),
    }


def test_no_message_names_anybody(story: Story) -> None:
    """Identifiers of every table that arrived, in everything that left: bodies, headers, addresses."""
    tables = story.records.books.tables()
    names = {
        str(row[column])
        for table, columns in {
            "accounts": ("account_id", "label"),
            "entities": ("entity_id", "name"),
            "wallets": ("wallet_id", "address"),
            "ledger_entries": ("entry_id", "transaction_id", "reference"),
            "wallet_transfers": ("transfer_id",),
            "entity_attributes": ("attribute_hash",),
        }.items()
        for row in tables[table]
        for column in columns
        if row[column] is not None
    } - {"op", "Op", "external", "open"}
    assert {"c1-spot", "C1", "mm", "w-bank", "let-go-short-c-1"} <= names
    requests = story.records.receiver.requests
    left = [request.body.decode() + str(sorted(request.headers.items())) for request in requests]
    assert len(left) > 5
    words = {word for text in left for word in re.findall(r"[A-Za-z0-9_.:-]+", text)}
    parts = words | {part for word in words for part in re.split(r"[:.]", word)}
    assert names & parts == set()
