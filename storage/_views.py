"""The SQL of the views a reader offers. `raw_<table>` shows rows as stored; `<table>` shows what they mean today."""
# ruff: noqa: S608 - every name in these statements is our own, every path is quoted

from collections.abc import Sequence

import telemetry
from storage._sql import duckdb_type, quoted

MAP = "lineage_map"
"""Table of composed lineage: from_id, to_id, recipe; one row an id that has moved on."""

_PARAMS = f"""CASE WHEN {MAP}.recipe IS NULL THEN params ELSE list_transform({MAP}.recipe, lambda parts:
    array_to_string(list_transform(parts, lambda part: coalesce(part.text, params[part.param + 1], '')), '')) END"""


def create_map() -> str:
    """Return the statement that creates the empty lineage map."""
    recipe = duckdb_type(telemetry.LINEAGE.field("recipe").type)
    return f"CREATE TABLE {MAP} (from_id BIGINT PRIMARY KEY, to_id BIGINT, recipe {recipe})"


def source(table: str, files: Sequence[str]) -> str:
    """Return a FROM item over data files of a table; zero rows of the right types where there are none."""
    if files:
        return f"read_parquet([{', '.join(quoted(file) for file in files)}])"
    columns = (f'CAST(NULL AS {duckdb_type(field.type)}) AS "{field.name}"' for field in telemetry.TABLES[table])
    return f"(SELECT {', '.join(columns)} WHERE false)"


def with_lineage(table: str, rows: str) -> str:
    """Return a query over the FROM item `rows` of a table with lineage applied to its template ids and parameters."""
    replaced = [f"coalesce({MAP}.to_id, template_id) AS template_id"]
    if "params" in telemetry.TABLES[table].names:
        replaced.append(f"{_PARAMS} AS params")
    return (
        f"SELECT raw.* REPLACE ({', '.join(replaced)}) FROM {rows} raw LEFT JOIN {MAP} ON template_id = {MAP}.from_id"
    )


def raw_view(table: str, files: Sequence[str]) -> str:
    """Return the statement that points `raw_<table>` at data files."""
    return f"CREATE OR REPLACE VIEW raw_{table} AS SELECT * FROM {source(table, files)}"


def meaning_views(has_lineage: bool) -> list[str]:
    """Return the statements that create the views on top of the raw ones. Without lineage they need no join."""
    queries = {table: f"SELECT * FROM raw_{table}" for table in telemetry.TABLES}
    if has_lineage:
        queries |= {table: with_lineage(table, f"raw_{table}") for table in ("logs", "log_counts")}
    queries["templates"] = _TEMPLATES
    queries["incidents"] = (
        "SELECT * FROM raw_incidents QUALIFY row_number() OVER (PARTITION BY id ORDER BY seq DESC, updated DESC) = 1"
    )
    queries["suspects_history"] = "SELECT * FROM raw_suspects"
    queries["suspects"] = (
        "SELECT * FROM raw_suspects QUALIFY ranked_at = max(ranked_at) OVER (PARTITION BY incident_id)"
    )
    return [f"CREATE OR REPLACE VIEW {name} AS {query}" for name, query in queries.items()]


# A template's id is the hash of its text, so all rows of an id carry one text, whatever their service.
_TEMPLATES = f"""
WITH texts AS (SELECT template_id, min(template) AS template FROM raw_templates GROUP BY ALL),
folded AS (
    SELECT coalesce(to_id, template_id) AS template_id, service,
        arg_max(template, (last_seen, source, "partition", "offset")) AS newest,
        min(first_seen) AS first_seen, max(last_seen) AS last_seen, sum("count")::BIGINT AS "count",
        arg_max(example, (template_id = coalesce(to_id, template_id), last_seen, source, "partition", "offset"))
            AS example
    FROM raw_templates LEFT JOIN {MAP} ON template_id = from_id GROUP BY ALL
)
SELECT template_id, service, coalesce(template, newest) AS template, first_seen, last_seen, "count", example
FROM folded LEFT JOIN texts USING (template_id)
"""
