"""The accepted rows of a build file as Parquet: what the dbt project reads when it is built on another engine.

What belongs here: which tables the models read and how their types are written down. What doesn't: models, and how an
engine makes tables of the files (``dbt_project/macros/engine/source_files.sql``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.landing.dbt_files import model_sources
from orchestration.sql import identifier, quoted
from orchestration.warehouse.build_file import build_connection

_BATCH_ROWS = 100_000
_WRITTEN_AS = {"HUGEINT": "decimal(38, 0)", "UHUGEINT": "decimal(38, 0)", "UBIGINT": "decimal(20, 0)"}
"""Types that not every engine reads from Parquet, and the exact ones they are written as."""
_PLAIN_TYPE = re.compile(r"(VARCHAR|BOOLEAN|DATE|TIMESTAMP|INTEGER|BIGINT|DECIMAL\(\d+,\d+\))(\[\])?")
_WHOLE_PLAN = (
    "select true as is_whole, 'built anew from exported rows' as reason, null::bigint as built_load_number,"
    " null::timestamp as built_knowledge_at, null::date as built_last_date"
)
"""What stands in for the plan of the last run: another engine holds nothing that could be continued."""


class ExportError(RingfenceError):
    """Rows can't be written down exactly, or not to that place."""


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table written to ``<place>/<schema>/<name>/``."""

    schema: str
    name: str
    rows: int


def export_sources(build_file: Path, place: str) -> list[ExportedTable]:
    """Write every table that models read to a folder or an object-storage URL, one Parquet file each.

    A file that is already there is replaced. Times are UTC and carry no zone; decimals keep their scale. Raises
    ExportError if the build file isn't there, a type has no exact counterpart, or the place can't be written to.
    """
    if not build_file.exists():
        raise ExportError(f"no build file {build_file}; run the job on this warehouse first")
    filesystem, root = _filesystem(place)
    with build_connection(build_file, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return [
            ExportedTable(schema, name, _export(connection, _rows_sql(connection, schema, name), filesystem, path))
            for schema, name in model_sources()
            for path in [f"{root}/{schema}/{name}"]
        ]


def _filesystem(place: str) -> tuple[fs.FileSystem, str]:
    """Hadoop's names of the schemes (s3a, s3n) are Spark's; the same URL is given to both."""
    try:
        if "://" not in place:
            return fs.LocalFileSystem(), str(Path(place).resolve())
        filesystem, path = fs.FileSystem.from_uri(re.sub(r"^s3[an]://", "s3://", place))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise ConfigurationError(f"{place!r} is no folder or URL that can be written to ({error})") from error
    return filesystem, path.rstrip("/")


def _rows_sql(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> str:
    if (schema, name) == ("policy", "build_plan"):
        return _WHOLE_PLAN
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?"
        " order by column_index",
        [schema, name],
    ).fetchall()
    if not columns:
        raise ExportError(f"the build file has no table {schema}.{name}; run the job on this warehouse once more")
    items = ", ".join(_item(f"{schema}.{name}", column, type_) for column, type_ in columns)
    condition = " where false" if (schema, name) == ("policy", "built_asset_day") else ""
    return f"select {items} from {identifier(schema)}.{identifier(name)}{condition}"


def _item(table: str, column: str, type_: str) -> str:
    if type_ in _WRITTEN_AS:
        return f"cast({identifier(column)} as {_WRITTEN_AS[type_]}) as {identifier(column)}"
    if not _PLAIN_TYPE.fullmatch(type_):
        raise ExportError(f"column {quoted(column)} of {table} has type {type_}, which has no exact type in Parquet")
    return identifier(column)


def _export(connection: duckdb.DuckDBPyConnection, sql: str, filesystem: fs.FileSystem, folder: str) -> int:
    reader = connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
    rows = 0
    try:
        filesystem.create_dir(folder, recursive=True)
        with pq.ParquetWriter(f"{folder}/rows.parquet", reader.schema, filesystem=filesystem) as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
    except OSError as error:
        raise ExportError(f"{folder} can't be written to ({error}); check the place and its rights") from error
    return rows
