"""How far a run is: one changing line with a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time

_WIDTH = 30
_TERMINAL_S = 0.1
_PLAIN_S = 10.0
_LABEL = 60


class Progress:
    """Shows units done on standard error. A total of 0: not known yet, the label alone is shown."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._last = 0.0
        self._total = 0

    def __call__(self, done: int, total: int, label: str) -> None:
        """Show `done` of `total`; `label` says what was last."""
        now = time.monotonic()
        soon = now - self._last < (_TERMINAL_S if self._terminal else _PLAIN_S)
        if soon and done != total and total == self._total:
            return
        self._last, self._total = now, total
        text = f"{done}/{total} {label[:_LABEL]}" if total else label
        if self._terminal:
            filled = _WIDTH * done // total if total else 0
            bar = f"{'━' * filled}{'╌' * (_WIDTH - filled)} " if total else ""
            sys.stderr.write(f"\r\x1b[2K{bar}{text}")
        else:
            sys.stderr.write(f"[{now - self._began:5.0f} s] {text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the changing line."""
        if self._terminal and self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
