"""`faultline datasets list`, `download` and `verify`."""

import os
import sys
from pathlib import Path

import click


@click.group()
def datasets() -> None:
    """List, download or check the data sets of the benchmarks.

    None is shipped with Faultline: each has its own licence, shown before its first byte is fetched.

    \b
    Examples:
      faultline datasets list loghub
      faultline datasets download nab --to ./data --accept-licence
      faultline datasets verify ./data
    """


@datasets.command("list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_datasets(name: str | None, as_json: bool) -> None:
    """List what can be downloaded; with NAME, one in full: licence, citation, files, layout.

    \b
    Examples:
      faultline datasets list
      faultline datasets list loghub
    """
    _start("list", *([name] if name else []), *(["--json"] if as_json else []))


@datasets.command()
@click.argument("name")
@click.option(
    "--to", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where the data goes."
)
@click.option(
    "--file", "files", metavar="FILE", multiple=True, help="Only this file of it; may be repeated.  [default: all]"
)
@click.option("--accept-licence", is_flag=True, help="Say that you accept the licence that is shown.")
def download(name: str, to: Path, files: tuple[str, ...], accept_licence: bool) -> None:
    """Fetch a data set from its official address, check it and unpack it.

    An interrupted download goes on where it stopped. A file is checked against the checksum its record states; its
    sha256 is pinned in DIR/pins.json the first time, and another file is refused from then on.

    \b
    Example:
      faultline datasets download loghub --file Apache.tar.gz --to ./data --accept-licence
    """
    _start(
        "download",
        name,
        "--to",
        str(to),
        *(word for file in files for word in ("--file", file)),
        *(["--accept-licence"] if accept_licence else []),
    )


@datasets.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def verify(folder: Path) -> None:
    """Check the files in DIR against the SHA256SUMS files in it; name each that is missing, empty or altered.

    \b
    Example:
      faultline datasets verify ./data
    """
    _start("verify", str(folder))


def _start(*arguments: str) -> None:
    """Let the benchmarks' own program take this process over: the layers forbid importing it from here."""
    command = [sys.executable, "-m", "benchmarks.datasets", *arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 (our own module, no shell)
