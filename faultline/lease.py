"""Who runs the store's one correlator: an election whose only means is a fenced commit.

The lease is a position in the store like any other (app id `correlator-lease`). An odd one is held, an even one free.
To take it, to keep it and to let it go are commits that move it, and of two that move it from the same place one is
fenced off. A candidate takes a held lease once it has not moved for `EXPIRE_S` by the candidate's own clock: clocks of
different machines are never compared. A holder that was stopped meanwhile finds the position moved and steps back.

The lease only saves work: what keeps a correlator's rows from doubling is the fence on its own position.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import structlog

from telemetry import CorruptState, Fenced

if TYPE_CHECKING:
    from storage import Store

log = structlog.get_logger()

APP = "correlator-lease"
RENEW_S = 2.0
EXPIRE_S = 8.0


class Lease:
    """One candidate's view of the lease. For one thread. Methods raise StoreError."""

    def __init__(self, store: "Store", worker: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`worker` is the name people read; the candidate is known by its process."""
        self._writer = store.writer()
        self._worker, self._clock = worker, clock
        self._held: int | None = None
        self._seen: int | None = None
        self._since: float | None = None  # when the position was first seen where it is
        self._renewed = 0.0

    @property
    def held(self) -> bool:
        """Whether we had it last."""
        return self._held is not None

    def position_of(self, app_id: str) -> int | None:
        """Return how far the ledger says an app id has come, whoever moves it."""
        return self._writer.seen("ledger", app_id)

    def hold(self) -> bool:
        """Keep the lease, or take it where nobody else has it; return whether it is ours now."""
        if self._held is None:
            return self._try()
        try:
            self.renew()
        except Fenced:
            return False
        return True

    def renew(self) -> None:
        """Keep the lease, with a commit if the last is long ago. Raises Fenced if it is not ours any more."""
        if self._held is None:
            raise Fenced("the correlator's lease is not ours")
        if self._clock() - self._renewed >= RENEW_S:
            self._move(self._held + 2)

    def release(self) -> None:
        """Let another candidate have it at once, if it is ours."""
        if self._held is not None:
            with suppress(Fenced):
                self._move(self._held + 1)
        self._forget()

    def _forget(self) -> None:
        self._held = self._since = None

    def _try(self) -> bool:
        position = self._writer.seen("ledger", APP) or 0
        now = self._clock()
        first = self._since is None
        if first or position != self._seen:
            self._seen, self._since = position, now
        assert self._since is not None
        if position % 2 and now - self._since < EXPIRE_S and not (first and self._holder_is_dead()):
            return False
        try:
            self._move(position + 1 + position % 2, taking=True)
        except Fenced:
            return False
        log.info("this worker correlates from now on", worker=self._worker)
        return True

    def _move(self, position: int, taking: bool = False) -> None:
        from storage import Move, Snapshot

        start = self._seen if self._held is None else self._held
        states = [Snapshot(APP, position, 1, orjson.dumps(_identity(self._worker)))] if taking else []
        try:
            if taking:  # claim what we saw, not what may have come since
                self._claim(start or 0)
            self._writer.commit({}, [Move(APP, start or 0, position)], states)
        except Fenced:
            self._forget()
            raise
        self._held, self._renewed = position, self._clock()

    def _claim(self, expected: int) -> None:
        with suppress(CorruptState):
            self._writer.restore(APP)
        if (self._writer.position("ledger", APP) or 0) != expected:
            raise Fenced("another worker took the correlator's lease")

    def _holder_is_dead(self) -> bool:
        """Whether the holder ran on this machine and does not any more: a restart need not wait for its own ghost."""
        try:
            snapshot = self._writer.restore(APP)
        except CorruptState:
            return False
        holder = orjson.loads(snapshot.payload) if snapshot else {}
        mine = _identity(self._worker)
        if not mine["machine"] or holder.get("machine") != mine["machine"]:
            return False
        started = holder["started"]
        return bool(started != mine["started"] and _started(holder["pid"]) != started)


def holder(store: "Store") -> str | None:
    """Return the name of the worker that has the store's lease, or had it when it died; None: it is free."""
    writer = store.writer()
    position = writer.seen("ledger", APP)
    if position is None or not position % 2:
        return None
    snapshot = writer.restore(APP)
    return str(orjson.loads(snapshot.payload)["worker"]) if snapshot else None


def _identity(worker: str) -> dict[str, str | int]:
    pid = os.getpid()
    return {"worker": worker, "machine": _machine(), "pid": pid, "started": _started(pid)}


def _machine() -> str:
    """Name what process ids mean the same in: this boot of this machine, and the container; "" where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's own count, so that a reused id is told apart; "": no such one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if fields[0] not in ("Z", "X") else ""
