"""What dbt knows of the landing contract is what the contract says."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.landing.dbt_files import files

GENERATED = files()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_in_step_with_the_contract(path: Path) -> None:
    message = "run `python -m orchestration.landing.dbt_files`"
    assert path.read_text(encoding="utf-8") == GENERATED[path], message
