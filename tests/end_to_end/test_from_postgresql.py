"""From an exchange's own PostgreSQL to the first finding, by the example's files and the commands of SOURCES.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestration import cli
from orchestration.bench.speed.contenders.postgresql_tools import Server
from orchestration.connectors.kinds import kinds_by_name
from orchestration.settings import REPOSITORY
from tests.connectors.conformance import SECRET
from tests.connectors.postgresql_server import USER, exchange_server
from tests.guide.pages import blocks, commands, not_printed

EXAMPLES = REPOSITORY / "orchestration" / "connectors" / "examples"
PAGE = EXAMPLES.with_name("SOURCES.md")
RIGHTS = f"grant usage on schema exchange to {USER}; grant select on all tables in schema exchange to {USER}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with exchange_server() as running:
        running.run((EXAMPLES / "postgresql.sql").read_text(encoding="utf-8") + RIGHTS, "exchange")
        yield running


def ringfence(*arguments: object) -> int:
    return cli._invoke([str(argument) for argument in arguments])


def test_an_affiliate_below_zero_is_found_in_the_exchanges_own_tables(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXCHANGE_DB_PASSWORD", SECRET)
    sections = yaml.safe_load((EXAMPLES / "postgresql.yaml").read_text(encoding="utf-8"))
    address = f"postgresql://{USER}:${{EXCHANGE_DB_PASSWORD}}@/exchange?host={server.folder}"
    sections["exchange_database"]["connection"] = address
    file = tmp_path / "sources.yaml"
    file.write_text(yaml.safe_dump({"sources": sections}, sort_keys=False), encoding="utf-8")
    landing, warehouse = tmp_path / "landing", tmp_path / "warehouse"

    assert ringfence("sources", "check", "--sources", file, "--landing", landing) == 0
    printed = [capsys.readouterr().out]
    days = ("--from", "2026-11-20", "--to", "2026-11-21")
    assert ringfence("sources", "pull", "--sources", file, "--landing", landing, *days) == 0
    printed.append(capsys.readouterr().out)

    assert ringfence("run", "--landing", landing, "--warehouse", warehouse, "--date", "2026-11-21") == 3
    printed.append(capsys.readouterr().out)
    assert ringfence("findings", "--warehouse", warehouse) == 0
    printed.append(capsys.readouterr().out)
    (shown,) = [block for block in blocks(PAGE.read_text(encoding="utf-8")) if block.language == "console"]
    examples = commands(shown)[1:]  # the first sets the password
    assert [example.line.split()[1] for example in examples] == ["sources", "sources", "run", "findings"]
    for example, text in zip(examples, printed, strict=True):
        assert not_printed(example.output, text) == [], example.line

    assert ringfence("findings", "--warehouse", warehouse, "--format", "json") == 0
    findings = {
        (row["check_name"], row["subject_id"], row["impact_usd"].split(".")[0])
        for row in json.loads(capsys.readouterr().out)
    }
    assert findings >= {
        ("no_negative_balance", "200", "60000"),
        ("affiliate_privileges", "200", "60000"),
        ("reserves_cover_liabilities", "USD", "60000"),
    }
    assert len(findings) == 7


def test_the_example_has_every_key() -> None:
    (section,) = yaml.safe_load((EXAMPLES / "postgresql.yaml").read_text(encoding="utf-8")).values()
    configuration = kinds_by_name()["postgresql"].load().configuration_class
    assert set(section) == set(configuration.model_fields)
    written = yaml.safe_dump(section)
    for key in ("from", "query", "cursor", "time_zone", "overlap", "where", "may_be_empty", "removed_rows"):
        assert f"{key}:" in written
    for key in ("earlier_rows", "column", "sql", "value", "values", "decimals", "epoch"):
        assert f"{key}:" in written
