"""`faultline dashboard`."""

import subprocess
import sys

import click

from faultline.cli._options import store_option


@click.command()
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8501, show_default=True, help="Port to listen on.")
@click.pass_context
def dashboard(context: click.Context, store: str, host: str, port: int) -> None:
    """Open the dashboard on the stored tables.

    It has no login: whoever reaches the address sees the data. Listen beyond this machine only behind a proxy.

    \b
    Example:
      faultline dashboard --store ./faultline-data --port 8501
    """
    # The dashboard is a program of its own above this one; importing it from here would turn the layers round.
    command = [sys.executable, "-m", "dashboard", "--store", store, "--host", host, "--port", str(port)]
    context.exit(subprocess.call(command))  # noqa: S603 - our own module, no shell
