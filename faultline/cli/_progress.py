"""How far long work is: one changing line on a terminal, a plain line now and then elsewhere; on standard error."""

import sys
import time

import click

_TERMINAL_S = 0.2
_PLAIN_S = 5.0


class Progress:
    """Shows texts as they come, at most every so often and none twice; `close` ends the changing line.

    `plain` false: show nothing where there is no terminal, as a service that runs for months should.
    """

    def __init__(self, plain: bool = True) -> None:
        self._changing = sys.stderr.isatty()
        self._silent = not plain and not self._changing
        self._every = _TERMINAL_S if self._changing else _PLAIN_S
        self._last = time.monotonic()
        self._shown = ""

    @property
    def due(self) -> bool:
        """Whether `show` would show something now: asking first saves making the text."""
        return not self._silent and time.monotonic() - self._last >= self._every

    def show(self, text: str) -> None:
        """Show `text` in place of the text before."""
        if not self.due or text == self._shown:
            return
        self._last = time.monotonic()
        self._shown = text
        click.echo(f"\r\x1b[2K{text}" if self._changing else text, nl=not self._changing, err=True)

    def close(self) -> None:
        """Leave the changing line."""
        if self._changing and self._shown:
            click.echo("\r\x1b[2K", nl=False, err=True)
