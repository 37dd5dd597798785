"""Queries answer what the tables hold, within their bounds, and take hostile text as text."""

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import telemetry
from dashboard import _queries as queries
from dashboard._queries import Range
from storage import LogFilter, Move, Reader, Store

from . import shop

HOUR = 60 * queries.MINUTE_US
TIMEOUT = telemetry.template_id(shop.TEMPLATES[3][1])


@pytest.fixture(scope="module")
def now(end: datetime) -> int:
    return int(end.timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def everything(now: int) -> Range:
    return Range(now - 3 * HOUR, now + HOUR)


def test_newest_and_oldest(reader: Reader, now: int) -> None:
    assert queries.newest(reader, now) == now
    assert queries.oldest(reader) == now - 2 * HOUR


def test_a_clock_ahead_does_not_move_newest(reader: Reader, now: int) -> None:
    early = now - HOUR
    assert early < (queries.newest(reader, early) or 0) <= early + 10 * queries.MINUTE_US


def test_a_record_of_today_in_an_archive_does_not_move_newest(tmp_path: Path, now: int) -> None:
    """A line without a usable time is stored under the time it came."""
    store, last_year = Store.open(tmp_path / "archive"), now - 8760 * HOUR
    origin = {"source": "files", "partition": 0}
    count = {"service": "cart", "severity_number": 9, "template_id": 1, "count": 1, "offset": 0, **origin}
    totals = dict.fromkeys(("read", "stored", "joined", "dead_lettered", "filtered", "late"), 0)
    account = {"time": now, "app_id": "file:1", "next": 1, "watermark": last_year, "closed": True, **totals, **origin}
    tables = {
        "log_counts": [{"minute": minute, **count} for minute in (last_year, now)],
        "ledger": [account],
    }
    rows = {name: pa.Table.from_pylist(made, telemetry.TABLES[name]) for name, made in tables.items()}
    store.writer().commit(rows, [Move("file:1", 0, 1, "files")])
    with store.reader() as reader:
        assert queries.newest(reader, now) == last_year


def test_log_load_adds_up_to_all_records(reader: Reader, end: datetime, everything: Range) -> None:
    made = shop.tables(end)["log_counts"]
    load = queries.log_load(reader, everything).to_pydict()
    by_level = {"info": 0, "warn": 0, "error": 0}
    for row in made.to_pylist():
        by_level["error" if row["severity_number"] > 16 else "warn" if row["severity_number"] > 12 else "info"] += row[
            "count"
        ]
    assert {name: sum(v or 0 for v in load[name]) for name in by_level} == by_level
    assert load["t"] == sorted(set(load["t"]))


def test_a_range_is_half_open(reader: Reader, now: int) -> None:
    assert queries.log_load(reader, Range(now - 2 * HOUR, now - 2 * HOUR + queries.MINUTE_US)).num_rows == 1
    assert queries.log_load(reader, Range(now, now)).num_rows == 0


def test_long_ranges_have_few_steps(now: int) -> None:
    for hours in (1, 24, 24 * 365):
        span = Range(now - hours * HOUR, now)
        assert (span.until - span.since) / span.step <= 241
        assert span.step % queries.MINUTE_US == 0


def test_incidents_open_and_critical_first_with_the_newest_first_suspect(reader: Reader) -> None:
    found = queries.incidents(reader)
    assert [incident["id"] for incident in found] == [shop.ROOT_CAUSE_ID, shop.UNSURE_ID, shop.RESOLVED_ID]
    assert [incident["suspect"] for incident in found] == ["payments", "search", None]
    assert len(queries.incidents(reader, limit=1)) == 1


def test_suspects_are_those_of_the_newest_ranking(reader: Reader, now: int) -> None:
    found = queries.suspects(reader, shop.ROOT_CAUSE_ID)
    assert [suspect["service"] for suspect in found] == ["payments", "orders", "api", "gateway"]
    assert {suspect["ranked_at"] for suspect in found} == {now}
    assert found[0]["evidence"][0]["text"].startswith("cpu_utilization rose")
    assert queries.suspects(reader, shop.RESOLVED_ID) == []


def test_anomalies_carry_the_template_in_words(reader: Reader) -> None:
    odd = queries.anomalies(reader, shop.ROOT_CAUSE_ID).to_pylist()
    assert {row["name"] for row in odd if row["kind"] == "log"} == {shop.TEMPLATES[3][1]}
    assert [row["t"] for row in odd] == sorted(row["t"] for row in odd)


def test_calls_are_the_call_graph(reader: Reader, everything: Range) -> None:
    found = {(call["caller"], call["callee"]) for call in queries.calls(reader, everything)}
    assert found == {(caller, callee) for caller, callees in shop.CALLS.items() for callee in callees}
    failing = {(c["caller"], c["callee"]) for c in queries.calls(reader, everything) if c["errors"]}
    assert failing == {("api", "orders"), ("orders", "payments")}


@pytest.mark.parametrize(
    ("kind", "signal", "least", "most"),
    [
        ("metric", "cpu_utilization", 0.6, 1.2),
        ("log", telemetry.format_id(TIMEOUT), 1, 30),
        ("log", "error_logs", 1, 30),
        ("span", "duration_p95_us", 400, 400),
        ("span", "error_origins", 0, 1),
        ("span", "calls_received", 1, 1),
    ],
)
def test_a_signal_around_the_onset(reader: Reader, now: int, kind: str, signal: str, least: float, most: float) -> None:
    series = queries.signal_series(reader, "payments", kind, signal, Range(now - HOUR // 12, now))
    assert least <= max(series.column("value").to_pylist()) <= most


def test_a_kind_without_series_is_empty(reader: Reader, everything: Range) -> None:
    for kind, signal in (("graph", "orders"), ("log", "errors"), ("span", "own_time")):
        assert queries.series_title(kind, signal) is None
        assert queries.signal_series(reader, "payments", kind, signal, everything).num_rows == 0


def test_a_template_that_only_others_logged_is_counted_over_all(reader: Reader, now: int) -> None:
    signal, span = telemetry.format_id(TIMEOUT), Range(now - HOUR // 12, now)
    everyone = sum(queries.signal_series(reader, "nobody", "log", signal, span).column("value").to_pylist())
    one = sum(queries.signal_series(reader, "payments", "log", signal, span).column("value").to_pylist())
    assert everyone > one > 0


def test_only_template_ids_have_texts(reader: Reader) -> None:
    known = telemetry.format_id(TIMEOUT)
    assert queries.template_texts(reader, ["cpu", "12", "f" * 16, known]) == {known: shop.TEMPLATES[3][1]}
    assert queries.current_templates(reader, TIMEOUT) == [TIMEOUT]


def test_a_template_that_has_moved_on_is_followed(reader: Reader, now: int) -> None:
    old, span = telemetry.template_id(shop.OLD_TIMEOUT), Range(now - HOUR // 12, now)
    assert queries.current_templates(reader, old) == [TIMEOUT]
    hexed = telemetry.format_id(old)
    assert queries.template_texts(reader, [hexed]) == {hexed: shop.TEMPLATES[3][1]}
    series = [queries.signal_series(reader, "orders", "log", telemetry.format_id(id_), span) for id_ in (old, TIMEOUT)]
    assert series[0].equals(series[1])


def test_templates_by_text_service_and_severity(reader: Reader, everything: Range, end: datetime) -> None:
    found = queries.template_counts(reader, everything, LogFilter("TIMED out", "payments", 17)).to_pylist()
    assert [(row["service"], row["template"]) for row in found] == [("payments", shop.TEMPLATES[3][1])]
    assert found[0]["count"] == found[0]["total"] > 0
    assert end - timedelta(hours=2) <= found[0]["first_seen"] <= found[0]["last_seen"] <= end
    counts = queries.template_counts(reader, everything, LogFilter()).column("count").to_pylist()
    assert counts == sorted(counts, reverse=True)


def test_records_of_a_template_newest_first(reader: Reader, everything: Range) -> None:
    rows = queries.log_rows(reader, everything, LogFilter(templates=(TIMEOUT,)), limit=20).to_pylist()
    assert len(rows) == 20
    assert {row["template_id"] for row in rows} == {telemetry.format_id(TIMEOUT)}
    assert [row["time"] for row in rows] == sorted((row["time"] for row in rows), reverse=True)


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "_", "\\", "\x00", "{}", "?"])
def test_search_text_is_only_text(reader: Reader, everything: Range, text: str) -> None:
    found = queries.log_rows(reader, everything, LogFilter(text)).column("body").to_pylist()
    assert all(text in body for body in found)


def test_hostile_text_is_found_as_it_was_written(reader: Reader, everything: Range) -> None:
    bodies = queries.log_rows(reader, everything, LogFilter("[click](https://evil.example)")).column("body").to_pylist()
    assert bodies == ["unexpected input " + shop.HOSTILE.replace("x", "00", 1)]


def test_an_empty_store_answers_everything(empty_store: Path, everything: Range) -> None:
    with Store.open(empty_store, create=False).reader() as reader:
        assert queries.newest(reader, everything.until) is None
        assert queries.oldest(reader) is None
        assert queries.dead_letters(reader) == 0
        assert queries.incidents(reader) == queries.calls(reader, everything) == queries.service_names(reader) == []
        assert queries.incident(reader, "x") is None
        for table in (
            queries.log_load(reader, everything),
            queries.anomaly_load(reader, everything),
            queries.services(reader, everything),
            queries.template_counts(reader, everything, LogFilter()),
            queries.log_rows(reader, everything, LogFilter()),
        ):
            assert table.num_rows == 0
