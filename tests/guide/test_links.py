"""Pages of the repository: their links lead somewhere, all are found from the README, what they name exists."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from orchestration import cli
from orchestration.checks import CHECKS
from orchestration.contract import TABLES
from orchestration.settings import REPOSITORY
from orchestration.simulate.faults import FAULTS
from orchestration.warehouse.dbt import manifest_as_json
from orchestration.warehouse.lineage import lineage
from tests.guide.exchange import README
from tests.guide.pages import shown_commands

OWN = ("orchestration", "dbt_project", "expectations", "data")
PAGES = [README, *(page for folder in OWN for page in sorted((REPOSITORY / folder).rglob("*.md")))]
LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([a-z_]+)`")


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def links(page: Path) -> list[str]:
    found = LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return [link for link in found if not link.startswith(("https://", "http://"))]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Anchors of a page's headings, as they are made where the repository is read."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.is_relative_to(REPOSITORY), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_found_from_the_readme() -> None:
    met, waiting = {README}, [README]
    while waiting:
        page = waiting.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in met:
                met.add(target)
                waiting.append(target)
    assert {name(page) for page in PAGES} <= {name(page) for page in met}


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


@cache
def made_from() -> dict[str, frozenset[str]]:
    """Landing tables that each mart is made from, directly or not."""
    nodes = manifest_as_json()["nodes"]

    @cache
    def tables(key: str) -> frozenset[str]:
        kind, _, *source = key.split(".")
        if kind == "source":
            return frozenset(source[1:]) if source[0] == "landing" else frozenset()
        above = nodes[key]["depends_on"].get("nodes", ()) if key in nodes else ()
        return frozenset().union(*map(tables, above))

    return {node["name"]: tables(key) for key, node in nodes.items() if node["schema"] == "marts"}


def rows_of_the_map() -> list[tuple[set[str], set[str], set[str]]]:
    """Records, tables and checks of each row of the README's map."""
    section = README.read_text(encoding="utf-8").partition("## From source to table")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    return [tuple(set(CODE.findall(cell)) for cell in row) for row in rows]


def test_the_readme_s_map_has_every_record_and_every_check() -> None:
    rows = rows_of_the_map()
    assert set().union(*(records for records, _, _ in rows)) == {table.name for table in TABLES}
    assert set().union(*(checks for _, _, checks in rows)) == {check.name for check in CHECKS}


def test_the_readme_s_map_is_what_the_models_do() -> None:
    for records, marts, checks in rows_of_the_map():
        for mart in marts:
            assert made_from()[mart] & records or not records, mart
        for check in checks:
            assert lineage().whole[check] & records or not records, check
        for record in records:
            assert any(record in made_from()[mart] for mart in marts), record


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    inline = re.findall(r"`(ringfence [^`]+)`", FENCED.sub("", text))
    for line in (*shown_commands(text, "ringfence"), *inline):
        command, words = get_command(cli.app), shlex.split(line.replace("\\\n", " "), comments=True)[1:]
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            assert words[0] in command.commands, line
            command, words = command.commands[words[0]], words[1:]
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        given = [word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)]
        assert set(given) <= options, line
        if "--fault" in words:
            assert set(words[words.index("--fault") + 1].split(",")) <= set(FAULTS), line


def test_the_benchmark_s_page_counts_the_faults_there_are() -> None:
    page = (REPOSITORY / "orchestration" / "bench" / "BENCH.md").read_text(encoding="utf-8")
    forms = Counter(fault.form for fault in FAULTS.values())
    rows = re.findall(r"^\| [^|]+ \| \d+ of (\d+) \| \d+ of (\d+) \| \d+ of (\d+) \|", page, re.MULTILINE)
    assert rows
    assert {tuple(map(int, row)) for row in rows} == {(forms["obvious"], forms["quiet"], forms["innocent"])}
