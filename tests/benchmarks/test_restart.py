"""The measurement of restarts, once."""

from pathlib import Path

import pytest

from benchmarks.restart import measure


@pytest.mark.soak
@pytest.mark.kafka
def test_a_restart_is_measured(kafka_broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    measure(kafka_broker.bootstrap, tmp_path, kills=1, rate=500, running_s=1.0)
    said = capsys.readouterr().out
    for what in ("restart to first new row: p50", "its CPU-s: p50", "sent to readable: p50"):
        assert what in said
