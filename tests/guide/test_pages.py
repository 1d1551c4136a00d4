"""What the pages show is what comes out: every command of the tour and the README, and the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guide.exchange import AUDITORS, GUIDE, PAGES, PICTURES, README, TOUR, ExchangeShell, exchange_shell
from tests.guide.generated import GENERATED
from tests.guide.pages import (
    Block,
    Command,
    Shell,
    blocks,
    commands,
    generated_parts,
    not_printed,
    with_generated,
    with_outputs,
)
from tests.guide.pictures import drawn, texts

REMEDY = "if this is as it should be, write the pages anew: python -m tests.guide.refresh"
SHOWN = {page: page.read_text(encoding="utf-8") for page in PAGES}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeShell]:
    with exchange_shell(tmp_path_factory.mktemp("tour"), is_whole=False) as opened:
        yield opened


def console(page: Path) -> list[Command]:
    return [command for block in blocks(SHOWN[page]) if block.language == "console" for command in commands(block)]


def test_the_tour_has_ten_steps_and_each_shows_what_it_says() -> None:
    steps = SHOWN[TOUR].split("\n## ")[2:-1]
    assert [int(step.partition(".")[0]) for step in steps] == list(range(1, 11))
    assert all(any(block.language == "console" for block in blocks(step)) for step in steps)
    assert {block.language for block in blocks(SHOWN[TOUR])} == {"console"}


def test_the_tour_s_commands_print_what_it_shows(shell: ExchangeShell) -> None:
    """First of all: it makes the exchange that the others look at."""
    for command in console(TOUR):
        assert shell.run(command.line) == command.output, f"{command.line}\n{REMEDY}"
    assert (shell.folder / "solvency.html").stat().st_size > 50_000


def test_the_readme_s_commands_print_what_it_shows(shell: ExchangeShell) -> None:
    shown = console(README)
    assert any(command.line.startswith("make demo") for command in shown)
    for command in shown:
        assert shell.run(command.line) == command.output, f"{command.line}\n{REMEDY}"


def test_the_auditors_commands_print_what_their_page_shows(shell: ExchangeShell) -> None:
    assert len(console(AUDITORS)) >= 3
    for command in console(AUDITORS):
        assert shell.run(command.line) == command.output, f"{command.line}\n{REMEDY}"


def test_the_auditors_tables_are_what_the_checks_say() -> None:
    shown = generated_parts(SHOWN[AUDITORS])
    assert set(shown) == set(GENERATED)
    for name, make in GENERATED.items():
        assert shown[name] == make(), REMEDY


def test_the_pictures_are_the_report_s(shell: ExchangeShell) -> None:
    now = drawn(shell.paths)
    assert set(now) == set(PICTURES)
    for name, svg in now.items():
        assert texts((GUIDE / f"{name}.svg").read_text(encoding="utf-8")) == texts(svg)


def test_commands_with_what_belongs_to_them() -> None:
    text = '$ ringfence query "\n  select 1"\n1\n\n$ head -n 1 \\\n  file\n$ echo $?\n'
    assert commands(Block("console", text)) == [
        Command('ringfence query "\n  select 1"', "1\n\n"),
        Command("head -n 1 \\\n  file", ""),
        Command("echo $?", ""),
    ]


@pytest.mark.parametrize("text", ["output first\n", "  $ head\n"])
def test_a_console_block_that_begins_with_no_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins with a command"):
        commands(Block("console", text))


def test_a_command_that_is_not_ended_is_refused() -> None:
    with pytest.raises(ValueError, match="not ended"):
        commands(Block("console", '$ ringfence query "select 1\n'))


def test_a_fence_that_is_not_closed_is_refused() -> None:
    with pytest.raises(ValueError, match="fence"):
        blocks("```console\n$ head\n")


def test_a_page_may_use_nothing_but_filters(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(AssertionError, match="no program"):
        Shell(tmp_path).run("rm -r x")
    with pytest.raises(AssertionError, match="no program"):
        Shell(tmp_path).run("head -n 1 x | sh")


def test_an_output_that_is_not_the_page_s_is_seen_and_put_right(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one  \ntwo\n", encoding="utf-8")
    page = "Text.\n\n```console\n$ head -n 1 file | cut -c 1-2\nthree\n```\n\n```sql\nselect 1\n```\n"
    shown = with_outputs(page, Shell(tmp_path))
    assert shown == page.replace("three", "on")
    assert with_outputs(shown, Shell(tmp_path)) == shown


def test_an_error_of_a_command_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no warehouse in"):
        Shell(tmp_path).run("ringfence findings --warehouse .")


def test_a_shortened_example_leaves_out_and_changes_nothing() -> None:
    printed = "date        asset  usd\n2026-11-21  BTC    60,000\n2026-11-22  ETH    7\n"
    assert not_printed("date asset usd\n2026-11-21 BTC 60,...\n...\n", printed) == []
    assert not_printed("2026-11-21  BTC  61,000\n2026-11-22 ... 8\n", printed) == [
        "2026-11-21  BTC  61,000",
        "2026-11-22 ... 8",
    ]


def test_generated_parts_are_put_in_their_places() -> None:
    page = "a\n<!-- generated: one -->\nold\n<!-- end -->\nb\n"
    assert generated_parts(page) == {"one": "old\n"}
    assert with_generated(page, {"one": "new\n"}) == page.replace("old", "\nnew\n")
