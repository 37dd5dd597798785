"""The background maintainer: takes turns at merging, retention and cleaning while the pipeline runs.

Every process that writes may run one: a lease sees to it that one at a time looks after a store. It never holds up a
commit, and an error in it stops no row: it is logged, counted, and the next turn tries again.
"""

import threading
import time
from typing import TYPE_CHECKING

import structlog

from telemetry import StoreError

if TYPE_CHECKING:
    from faultline.own_metrics import OwnMetrics
    from faultline.settings import Settings
    from storage import Store

log = structlog.get_logger()

_CLEAN_S = 600.0
"""Seconds between deletions of what is out of use: each lists the store."""
_FIRST_CLEAN_S = 60.0
_FIRST_TURN = 1 / 3
"""Part of an interval until the first turn. Workers that are killed young, again and again, must get to theirs too."""


class MaintenanceThread:
    """Maintains a store until closed; `maintenance.interval_s` of 0 turns it off."""

    def __init__(self, store: "Store", settings: "Settings", own: "OwnMetrics | None" = None) -> None:
        self._store, self._own = store, own
        self._interval = settings.maintenance.interval_s
        self._retention = settings.retention.rule()
        self._quit = threading.Event()
        self._cleaned_at = time.monotonic() - _CLEAN_S + _FIRST_CLEAN_S
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        if self._interval:
            self._thread.start()

    def close(self) -> None:
        """Stop after what it is at."""
        self._quit.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = self._interval * _FIRST_TURN
        while not self._quit.wait(wait):
            self._turn()
            wait = self._interval

    def _turn(self) -> None:
        from storage import maintain

        clean = time.monotonic() - self._cleaned_at >= _CLEAN_S
        try:
            done = maintain(self._store, self._retention, clean, self._quit)
        except StoreError as error:
            log.error("maintenance failed; the next turn tries again", error=str(error))
            self._failed()
            return
        except Exception:  # a bug: say so, and let the rows go on
            log.exception("maintenance failed")
            self._failed()
            return
        if clean and done:
            self._cleaned_at = time.monotonic()
        if self._own is not None:
            self._own.maintained(sum(table.expired_rows for table in done))

    def _failed(self) -> None:
        if self._own is not None:
            self._own.maintenance_failed()
