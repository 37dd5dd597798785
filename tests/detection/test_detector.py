import sys
from pathlib import Path

import numpy as np
import pytest

from detection import Detector, DetectorSettings
from telemetry import ANOMALIES, CorruptState, SettingsError, format_id

sys.path.insert(0, str(Path(__file__).parent))

import fleet


@pytest.fixture(scope="module")
def trained():
    """Snapshot of a detector after 200 harmless windows, and how many anomalies it reported in them."""
    detector = Detector()
    reported = sum(table.num_rows for table in fleet.run(detector, range(200)))
    return detector.snapshot(), reported


@pytest.fixture
def detector(trained):
    return Detector.restore(trained[0])


def test_is_quiet_without_a_fault(trained):
    assert trained[1] == 0


def test_reports_the_slow_service_and_no_other(detector):
    tables = fleet.run(detector, range(200, 206), slow="cart")
    assert {"cpu", "latency", "duration_p95_us", "self_p50_us", "combined"} <= fleet.signals(tables, "cart")
    assert not fleet.signals(tables, "web")


def test_rows_follow_the_schema_and_say_what_was_expected(detector):
    tables = fleet.run(detector, range(200, 204), slow="cart")
    rows = [row for table in tables for row in table.to_pylist()]
    assert all(table.schema.equals(ANOMALIES) for table in tables)
    assert all(row["score"] >= row["threshold"] for row in rows)
    latency = next(row for row in rows if row["signal"] == "latency")
    assert latency["expected"] == pytest.approx(100, rel=0.1)
    assert latency["observed"] == pytest.approx(300, rel=0.2)
    assert latency["explanation"].startswith("latency of cart ")
    assert ", expected " in latency["explanation"]


def test_failing_calls_are_reported(detector):
    tables = fleet.run(detector, range(200, 204), failing="auth")
    assert {"errors", "error_origins"} <= fleet.signals(tables, "auth")


def test_silence_of_a_service_is_reported(detector):
    tables = fleet.run(detector, range(200, 206), silent="db")
    assert "points" in fleet.signals(tables, "db")


def test_new_error_template_counts_and_a_new_info_template_does_not(detector, trained):
    news = {17: 901, 9: 902}
    found = {}
    for severity, template in news.items():
        detector = Detector.restore(trained[0])
        tables = fleet.run(detector, range(200, 204), extra_logs=[("cart", template, severity, 3)])
        found[severity] = fleet.signals(tables, "cart")
    assert format_id(news[17]) in found[17]
    assert not found[9]


def test_many_new_templates_at_once_are_one_anomaly(detector):
    extra = [("cart", 1000 + i, 17, 2) for i in range(30)]
    rows = fleet.run(detector, [200], extra_logs=extra)[0].to_pylist()
    assert sum(row["detector"] == "new_template" for row in rows) <= 1


def test_order_of_rows_in_a_window_has_no_effect():
    plain, shuffled = Detector(), Detector()
    for number in range(60):
        options = {"slow": "web"} if number >= 50 else {}
        first = plain.update(fleet.window(number, **options))
        second = shuffled.update(fleet.window(number, shuffle=number, **options))
        assert first.equals(second)
    assert plain.snapshot() == shuffled.snapshot()


def test_restored_detector_continues_bit_for_bit(trained):
    original, copy = Detector.restore(trained[0]), Detector.restore(trained[0])
    for number in range(200, 230):
        window = fleet.window(number, slow="cart" if number > 220 else None)
        assert original.update(window).equals(copy.update(window))
        if number == 215:
            copy = Detector.restore(copy.snapshot())
    assert original.snapshot() == copy.snapshot()


def test_snapshot_that_was_altered_is_refused(trained):
    data = bytearray(trained[0])
    data[len(data) // 2] ^= 1
    with pytest.raises(CorruptState):
        Detector.restore(bytes(data))
    with pytest.raises(CorruptState):
        Detector.restore(b"")


def test_empty_and_missing_windows_are_harmless(detector):
    empty = fleet.window(200)
    empty = type(empty)(empty.start, empty.end, *(t.slice(0, 0) for t in (empty.metrics, empty.logs, empty.spans)))
    detector.update(empty)
    assert sum(table.num_rows for table in fleet.run(detector, range(260, 270))) == 0


def test_series_beyond_the_limit_are_counted():
    detector = Detector(DetectorSettings(max_series=5, pattern=False))
    fleet.run(detector, range(3))
    assert detector.refused >= len(fleet.SERVICES) * len(fleet.METRICS) - 5


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(SettingsError, match="alone is -1"):
        DetectorSettings(alone=-1)


def test_later_windows_have_no_effect_on_earlier_anomalies():
    windows = [fleet.window(number, slow="db" if number >= 40 else None) for number in range(50)]
    whole, part = Detector(), Detector()
    first = [whole.update(window) for window in windows][:45]
    second = [part.update(window) for window in windows[:45]]
    assert all(a.equals(b) for a, b in zip(first, second, strict=True))


def test_values_that_are_not_finite_are_skipped(detector):
    window = fleet.window(200)
    values = window.metrics["value"].to_numpy().copy()
    values[::7] = np.nan
    metrics = window.metrics.set_column(3, window.metrics.schema.field(3), [values])
    assert detector.update(type(window)(window.start, window.end, metrics, window.logs, window.spans)).num_rows == 0
