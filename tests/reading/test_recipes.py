"""Every block of the recipes does what it says, and so does the example notebook, on one small warehouse."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration import cli
from orchestration.reading import parquet
from orchestration.settings import environment_of_same_imports
from tests.guide.pages import blocks as page_blocks
from tests.support.published import PublishedWarehouse

RECIPES = Path(parquet.__file__).with_name("RECIPES.md").read_text(encoding="utf-8")
BLOCKS = page_blocks(RECIPES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which WAREHOUSE is a published warehouse."""
    folder = tmp_path_factory.mktemp("recipes")
    PublishedWarehouse(folder / "WAREHOUSE").publish()
    return folder


def blocks(kind: str) -> list[str]:
    return [block.text for block in BLOCKS if block.language == kind]


def test_every_block_is_of_a_kind_that_is_run_here() -> None:
    assert {block.language for block in BLOCKS} == {"bash", "python", "sql"}


def run(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a line as a shell would, Ringfence's own commands in this process."""
    told, _, line = line.rpartition(" | ")
    command, _, written = line.partition(" > ")
    program, *arguments = shlex.split(command)
    if program == "marimo":
        ended = subprocess.run(
            [sys.executable, "-m", "marimo", *arguments],
            capture_output=True,
            text=True,
            env=environment_of_same_imports(),
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout
    assert program == "ringfence"
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(shlex.split(told)[1:])))
    assert cli._invoke(arguments) == 0
    out = capsys.readouterr().out
    if written:
        Path(written).write_text(out, encoding="utf-8")
    return out


def test_commands_and_then_python(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands first: a block of Python reads what one of them wrote."""
    monkeypatch.chdir(place)
    lines = [line for text in blocks("bash") for line in text.splitlines()]
    shown = [run(line, capsys, monkeypatch) for line in lines]
    assert "short" in shown[0]
    assert "marts.fct_solvency_daily" in shown[2]
    page = (place / "solvency.html").read_text(encoding="utf-8")
    assert "1,000.50 USD" in page
    assert "affiliate-secret-name" in page
    for number, text in enumerate(blocks("python")):
        exec(compile(text, f"block {number} of Python", "exec"), {})
    assert (place / "solvency.parquet").is_file()


def test_statements_confine_duckdb_s_own_shell(place: Path) -> None:
    (text,) = blocks("sql")
    with duckdb.connect(str(place / "WAREHOUSE" / "ringfence.duckdb"), read_only=True) as connection:
        shown = [connection.execute(statement).fetchall() for statement in text.split(";") if statement.strip()]
        assert shown[-1][0][2] == "short"
        with pytest.raises(duckdb.Error, match="disabled by configuration"):
            connection.execute("from read_text('/etc/hostname')")
