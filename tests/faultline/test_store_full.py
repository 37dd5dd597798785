"""A full disk stops the taking, keeps what is stored, and loses and doubles nothing once there is room."""

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline.own_metrics import OwnMetrics
from faultline.pipeline import Accounting, run_pipeline
from faultline.settings import Settings
from ingest import FilesSource
from storage import Store

LINES = 40_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def wait_for(own: OwnMetrics, value: float, thread: threading.Thread) -> None:
    end = time.monotonic() + 120
    while own.registry.get_sample_value("faultline_store_full") != value:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_full_disk_stops_the_taking_and_loses_and_doubles_nothing(small_disk: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [f"2026-01-01 00:00:{n * 60 // LINES:02d} INFO token {rng.randbytes(24).hex()} {n}" for n in range(LINES)]
    (tmp_path / "shop.log").write_text("\n".join(lines) + "\n")
    store = Store.open(small_disk / "store")
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    ballast.write_bytes(b"x" * (free.f_bavail * free.f_bsize - 2**20))
    own, results = OwnMetrics(), list[Accounting]()
    quick = {"commit": {"interval_s": 0.1, "snapshot_s": 1}, "maintenance": {"interval_s": 0.5}}
    settings = Settings.model_validate(quick)

    def run() -> None:
        source = FilesSource([tmp_path / "shop.log"], once=True)
        results.append(run_pipeline(source, store, settings, once=True, stop=threading.Event(), own=own))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(own, 1, thread)
    time.sleep(3)  # long enough for attempts that fail
    assert own.registry.get_sample_value("faultline_store_full") == 1
    with store.reader() as reader:  # what is stored can be read
        assert reader.query("SELECT count(*) AS n FROM logs")["n"][0].as_py() < LINES
    ballast.unlink()
    thread.join(180)
    assert results
    assert own.registry.get_sample_value("faultline_store_full") == 0
    assert (results[0].total.read, results[0].total.stored) == (LINES, LINES)
    with store.reader() as reader:
        found = reader.query("SELECT count(*) AS n, count(DISTINCT line) AS lines FROM logs").to_pylist()
        counted = reader.query("SELECT sum(count)::BIGINT AS n FROM log_counts").to_pylist()
        summed = reader.query("SELECT sum(count)::BIGINT AS n FROM templates").to_pylist()
    assert found == [{"n": LINES, "lines": LINES}]
    assert counted == summed == [{"n": LINES}]
