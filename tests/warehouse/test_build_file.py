"""Connections to the build file keep to the environment's memory limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.settings import MEMORY_LIMIT
from orchestration.warehouse.build_file import build_connection


def test_the_memory_limit_is_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY_LIMIT, "512MiB")
    with build_connection(tmp_path / "build.duckdb") as connection:
        assert connection.execute("select current_setting('memory_limit')").fetchall() == [("512.0 MiB",)]


def test_a_memory_limit_that_is_none_is_a_wrong_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY_LIMIT, "plenty")
    with pytest.raises(ConfigurationError, match=MEMORY_LIMIT), build_connection(tmp_path / "build.duckdb"):
        pass
