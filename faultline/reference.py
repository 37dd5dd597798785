"""Pages of the user guide that the program writes itself: settings and commands.

`python -m faultline.reference docs` writes them; a test fails while they differ from what this module makes.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click
from pydantic.fields import FieldInfo

from faultline import settings
from faultline.cli import cli

_HEAD = "<!-- Written by `make docs` from {source}: edit the texts there. -->\n\n"

_SETTINGS = """# Settings

`faultline run` and `faultline demo` take settings from four places; the first that has a value wins:

1. the command line,
2. the environment,
3. the settings file (TOML): `--config PATH`, else `$FAULTLINE_CONFIG`, else `faultline.toml` where it exists,
4. the defaults below.

A list in the environment is separated by commas (`FAULTLINE_KAFKA_TOPICS=logs,metrics`); only `parsing.masks` is a JSON
list there, because expressions may hold commas. A wrong or unknown setting ends the program with one line that says
where it was set and what would be right. Passwords are never printed.

```toml
# faultline.toml
store = "./faultline-data"

[kafka]
bootstrap = ["broker-1:9092", "broker-2:9092"]

[windows]
allowed_lateness_s = 10
```

Three more variables are no settings: `FAULTLINE_CONFIG` (where the settings file is), `FAULTLINE_DEBUG` (any value:
show the traceback of an error) and `FAULTLINE_REQUIRE` (`kafka,browser`: tests that need these fail where they are
missing, instead of being skipped).
"""

_COMMANDS = """# Commands

Every command explains itself with `--help`. Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 130 interrupted.
An error is one line on standard error; results go to standard output. Tables are ruled on a terminal; elsewhere their
columns are separated by tabs. In CSV, a text that a spreadsheet could take for a formula has a quote (') before it.
Template ids are 16 hex digits everywhere but in the tables and in Parquet, which hold them as int64.
"""


def settings_page() -> str:
    """Return the text of docs/settings.md."""
    page = _HEAD.format(source="faultline/settings.py") + _SETTINGS
    for group, rows in groupby(settings.fields(), key=lambda row: row[0].rpartition(".")[0]):
        if group:
            page += f"\n## {group}\n\n{getattr(settings, group.capitalize()).__doc__}\n"
        page += "\n| setting | environment variable | default | meaning |\n|---|---|---|---|\n"
        page += "".join(
            f"| `{name}` | `{variable}` | {_default(info)} | {_cell(info.description or '')}{_limits(info)} |\n"
            for name, variable, info in rows
        )
    return page


def _default(info: FieldInfo) -> str:
    if info.default is None:
        return "unset"
    if isinstance(info.default, tuple):
        return f"`{','.join(info.default)}`" if info.default else "none"
    return f"`{info.default}`"


def _limits(info: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    found = [
        f"{word} {limit:,}"
        for item in info.metadata
        for key, word in words.items()
        if (limit := getattr(item, key, None)) is not None
    ]
    choices = getattr(info.annotation, "__args__", ()) if "Literal" in str(info.annotation) else ()
    found += ["one of " + ", ".join(f"`{choice}`" for choice in choices)] if choices else []
    return f" ({', '.join(found)})" if found else ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def commands_page() -> str:
    """Return the text of docs/commands.md."""
    page = _HEAD.format(source="faultline/cli/") + _COMMANDS
    for path, command in walk(cli):
        page += f"\n{'#' * (len(path) + 1)} faultline {' '.join(path)}\n\n```text\n{help_text(path, command)}\n```\n"
    return page


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below `group` with its path, in the order of `--help`."""
    with click.Context(group, **cli.context_settings) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield (*path, name), command
            if isinstance(command, click.Group):
                yield from walk(command, (*path, name))


def help_text(path: tuple[str, ...], command: click.Command) -> str:
    """Return what `faultline <path> --help` prints, at a fixed width."""
    parent = click.Context(cli, info_name="faultline", terminal_width=110, **cli.context_settings)
    for name in path[:-1]:
        parent = click.Context(cli, info_name=name, parent=parent)
    with click.Context(command, info_name=path[-1], parent=parent, terminal_width=110) as context:
        return command.get_help(context)


def main() -> None:
    """Write the pages into the folder named on the command line."""
    folder = Path(sys.argv[1])
    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")
    (folder / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
