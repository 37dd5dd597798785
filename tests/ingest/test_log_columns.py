"""Columns made shape by shape are those that records give one by one."""

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import telemetry
from ingest import _fields
from ingest._log_columns import _level_text, _severity, log_columns

NAMES = ("level", "msg", "ts", "logger", "service", "trace_id", "span_id", "severity_number", "order", "ok", "stream")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.integers(0, 60), st.floats(), st.text(max_size=4),
    st.sampled_from(["info", "3", "WARN", "x\r\n", "000-0", "", "ab12"]),
)  # fmt: skip
VALUES = st.one_of(SCALARS, SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from(NAMES), SCALARS))
RECORDS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), max_size=6)


def one_by_one(rows: list[Any], services: list[str | None], notes: dict[int, dict[str, str]]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for index, text, record, shape in rows:
        get, keys = record.get, shape.keys
        level, message = get(keys.get("severity", "")), get(keys.get("message", ""))
        component = get(keys.get("component", ""))
        severity = None if level is None else _level_text(level)
        rest = () if message is None else shape.rest
        extra = {key: _fields.text_of(record[key]) for key in rest if record[key] is not None} | notes.get(index, {})
        row = {
            "severity_text": severity,
            "severity_number": _severity(get(keys.get("severity_number", "")), severity),
            "body": text if message is None else _fields.text_of(message).rstrip("\r\n"),
            "service": _fields.service_of(get(keys.get("service", ""))) or services[index],
            "component": None if component is None else _fields.text_of(component),
            "trace_id": _fields.id_of(get(keys.get("trace_id", ""))),
            "span_id": _fields.id_of(get(keys.get("span_id", ""))),
            "attributes": list(extra.items()) or None,
        }
        for name, value in row.items():
            out.setdefault(name, []).append(value)
    return out


@settings(deadline=None, max_examples=400)
@given(RECORDS, st.integers(1, 3), st.sets(st.integers(0, 20), max_size=2))
def test_columns_are_those_of_the_records(records: list[dict[str, Any]], times: int, noted: set[int]) -> None:
    records = [record for record in records * times if _fields.DEFAULT.shape_of(record).kind == "log"]
    rows = [(i, f"text {i}", record, _fields.DEFAULT.shape_of(record)) for i, record in enumerate(records)]
    services, notes = [None if i % 2 else "shop" for i in range(len(rows))], {i: {"note": "x"} for i in noted}
    found = log_columns(rows, services, notes)
    for name, values in one_by_one(rows, services, notes).items():
        kind = telemetry.LINES.field(name).type
        assert found[name].equals(pa.array(values, kind)), name
        found[name].validate(full=True)
