"""dbt in this process, over the build file.

What belongs here: parsing the project once per state of its files, running commands, closing dbt's connections. What
doesn't: Dagster, and any choice of models.

Parsing costs seconds, so its result is kept in ``dbt_project/target/prepared/<digest>``, where the digest covers every
file of the project: a changed project never meets an old manifest, and processes don't disturb each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestration.errors import RingfenceError
from orchestration.keyed_hashes import process_hashing, without_values
from orchestration.safe_text import one_line
from orchestration.settings import BUILD_FILE_NAME, DBT_PROJECT, set_build_file

_IGNORED_FOLDERS = {"target", "logs"}
_PREPARED = DBT_PROJECT / "target" / "prepared"
_PREPARED_KEPT = 5
_WARNINGS_FILE = "warnings.json"
_PARSED = ("manifest.json", "semantic_manifest.json", "partial_parse.msgpack")

_NODE_FINISHED = "NodeFinished"

KEY_TESTS = ("unique", "unique_combination")
"""The tests by which models declare their keys."""

# A run tests what it publishes and that each hop conserves what it was given; what the inner layers' columns may hold
# is for ``dbt test``.
_INNER_LAYERS = ("staging", "intermediate", "findings", "evidence")


class DbtError(RingfenceError):
    """A model or a test of the dbt project failed: an error of the program's own, with dbt's messages."""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """Outcome of one dbt node. ``status`` is dbt's: success, pass, warn, fail, error or skipped."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None
    message: str | None

    @property
    def is_failure(self) -> bool:
        """Whether the node did not do what it should."""
        return self.status in ("error", "fail", "runtime error")


def _project_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(DBT_PROJECT):
        folders[:] = sorted(name for name in folders if name not in _IGNORED_FOLDERS and not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.endswith(".md"))


def project_digest() -> str:
    """sha256 over the project's files and the versions that parse them."""
    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-duckdb')}\n".encode())
    for path in _project_files():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(DBT_PROJECT)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:24]


def prepared_folder() -> Path:
    """Where the project as it is now stands parsed, once it was."""
    return _PREPARED / project_digest()


def prepare_project() -> Path:
    """Return the folder with dbt's manifests and ``partial_parse.msgpack`` of the project as it is now.

    Parses only if this state of the project was never parsed here. Raises DbtError if it doesn't parse.
    """
    folder = prepared_folder()
    if (folder / _WARNINGS_FILE).exists():
        return folder
    _PREPARED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_PREPARED, prefix=".parsing-") as scratch:
        _parse(Path(scratch))
        with tempfile.TemporaryDirectory(dir=_PREPARED, prefix=".ready-") as ready:
            for name in (*_PARSED, _WARNINGS_FILE):
                shutil.move(Path(scratch, name), Path(ready, name))
            # Whoever installs the project needn't be who runs it; a temporary folder is its maker's alone.
            Path(ready).chmod(0o755)
            if not (folder / _WARNINGS_FILE).exists():
                shutil.rmtree(folder, ignore_errors=True)  # an earlier version of this program left less in it
            try:
                Path(ready).rename(folder)
                Path(ready).mkdir()  # for the context manager to remove
            except OSError:  # another process prepared the same state meanwhile
                if not (folder / _WARNINGS_FILE).exists():
                    raise
    _prune()
    return folder


def _parse(folder: Path) -> None:
    """Parse the project into a folder, and write down there what dbt warned of."""
    warnings: list[str] = []

    def on_event(event: Any) -> None:
        if event.info.level == "warn":
            warnings.append(one_line(event.info.msg))

    set_build_file(folder / BUILD_FILE_NAME)  # its name is the catalog that the parsed nodes refer to
    _invoke(["--no-partial-parse", "parse"], folder, manifest=None, on_event=on_event)
    (folder / _WARNINGS_FILE).write_text(json.dumps(warnings), encoding="utf-8")


def require_no_warnings() -> None:
    """Raise DbtError on anything that dbt warned of when it parsed the project as it is now."""
    file = prepare_project() / _WARNINGS_FILE
    warnings = json.loads(file.read_text(encoding="utf-8"))
    if warnings:
        raise DbtError(f"dbt warns of the project {len(warnings)} times: {'; '.join(warnings[:5])}")


