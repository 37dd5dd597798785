"""The SQL of the views a reader offers. `raw_<table>` shows rows as stored; `<table>` shows what they mean today."""
# ruff: noqa: S608 - every name in these statements is our own, every path is quoted

from collections.abc import Sequence

import pyarrow as pa

import telemetry
from storage._sql import duckdb_type, quoted


def columns(schema: pa.Schema) -> str:
    """Return the columns that files are read by: by name, null where a file lacks one."""
    return ", ".join(
        f"'{field.name}': {{name: '{field.name}', type: '{duckdb_type(field.type)}', default_value: NULL}}"
        for field in schema
    )


_COLUMNS = {table: columns(schema) for table, schema in telemetry.TABLES.items()}
MAP = "lineage_map"
"""Table of composed lineage: from_id, to_id, recipe; one row an id that has moved on. `keys` and `known` are null but
for ids that are split: their rows go elsewhere if the values of `keys` are among those known (`ROUTES`)."""
ROUTES = "lineage_routes"
"""Where rows of split ids go: from_id, key, to_id, recipe."""
ROWS = "split_rows"
"""Sums of the rows of split ids, by data file and key."""
TEXTS = "edited_texts"
"""Texts of the templates that edits made or changed: template_id, template."""


def tables() -> list[str]:
    """Return the statements that create the tables of the reader's own that the views stand on."""
    recipe = duckdb_type(telemetry.RECIPE)
    return [
        f"CREATE TABLE {MAP} (from_id BIGINT PRIMARY KEY, to_id BIGINT, recipe {recipe}, keys {recipe}, "
        "known VARCHAR[][])",
        f"CREATE TABLE {ROUTES} (from_id BIGINT, key VARCHAR[], to_id BIGINT, recipe {recipe})",
        f"CREATE TABLE {TEXTS} (template_id BIGINT PRIMARY KEY, template VARCHAR)",
        f"""CREATE TABLE {ROWS} (file VARCHAR, from_id BIGINT, key VARCHAR[], minute TIMESTAMPTZ, service VARCHAR,
        severity_number TINYINT, source VARCHAR, "partition" INTEGER, first_seen TIMESTAMPTZ, last_seen TIMESTAMPTZ,
        "count" BIGINT, "offset" BIGINT, example VARCHAR)""",
    ]


def rendered(recipe: str) -> str:
    """Return an expression for the values that the column `recipe` makes of the column `params`."""
    return f"""list_transform({recipe}, lambda parts: array_to_string(
        list_transform(parts, lambda part: coalesce(part.text, params[part.param + 1], '')), ''))"""


# Of each value whether it is known, and if so which: no text is both.
_KEY = f"""CASE WHEN {MAP}.keys IS NULL THEN NULL ELSE list_transform({rendered(f"{MAP}.keys")}, lambda value, n:
    CASE WHEN list_contains({MAP}.known[n], value) THEN '=' || value ELSE '' END) END"""


def source(table: str, files: Sequence[str], filename: bool = False) -> str:
    """Return a FROM item over data files of a table; zero rows of the right types where there are none.

    Columns that a file does not have, as it is older, are null; those we do not know, as it is newer, are left out.
    """
    if files:
        option = ", filename = true" if filename else ""
        names = ", ".join(quoted(file) for file in files)
        return f"read_parquet([{names}], schema = MAP {{{_COLUMNS[table]}}}{option})"
    columns = (f'CAST(NULL AS {duckdb_type(field.type)}) AS "{field.name}"' for field in telemetry.TABLES[table])
    return f"(SELECT {', '.join(columns)} WHERE false)"


def with_lineage(table: str, rows: str, splits: bool) -> str:
    """Return a query over the FROM item `rows` of a table with lineage applied to its template ids and parameters.

    `splits`: some ids are split; a table without parameters has their rows under the id they were split from.
    """
    routed = splits and "params" in telemetry.TABLES[table].names
    to_id, recipe = f"{MAP}.to_id", f"{MAP}.recipe"
    join = f"LEFT JOIN {MAP} ON template_id = {MAP}.from_id"
    if routed:
        to_id, recipe = f"{ROUTES}.to_id, {to_id}", f"coalesce({ROUTES}.recipe, {recipe})"
        join += f" LEFT JOIN {ROUTES} ON {ROUTES}.from_id = template_id AND {ROUTES}.key = {_KEY}"
    replaced = [f"coalesce({to_id}, template_id) AS template_id"]
    if "params" in telemetry.TABLES[table].names:
        replaced.append(f"CASE WHEN {recipe} IS NULL THEN params ELSE {rendered(recipe)} END AS params")
    return f"SELECT raw.* REPLACE ({', '.join(replaced)}) FROM {rows} raw {join}"


def raw_view(table: str, files: Sequence[str]) -> str:
    """Return the statement that points `raw_<table>` at data files."""
    return f"CREATE OR REPLACE VIEW raw_{table} AS SELECT * FROM {source(table, files)}"


