"""Detection beside the pipeline: a thread that follows the tables, and correlates while this worker has the lease.

Every worker has one. Of all workers on a store one holds the lease and acts; the others look on, and take over where
its committed position is when it ends. Heavy imports happen here, so that rows never wait for them.
"""

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

import structlog

from faultline.correlator import APP, Correlator
from faultline.lease import Lease
from faultline.watermarks import Watermarks
from telemetry import FaultlineError, Fenced, StoreFull

if TYPE_CHECKING:
    from faultline.own_metrics import OwnMetrics
    from faultline.settings import Settings
    from storage import Reader, Store

log = structlog.get_logger()

_TURN_S = 0.5
_FINISH_S = 60.0
"""How long a run that ends waits for another worker to handle the last windows."""


class CorrelatorThread:
    """Runs a correlator beside the pipeline while this worker has the lease; its errors come out of the next call."""

    def __init__(self, store: "Store", settings: "Settings", worker: str, own: "OwnMetrics | None" = None) -> None:
        self._store, self._settings, self._own = store, settings, own
        self._apps: frozenset[str] = frozenset()
        self._quit, self._stopped = threading.Event(), False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="correlator", daemon=True)
        self._worker = worker
        self._width = settings.windows.window_s * 1_000_000
        self._newest: int | None = None
        self.correlator: Correlator | None = None
        """The correlator while it is ours to run."""

    @property
    def newest(self) -> int | None:
        """The highest watermark of any partition in the store that has not ended, as last seen (us)."""
        return self._newest

    @cached_property
    def _lease(self) -> Lease:
        return Lease(self._store, self._worker)

    @cached_property
    def _reader(self) -> "Reader":
        return self._store.reader(follows=True)

    @cached_property
    def _watermarks(self) -> Watermarks:
        return Watermarks(self._reader, self._width)

    def start(self) -> None:
        """Start the thread, unless it is started."""
        if self._thread.ident is None and not self._stopped:
            self._thread.start()

    def follow(self, apps: frozenset[str]) -> None:
        """Name the partitions of the input, whoever reads them. Raises what the correlator raised."""
        self._apps = apps
        if self._error is not None:
            raise self._error

    def finish(self, apps: frozenset[str], *, final: bool) -> None:
        """Stop the thread, then see to it that all closed windows are handled: here, or by who has the lease.

        `final`: nothing more will come, so all windows are. Raises what the correlator raised, StoreError.
        """
        self._stop()
        self.follow(apps)
        deadline = time.monotonic() + _FINISH_S
        while not self._turn(final):
            if self._is_done(final):
                return
            if time.monotonic() > deadline:
                log.warning("another worker has the correlator's lease; it will handle the last windows")
                return
            time.sleep(0.2)

    def close(self) -> None:
        """Stop the thread after the window it is at, and let another worker correlate."""
        self._stop()
        try:
            self._lease.release()
        except FaultlineError as error:
            log.warning("the correlator's lease could not be released; it runs out by itself", error=str(error))

    def _stop(self) -> None:
        self._quit.set()
        if self._thread.is_alive():
            self._thread.join()
        self._stopped = True

    def _is_done(self, final: bool) -> bool:
        """Whether some worker has handled all windows there are."""
        limit, position = self._watermarks.limit(self._apps, final), self._lease.position_of(APP)
        return limit is None or (position is not None and limit - position < self._width)

    def _run(self) -> None:
        from detection import load_models

        try:
            if not self._quit.wait(_TURN_S):
                load_models()  # now, not hours later: from then on a process takes what memory it will take
            while not self._quit.wait(_TURN_S):
                self._turn(final=False)
        except FaultlineError as error:
            self._error = error
        except Exception as error:  # a bug: the pipeline must stop and say so, not run on without detection
            log.exception("correlator failed")
            self._error = error

    def _turn(self, final: bool) -> bool:
        """Handle what can be handled, if it is our turn; return whether it was, and all was handled."""
        limit = self._watermarks.limit(self._apps, final)
        self._newest = self._watermarks.newest
        if not self._lease.hold():
            self.correlator = None
            return False
        try:
            if self.correlator is None:
                self.correlator = Correlator(self._store, self._reader, self._settings)
            self.correlator.advance(limit, keep=self._lease.renew, stop=None if self._stopped else self._quit)
        except Fenced as error:
            log.warning("another worker correlates now", error=str(error))
            self.correlator = None
            return False
        except StoreFull as error:  # begin anew at what the store holds, once there is room
            log.error("detection waits: the store is full", error=str(error))
            self.correlator = None
            return False
        if self._own is not None:
            self._own.correlator(self.correlator.position, self.correlator.open_incidents, self.correlator.refused)
        return True
