"""Which part may know of which: the rules of the layout, kept by machine."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestration.checks import CHECKS
from orchestration.settings import REPOSITORY

PACKAGE = REPOSITORY / "orchestration"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(REPOSITORY / "expectations").rglob("*.py")])

PLAIN = (
    "alerts",
    "connectors",
    "documentation",
    "explore",
    "headlines",
    "imports",
    "landing",
    "operations",
    "simulate",
    "publish",
    "report",
    "reading",
    "shell",
    "warehouse",
    "pipeline",
    "lake",
)
"""Folders that must work without Dagster."""


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def folder_of(module: Path) -> str:
    return module.relative_to(REPOSITORY).parts[1] if module.is_relative_to(PACKAGE) else "expectations"


def name_of(module: Path) -> str:
    return module.relative_to(REPOSITORY).as_posix()


def offenders(breaks_the_rule: Callable[[Path], bool]) -> list[str]:
    return [name_of(module) for module in MODULES if breaks_the_rule(module)]


def test_only_definitions_the_runner_and_the_history_know_dagster() -> None:
    def breaks(module: Path) -> bool:
        allowed = folder_of(module) == "defs" or module.name in (
            "definitions.py",
            "runner.py",
            "dagster_history.py",
            "dagster_launcher.py",
        )
        return not allowed and any(name.split(".")[0] in ("dagster", "dagster_dbt") for name in imported(module))

    assert offenders(breaks) == []


def test_plain_parts_don_t_import_the_assembly() -> None:
    def breaks(module: Path) -> bool:
        above = any(name.startswith(("orchestration.defs", "orchestration.cli")) for name in imported(module))
        return above and folder_of(module) in (*PLAIN, "expectations")

    assert offenders(breaks) == []


def test_simulator_and_imports_know_no_rule_of_the_pipeline() -> None:
    def breaks(module: Path) -> bool:
        rules = any(name.startswith(("orchestration.pipeline", "expectations")) for name in imported(module))
        return rules and folder_of(module) in ("simulate", "imports")

    assert offenders(breaks) == []


def test_the_lake_needs_nothing_but_duckdb() -> None:
    plain = (
        "orchestration.errors",
        "orchestration.lake.",
        "orchestration.reading.published",
        "orchestration.safe_text",
        "orchestration.settings",
        "orchestration.sql",
        "orchestration.warehouse.build_file",
    )

    def breaks(module: Path) -> bool:
        foreign = [name for name in imported(module) if name.split(".")[0] not in {*sys.stdlib_module_names, "duckdb"}]
        return folder_of(module) == "lake" and not all(name.startswith(plain) for name in foreign)

    assert offenders(breaks) == []


def test_the_explorer_s_questions_know_no_web_page_and_nothing_else_knows_streamlit() -> None:
    drawing = {"address.py", "app.py", "charts.py", "frame.py", "serving.py", "showing.py"}

    def breaks(module: Path) -> bool:
        draws = folder_of(module) == "explore" and (module.name in drawing or module.parent.name == "screens")
        return not draws and any(name.split(".")[0] == "streamlit" for name in imported(module))

    assert offenders(breaks) == []


def test_the_explorer_opens_the_published_file_only() -> None:
    below = ("orchestration.landing", "orchestration.pipeline", "orchestration.warehouse", "orchestration.publish")

    def breaks(module: Path) -> bool:
        reaches = any(name.startswith(below) or name == "duckdb.connect" for name in imported(module))
        text = module.read_text(encoding="utf-8")
        return folder_of(module) == "explore" and (reaches or "duckdb.connect(" in text or "build_file" in text)

    assert offenders(breaks) == []


def test_only_settings_reads_the_environment() -> None:
    ways = ("os.getenv", "os.environ.get", "in os.environ", "**os.environ")

    def breaks(module: Path) -> bool:
        text = module.read_text(encoding="utf-8")
        return module.name != "settings.py" and any(way in text for way in ways)

    assert offenders(breaks) == []


def test_every_module_says_what_belongs_in_it() -> None:
    assert offenders(lambda module: not ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))) == []


def test_a_function_fits_a_screen() -> None:
    def breaks(module: Path) -> bool:
        nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        functions = [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        return any(function.end_lineno - function.lineno > 70 for function in functions if function.end_lineno)

    assert offenders(breaks) == []


def test_each_check_has_one_finding_model_of_its_name_and_each_model_a_check() -> None:
    folder = REPOSITORY / "dbt_project" / "models" / "findings"
    models = {(path.parent.name, path.stem) for path in folder.rglob("*.sql")}
    assert models == {(check.kind.value, check.name) for check in CHECKS}


def test_money_is_never_a_binary_float_in_a_mart() -> None:
    floats = []
    for path in (REPOSITORY / "dbt_project" / "models" / "marts").rglob("*.yml"):
        lines = path.read_text(encoding="utf-8").lower().splitlines()
        floats += [f"{path.name}: {line.strip()}" for line in lines if "data_type: double" in line or ": float" in line]
    assert floats == []
