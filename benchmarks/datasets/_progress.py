"""How far a download or a check is: one changing line on a terminal, a plain line now and then elsewhere."""

import sys
import time

_WIDTH = 30
_TERMINAL_S = 0.1
_PLAIN_S = 5.0
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Progress:
    """Shows `done` of `whole` on standard error. `bytes_`: these are bytes."""

    def __init__(self, label: str, bytes_: bool = True) -> None:
        self._label, self._bytes = label, bytes_
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._shown = False

    def __call__(self, done: int, whole: int | None) -> None:
        now = time.monotonic()
        if now - self._last < (_TERMINAL_S if self._terminal else _PLAIN_S):
            return
        self._last, self._shown = now, True
        if self._terminal:
            sys.stderr.write(f"\r\x1b[2K{self._label} {_bar(done, whole)}{self._text(done, whole)}")
        else:
            sys.stderr.write(f"{self._label} {self._text(done, whole)}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the changing line."""
        if self._terminal and self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def _text(self, done: int, whole: int | None) -> str:
        share = f" ({done / whole:.0%})" if whole else ""
        end = f" of {self._number(whole)}" if whole is not None else ""
        return f"{self._number(done)}{end}{share}"

    def _number(self, count: int) -> str:
        if not self._bytes:
            return f"{count:,}"
        size, unit = float(count), 0
        while size >= 1000 and unit < len(_UNITS) - 1:
            size, unit = size / 1000, unit + 1
        return f"{size:.3g} {_UNITS[unit]}"


def _bar(done: int, whole: int | None) -> str:
    if not whole:
        return ""
    full = min(_WIDTH, _WIDTH * done // whole)
    return "━" * full + "╌" * (_WIDTH - full) + " "
