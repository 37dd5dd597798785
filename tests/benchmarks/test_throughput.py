"""The corpus, and each kind of measurement once, small."""

import math
import re
from pathlib import Path

import pytest

from benchmarks._corpus import fresh_lines, shop_messages, with_headers
from benchmarks._plan import Plan
from benchmarks.tasks import _parser_speed, throughput

MESSAGES = ["user 17 from 10.0.3.4 id a3f9c2d1 took 0x7f3a ms", "deadbeef café said hello 100%"]


def test_lines_do_not_repeat_and_keep_their_shape():
    lines = fresh_lines(MESSAGES, 1000, seed=1)
    assert len(lines) == 1000
    assert len(set(lines[::2])) == 500
    assert len(set(lines[1::2])) > 100  # three digits only
    assert lines == fresh_lines(MESSAGES, 1000, seed=1)
    assert lines != fresh_lines(MESSAGES, 1000, seed=2)
    mine = {re.sub(r"[0-9a-f]", "", line) for line in lines[::2]}
    assert len(mine) == 1
    assert {re.sub(r"\d+", "9", line) for line in lines[1::2]} == {"deadbeef café said hello 9%"}


def test_headers_rise():
    lines = list(with_headers(["x"] * 3))
    assert lines[0] == "2026-01-05T00:00:00.000Z INFO app.core: x"
    assert lines == sorted(lines)


def test_the_shop_fills_up_the_sources_with_messages_alone():
    said = shop_messages(3, seed=0)
    assert len(said) == 3
    assert said == shop_messages(3, seed=0)
    assert all(len(messages) > 300 for messages in said.values())
    assert not [
        text for messages in said.values() for text in messages if text.startswith(("2026", "{")) or "\n" in text
    ]
    assert shop_messages(0, seed=0) == {}


def test_sentences_do_not_repeat_and_have_no_digits():
    said = _parser_speed.sentences(2_000, seed=1)
    assert len(set(said)) > 1_990
    assert all(re.fullmatch(r"[a-z]+( [a-z]+){3,18}", one) for one in said)


@pytest.fixture
def plan(bench_data: Path) -> Plan:
    return Plan(bench_data, lines=2_000)


def test_speeds_and_ratios(plan: Plan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(throughput, "SIZES", (8,))
    monkeypatch.setattr(throughput, "_POINTS", (50, 12))
    monkeypatch.setattr(throughput, "TEMPLATES", (30, 200))
    monkeypatch.setattr(_parser_speed, "TEMPLATES", (30, 200))
    monkeypatch.setattr(throughput, "SENTENCES", (100,))
    monkeypatch.setattr(_parser_speed, "SENTENCES", (100,))
    units = throughput.units(plan)
    assert all(unit.alone for unit in units)
    found = [(unit, throughput.measure(unit, plan)) for unit in units]
    rows = {(one.dataset, one.method, one.setting, one.metric): one for one in throughput.figures(found, plan)}
    speed = rows["parse", "faultline", "", "lines_per_s"].value
    peer = rows["parse", "Drain3 masked", "", "lines_per_s"].value
    assert 0.2 < rows["parse", "faultline", "Drain3 masked", "ratio:lines_per_s"].value / (speed / peer) < 5
    for kind in ("parse, batches of 100", "parse, raw lines with headers"):
        assert rows[kind, "faultline", "Drain3 masked", "ratio:lines_per_s"].value > 0
    ids = "parse, template ids alone"
    assert rows[ids, "faultline", "", "lines_per_s"].value > speed / 2
    assert rows[ids, "faultline", "", "headers_and_parameters_against_ids"].value > 0
    assert rows[ids, "faultline", "", "parameters_against_ids"].n == rows[ids, "faultline", "", "lines_per_s"].n
    few, many = "parse, new templates beyond 30", "parse, new templates beyond 200"
    assert rows[many, "faultline", few, "ratio:lines_per_s"].value > 0
    sentences = "parse, first 100 sentences without digits"
    assert rows[sentences, "faultline", "Drain3 masked", "ratio:lines_per_s"].value > 0
    assert rows["pipeline from files", "faultline", "Drain3 masked", "ratio:lines_per_s"].value > 0
    assert rows["detection", "faultline", "PyOD KNN", "ratio:points_per_s"].value > 0
    assert rows["rca, 8 series", "faultline", "", "seconds"].value > 0
    assert rows["Granger, all pairs, 8 series", "faultline", "statsmodels Granger", "ratio:seconds"].value > 0
    assert not [key for key in rows if key[0].startswith("rca") and key[3].startswith("ratio")]  # unlike work
    assert rows["pipeline from Kafka, 1 line a message", "faultline", "", "lines_per_s"].value is None
    assert all(one.value > 50 for key, one in rows.items() if key[3] == "peak_memory_mib")


@pytest.mark.kafka
def test_from_kafka(plan: Plan, kafka_broker):
    asked = Plan(plan.data, lines=2_000, bootstrap=kafka_broker.bootstrap)
    units = [one for one in throughput.units(asked) if one.dataset in throughput.KAFKA]
    found = [(unit, throughput.measure(unit, asked)) for unit in units]
    for _, one in found:
        lines, seconds = one["sources"]["all"]
        assert lines == 2_000
        assert math.isfinite(seconds)
        assert seconds > 0
    measured = {(unit.dataset, unit.method): one for unit, one in found}
    peers = {peer for kind, peer, _ in throughput._peers(measured) if kind in throughput.KAFKA}
    assert peers == {"bare kafka-python consumer", "plain loop"}
