"""The group of commands, and the one place where errors become a line and an exit code."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

import click

from faultline.cli._text import one_line

DEBUG_VARIABLE = "FAULTLINE_DEBUG"

# Each command's module holds a click command of the command's name. The sentence is its help's first line, kept here
# so that listing the commands imports none of them; a test compares the two.
COMMANDS = {
    "demo": "Watch the whole way: a simulated shop fails, Faultline finds the culprit.",
    "run": "Read telemetry, store it, open incidents and rank suspects.",
    "simulate": "Write the telemetry of a simulated shop, with faults whose cause is known.",
    "parse": "Turn log files into one row a line: time, level, message, template.",
    "detect": "Score every value of a metrics file, by what came before it.",
    "detect-sessions": "Score log sessions by how often each event occurs in them.",
    "rca": "Rank the services of a recorded failure: which one caused it?",
    "incidents": "List incidents, or show one with its suspects and their evidence.",
    "templates": "List and search log templates, and edit them: merge, split, rename, undo.",
    "deadletters": "List what was rejected and why, show one, or decode what can be decoded now.",
    "sql": "Query the stored tables with SQL (DuckDB).",
    "export": "Write any time range of the tables as one DuckDB file, as Parquet or as CSV.",
    "status": "Show what was read and stored, how current it is, and what is open.",
    "doctor": "Check this machine and the store, and say what is missing.",
    "dashboard": "Open the dashboard on the stored tables.",
    "datasets": "List, download or check the data sets of the benchmarks.",
    "bench": "Measure what ships beside named baselines, on labelled data.",
    "compact": "Apply retention, merge the small files of the tables and drop what is no longer needed.",
}


class _LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"faultline.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("faultline"), prog_name="faultline")
def cli() -> None:
    """From raw logs, metrics and spans to the faulty service, with the evidence.

    \b
    Examples:
      faultline demo
      faultline parse app.log -o app.parquet
      faultline run --source files logs/ --once && faultline incidents list
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; a traceback appears only where $FAULTLINE_DEBUG is set."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = cli.main(arguments, prog_name="faultline", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        # Whoever read our output has gone. The interpreter flushes stdout once more at exit; let that be quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except click.ClickException as error:
        return _report_usage(error)
    except Exception as error:
        return _report(error)


def _report_usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    return _fail(error.format_message() + hint, error.exit_code)


def _report(error: Exception) -> int:
    from telemetry import FaultlineError  # brings pyarrow with it, which --help can do without

    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exc()
    if isinstance(error, FaultlineError):
        return _fail(str(error), error.exit_code)
    return _fail(f"{type(error).__name__}: {error} (set {DEBUG_VARIABLE}=1 for the traceback)", 1)


def _fail(message: str, code: int) -> int:
    """Say what went wrong, on one line."""
    click.echo(f"faultline: error: {one_line(message)}", err=True)
    return code
