"""What makes DuckDB safe to hand to strangers: a locked connection, and a gate that lets only reading through.

External access is off but for the store's folder, the configuration is locked, nothing spills to disk, and Python
variables cannot be named. That still leaves writing inside the folder: DuckDB 2 takes a COPY or an INSERT inside a
WITH for part of a SELECT. So the gate has DuckDB parse the statement and looks at the kinds of its nodes.
"""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from storage._location import Location
from telemetry import QueryError

if TYPE_CHECKING:
    import duckdb

_READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?\b", re.IGNORECASE)


def connect(
    location: Location, memory_limit: str, threads: int | None = None, remember: bool = True
) -> "duckdb.DuckDBPyConnection":
    """Return an in-memory DuckDB that can read files below the root of a store and nothing else, for good.

    `remember` what was read of files, their footers above all. DuckDB forgets none of it, that of files long gone
    included, before its memory limit is reached.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "temp_directory": "",
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            **({"threads": str(threads)} if threads else {}),
        }
    )
    if not location.is_local:
        connection.register_filesystem(location.filesystem)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    # The files of a Delta table never change.
    connection.execute(f"SET GLOBAL parquet_metadata_cache = {remember}")
    connection.execute(f"SET GLOBAL enable_external_file_cache = {remember}")
    connection.execute(f"SET allowed_directories = [{quoted(location.url)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def quoted(text: str) -> str:
    """Return text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def check_reading(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    """Raise QueryError unless `sql` is one statement that only reads (SELECT, WITH, FROM, DESCRIBE, SHOW, EXPLAIN)."""
    row = connection.execute("SELECT json_serialize_sql(?)", [_EXPLAIN.sub("", sql, count=1)]).fetchall()[0]
    tree = json.loads(row[0])
    if tree["error"] and tree["error_type"] != "not implemented":
        raise QueryError(f"the query is wrong: {tree['error_message'].strip().splitlines()[0]}")
    if tree["error"]:
        raise QueryError("only a query that reads is allowed: SELECT, WITH, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN")
    if len(tree["statements"]) != 1:
        raise QueryError(f"want exactly one statement, got {len(tree['statements'])}")
    if writing := set(_node_kinds(tree)) - _READING:
        kinds = ", ".join(sorted(kind.split("_")[0] for kind in writing))
        raise QueryError(f"only reading is allowed; inside the query is: {kinds}")


def duckdb_type(kind: Any) -> str:
    """Return the DuckDB type that a Parquet file written from the Arrow type has."""
    if pa.types.is_list(kind):
        return duckdb_type(kind.value_type) + "[]"
    if pa.types.is_map(kind):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.item_type)})"
    if pa.types.is_struct(kind):
        return "STRUCT(" + ", ".join(f'"{field.name}" {duckdb_type(field.type)}' for field in kind) + ")"
    return _SCALARS[str(kind)]


_SCALARS = {
    "string": "VARCHAR",
    "binary": "BLOB",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
}


def _node_kinds(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        kind = tree.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE"):
            yield kind
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _node_kinds(branch)
