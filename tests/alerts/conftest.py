"""A warehouse, a receiver of messages, and the configuration that sends them there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.alerts.warehouses import SECRET, Warehouse
from tests.connectors import web


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    folder = tmp_path / "warehouse"
    folder.mkdir()
    return Warehouse(folder)


@pytest.fixture
def receiver() -> Iterator[web.Web]:
    with web.serving(lambda _: web.Answer(b"ok")) as running:
        yield running


@pytest.fixture
def alerts_file(receiver: web.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HASH_KEY", "a key")
    section = {
        "environment": "production",
        "hash_key_variable": "HASH_KEY",
        "routes": {
            "hook": {"channel": "webhook", "to": {"url": receiver.url, "secret_variable": "HOOK_SECRET"}},
        },
    }
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(section), encoding="utf-8")
    return path
