"""The command line `faultline`. `main` is the entry point; `COMMANDS` names every command.

A command's module is imported only when that command runs, so that `faultline --help` stays fast.
Errors are one line on standard error; exit codes are 1 for failure, 2 for wrong usage, 130 when interrupted.
"""

from faultline.cli._main import COMMANDS, cli, main

__all__ = ["COMMANDS", "cli", "main"]
