"""The measurement of memory, with few lines."""

from pathlib import Path

import pytest

from benchmarks.memory import measure


@pytest.mark.soak
@pytest.mark.kafka
def test_memory_is_measured(kafka_broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    measure(kafka_broker.bootstrap, tmp_path, 2_000_000)
    said = capsys.readouterr().out
    assert "2,000,000 lines stored" in said
    for what in ("resident: ", "anonymous: "):
        assert what in said
