"""When the background maintainer takes its turns."""

from pathlib import Path

import pytest

import storage
from faultline.maintenance import MaintenanceThread
from faultline.settings import Settings
from storage import Store


class Clock:
    """Stands in for the thread's quit event and for time: what is waited for passes at once, up to an end."""

    def __init__(self, end: float) -> None:
        self.now, self._end = 0.0, end

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now > self._end


def test_a_worker_that_lives_for_seconds_gets_to_its_first_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, turns = Clock(1300), []
    monkeypatch.setattr("faultline.maintenance.time", clock)
    monkeypatch.setattr(
        storage, "maintain", lambda store, rule, clean, stop: turns.append((clock.now, clean)) or [object()]
    )
    thread = MaintenanceThread(Store.open(tmp_path), Settings(store=str(tmp_path)))
    monkeypatch.setattr(thread, "_quit", clock)
    thread._run()
    assert [round(at) for at, _ in turns[:4]] == [10, 40, 70, 100]
    assert [round(at) for at, clean in turns if clean] == [70, 670, 1270]
