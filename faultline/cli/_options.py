"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

store_option: Callable[[Any], Any] = click.option(
    "--store",
    metavar="URL",
    envvar="FAULTLINE_STORE",
    show_envvar=True,
    help="Where the tables live: a folder or a URL.  [default: ./faultline-data]",
)
config_option: Callable[[Any], Any] = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="FAULTLINE_CONFIG",
    show_envvar=True,
    help="Settings file (TOML).  [default: faultline.toml where it exists]",
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