def split_sums(files: Sequence[str], example: int) -> str:
    """Return the query that sums up rows of split ids in data files of `logs`, in the columns of `ROWS`."""
    return f"""SELECT filename, template_id, {_KEY}, date_trunc('minute', time), service, severity_number, source,
            "partition", min(time), max(time), count(*), max("offset"), left(arg_max(body, (time, "offset")), {example})
        FROM {source("logs", files, filename=True)} raw JOIN {MAP} ON template_id = {MAP}.from_id
        WHERE {MAP}.keys IS NOT NULL GROUP BY ALL"""


def meaning_views(has_lineage: bool, has_splits: bool) -> list[str]:
    """Return the statements that create the views on top of the raw ones. Without lineage they need no join."""
    queries = {table: f"SELECT * FROM raw_{table}" for table in telemetry.TABLES}
    if has_lineage:
        queries |= {table: with_lineage(table, f"raw_{table}", has_splits) for table in ("logs", "log_counts")}
    if has_splits:
        queries["log_counts"] = _SPLIT_COUNTS
    queries["templates"] = _templates(_SPLIT_DELTAS if has_splits else _DELTAS)
    queries["incidents"] = (
        "SELECT * FROM raw_incidents QUALIFY row_number() OVER (PARTITION BY id ORDER BY seq DESC, updated DESC) = 1"
    )
    queries["suspects_history"] = "SELECT * FROM raw_suspects"
    queries["suspects"] = (
        "SELECT * FROM raw_suspects QUALIFY ranked_at = max(ranked_at) OVER (PARTITION BY incident_id)"
    )
    return [f"CREATE OR REPLACE VIEW {name} AS {query}" for name, query in queries.items()]


# Counts of split ids come from the rows that are left of them; where `logs` no longer holds any, they stay in one.
_SPLIT_COUNTS = f"""
SELECT minute, service, severity_number, coalesce(to_id, template_id) AS template_id, "count", source, "partition",
    "offset"
FROM raw_log_counts raw LEFT JOIN {MAP} ON template_id = {MAP}.from_id
WHERE keys IS NULL OR NOT EXISTS (
    FROM {ROWS} kept WHERE kept.from_id = template_id AND kept.minute = raw.minute AND kept.service = raw.service
    AND kept.severity_number IS NOT DISTINCT FROM raw.severity_number AND kept.source = raw.source
    AND kept."partition" = raw."partition")
UNION ALL
SELECT minute, service, severity_number, to_id, "count", source, "partition", "offset"
FROM {ROWS} JOIN {ROUTES} USING (from_id, key)
"""

_DELTAS = f"""
SELECT coalesce(to_id, template_id) AS to_id, template_id = coalesce(to_id, template_id) AS own, service, template,
    first_seen, last_seen, "count", example, source, "partition", "offset"
FROM raw_templates LEFT JOIN {MAP} ON template_id = from_id
"""
_SPLIT_DELTAS = f"""{_DELTAS} WHERE keys IS NULL
UNION ALL
SELECT to_id, true, service, NULL, first_seen, last_seen, "count", example, source, "partition", "offset"
FROM {ROWS} JOIN {ROUTES} USING (from_id, key)
UNION ALL
SELECT to_id, false, service, template, first_seen, last_seen, stored - kept, example, source, "partition", "offset"
FROM (
    SELECT any_value({MAP}.to_id) AS to_id, raw.service, min(template) AS template, min(raw.first_seen) AS first_seen,
        max(raw.last_seen) AS last_seen, sum(raw."count")::BIGINT AS stored, arg_max(raw.example, raw.last_seen)
        AS example, min(raw.source) AS source, min(raw."partition") AS "partition", max(raw."offset") AS "offset",
        coalesce((SELECT sum("count") FROM {ROWS} kept WHERE kept.from_id = template_id
            AND kept.service = raw.service), 0)::BIGINT AS kept
    FROM raw_templates raw JOIN {MAP} ON template_id = {MAP}.from_id WHERE keys IS NOT NULL
    GROUP BY template_id, raw.service)
WHERE stored > kept
"""


def _templates(deltas: str) -> str:
    """Return the query of the view `templates`, over (possibly several) rows a template and service.

    A template's id is the hash of its text, so all rows of an id carry one text, whatever their service.
    """
    return f"""
WITH texts AS (
    SELECT template_id, min(template) AS template
    FROM (SELECT template_id, template FROM raw_templates UNION ALL FROM {TEXTS}) GROUP BY ALL),
deltas AS ({deltas}),
folded AS (
    SELECT to_id AS template_id, service, arg_max(template, (last_seen, source, "partition", "offset")) AS newest,
        min(first_seen) AS first_seen, max(last_seen) AS last_seen, sum("count")::BIGINT AS "count",
        arg_max(example, (own, last_seen, source, "partition", "offset")) AS example
    FROM deltas GROUP BY ALL
)
SELECT template_id, service, coalesce(template, newest) AS template, first_seen, last_seen, "count", example
FROM folded LEFT JOIN texts USING (template_id)
"""