def _prune() -> None:
    def modified(folder: Path) -> float:
        try:
            return folder.stat().st_mtime
        except OSError:
            return 0.0

    folders = sorted((path for path in _PREPARED.iterdir() if not path.name.startswith(".")), key=modified)
    for folder in folders[:-_PREPARED_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _prepared() -> Path:
    """One state of the project for the life of the process, whatever becomes of its files meanwhile."""
    return prepare_project()


@cache
def manifest_as_json() -> dict[str, Any]:
    """The parsed project as dbt writes it for others; once per process."""
    content: dict[str, Any] = json.loads((_prepared() / "manifest.json").read_text(encoding="utf-8"))
    return content


@cache
def semantic_manifest_as_json() -> dict[str, Any]:
    """Semantic models and metrics of the parsed project as dbt writes them for MetricFlow; once per process."""
    content: dict[str, Any] = json.loads((_prepared() / "semantic_manifest.json").read_text(encoding="utf-8"))
    return content


@cache
def manifest() -> Any:
    """The parsed project as dbt's runner takes it, without the tests that a run doesn't ask dbt for; once per process.

    Each test costs, run or not: dbt puts it before all that is built from what it tests.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    # Without the graph that macros could look into, which none does: building it takes as long as reading the rest.
    content = (_prepared() / "partial_parse.msgpack").read_bytes()
    parsed = Manifest.from_msgpack(content, decoder=extended_mashumuro_decoder)
    for key in [key for key, node in parsed.nodes.items() if _is_unasked_test(node)]:
        del parsed.nodes[key]
    parsed.unit_tests.clear()
    return parsed


def _is_unasked_test(node: Any) -> bool:
    """Whether this is a test that a run doesn't ask dbt for: of a key (``warehouse.keys``), or of an inner layer."""
    declaration = getattr(node, "test_metadata", None)
    return declaration is not None and (declaration.name in KEY_TESTS or node.fqn[1] in _INNER_LAYERS)


@contextmanager
def _events_unread() -> Iterator[None]:
    """Spare dbt the messages of what it does: thousands a build, a tenth of its time, and one kind of them is read."""
    from dbt_common.events import event_manager_client
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    class Unread(EventManager):
        def fire_event(self, e: BaseEvent, level: EventLevel | None = None, *rest: Any, **others: Any) -> None:
            is_detail = (level or e.level_tag()) in (EventLevel.DEBUG, EventLevel.INFO)
            if not is_detail or type(e).__name__ == _NODE_FINISHED:
                super().fire_event(e, level, *rest, **others)

    before = event_manager_client.get_event_manager()
    event_manager_client.ctx_set_event_manager(Unread())
    try:
        yield
    finally:
        event_manager_client.ctx_set_event_manager(before)


def _invoke(
    arguments: Sequence[str], artefacts: Path, *, manifest: Any, on_event: Callable[[Any], None] | None = None
) -> Any:
    from dbt.cli.main import dbtRunner

    full = [
        "--no-send-anonymous-usage-stats",
        "--no-use-colors",
        "--log-level",
        "none",
        "--log-level-file",
        "none",
        *arguments,
        "--project-dir",
        str(DBT_PROJECT),
        "--profiles-dir",
        str(DBT_PROJECT),
        "--target-path",
        str(artefacts),
        "--log-path",
        str(artefacts),
    ]
    with _events_unread():
        result = dbtRunner(manifest=manifest, callbacks=[on_event] if on_event else []).invoke(full)
    if result.exception is not None:
        raise DbtError(f"dbt {_command(arguments)} failed: {_said(str(result.exception))}")
    if not result.success and not getattr(result.result, "results", None):
        raise DbtError(f"dbt {_command(arguments)} failed")
    return result.result


def _command(arguments: Sequence[str]) -> str:
    return next(argument for argument in arguments if not argument.startswith("-"))


def _said(text: str) -> str:
    """dbt's message in one line; what DuckDB stumbled on may be a customer's, and this ends in logs."""
    return one_line(without_values(text, process_hashing()))


@contextmanager
def _connections_closed() -> Iterator[None]:
    """dbt keeps its connection, and with it the file's lock, for the life of the process unless told otherwise."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import cleanup_connections, reset_adapters

    try:
        yield
    finally:
        cleanup_connections()
        DuckDBConnectionManager.close_all_connections()
        reset_adapters()


def run_dbt(
    build_file: Path,
    command: str,
    *,
    artefacts: Path,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    on_node: Callable[[str], None] | None = None,
) -> list[NodeResult]:
    """Run ``dbt <command>`` on the build file and return the nodes' outcomes.

    ``full_refresh`` builds incremental models anew; ``on_node`` is called with each node's name when it has finished.
    Raises DbtError, naming the nodes, if any failed.
    """

    def on_event(event: Any) -> None:
        if on_node is not None and event.info.name == _NODE_FINISHED:
            on_node(event.data.node_info.node_name)

    parsed = manifest()
    set_build_file(build_file)
    arguments = ["--no-write-json", command]
    if full_refresh:
        arguments.append("--full-refresh")
    if select:
        arguments += ["--select", *select]
    if exclude:
        arguments += ["--exclude", *exclude]
    with _connections_closed():
        outcome = _invoke(arguments, artefacts, manifest=parsed, on_event=on_event)
    results = [_node_result(item) for item in outcome.results]
    failed = [f"{result.name}: {_said(result.message or result.status)}" for result in results if result.is_failure]
    if failed:
        raise DbtError(f"dbt {command}: {len(failed)} of {len(results)} nodes failed: {'; '.join(failed[:5])}")
    return results


def compile_nodes(*, is_continued: bool = False) -> dict[str, Any]:
    """All models and seeds by unique id as dbt's nodes, compiled for a build file. Raises DbtError if any doesn't.

    ``is_continued`` compiles incremental models as they continue what was built, instead of building it.
    """
    with tempfile.TemporaryDirectory() as scratch, _connections_closed():
        set_build_file(Path(scratch, BUILD_FILE_NAME))
        arguments = ["--no-write-json", "compile", "--no-populate-cache", "--no-introspect"]
        arguments += ["--select", "resource_type:model", "resource_type:seed"]
        arguments += ["--vars", json.dumps({"is_continued": is_continued})]
        outcome = _invoke(arguments, Path(scratch), manifest=manifest())
    failed = [f"{item.node.name}: {_said(item.message)}" for item in outcome.results if item.message]
    if any(_node_result(item).is_failure for item in outcome.results):
        raise DbtError(f"dbt compile: {'; '.join(failed[:5])}")
    built = ("model", "seed")
    return {item.node.unique_id: item.node for item in outcome.results if str(item.node.resource_type) in built}


def _node_result(item: Any) -> NodeResult:
    return NodeResult(
        unique_id=item.node.unique_id,
        name=item.node.name,
        resource_type=str(item.node.resource_type),
        status=str(item.status),
        seconds=float(item.execution_time),
        failures=item.failures,
        message=item.message,
    )
