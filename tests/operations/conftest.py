"""One warehouse for all tests of this folder; each that changes something takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.pipeline.run import ExitStatus
from orchestration.settings import Settings, WarehousePaths
from tests.operations.standing import copy_warehouse, publish_runs


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> WarehousePaths:
    paths = WarehousePaths(tmp_path_factory.mktemp("template") / "warehouse")
    publish_runs(paths, ExitStatus.PASSED)
    paths.root.chmod(0o700)
    return paths


@pytest.fixture
def settings(template: WarehousePaths, tmp_path: Path) -> Settings:
    """A warehouse in good order, with one run that passed."""
    return Settings(tmp_path / "landing", copy_warehouse(template, tmp_path / "warehouse").root)
