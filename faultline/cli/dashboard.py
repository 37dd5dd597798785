"""`faultline dashboard`."""

import os
import sys

import click

from faultline.cli._options import store_option


@click.command()
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8501,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
def dashboard(store: str | None, host: str, port: int) -> None:
    """Open the dashboard on the stored tables.

    Without sign-in it listens on this machine only; the guide says how to configure sign-in.

    \b
    Example:
      faultline dashboard --store ./faultline-data --port 8501
    """
    from faultline.cli._store import store_url

    # The dashboard is a program of its own above this one: importing it would turn the layers round. It takes this
    # process over, so that signals and the exit code are its own.
    command = [sys.executable, "-m", "dashboard", "--store", store_url(store), "--host", host, "--port", str(port)]
    os.execv(sys.executable, command)  # noqa: S606 (our own module, no shell)
