"""`python -m benchmarks.datasets list|download|verify`: what `faultline datasets` starts."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.datasets._check import verify
from benchmarks.datasets._download import download, terms
from benchmarks.datasets._progress import Progress
from benchmarks.datasets._registry import DATASETS, Dataset, dataset
from telemetry import FaultlineError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except FaultlineError as error:
        sys.stderr.write(f"faultline: error: {' '.join(str(error).split())}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("faultline: error: interrupted; run again to go on\n")
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.datasets", description=__doc__)
    commands = parser.add_subparsers(required=True)
    listed = commands.add_parser("list", help="data sets there are")
    listed.add_argument("name", nargs="?", help="show this one in full")
    listed.add_argument("--json", action="store_true")
    listed.set_defaults(run=_list)
    fetched = commands.add_parser("download", help="fetch, check and unpack one")
    fetched.add_argument("name")
    fetched.add_argument("--to", type=Path, required=True, metavar="DIR")
    fetched.add_argument("--file", action="append", default=[], metavar="FILE")
    fetched.add_argument("--accept-licence", action="store_true")
    fetched.set_defaults(run=_download)
    checked = commands.add_parser("verify", help="check files against their checksums")
    checked.add_argument("folder", type=Path)
    checked.set_defaults(run=_verify)
    return parser


def _list(given: argparse.Namespace) -> int:
    shown = [dataset(given.name)] if given.name else list(DATASETS.values())
    if given.json:
        sys.stdout.write(json.dumps([_fields(one) for one in shown], indent=1) + "\n")
    elif given.name:
        for key, value in _fields(shown[0]).items():
            text = "\n  ".join(["", *value]) if isinstance(value, list) else f" {value}"
            sys.stdout.write(f"{key}:{text}\n")
    else:
        for one in shown:
            sys.stdout.write(f"{one.name}\t{one.task}\t{len(one.archives)} files\t{one.size}\t{one.title}\n")
    return 0


def _fields(data: Dataset) -> dict[str, str | list[str]]:
    return {
        "name": data.name,
        "title": data.title,
        "task": data.task,
        "licence": data.licence,
        "citation": data.citation,
        "home": data.home,
        "size": data.size,
        "checked by": data.pinned_by,
        "layout": data.layout,
        "files": [data.host + archive.path for archive in data.archives],
    }


def _download(given: argparse.Namespace) -> int:
    data = dataset(given.name)
    sys.stderr.write(terms(data))
    bar = Progress(data.name)
    try:
        folders = download(data, given.to, accept_licence=given.accept_licence, names=given.file, say=_say, shown=bar)
    finally:
        bar.close()
    for folder in folders:
        sys.stdout.write(f"{folder}\n")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _verify(given: argparse.Namespace) -> int:
    bar = Progress("checked", bytes_=False)
    try:
        found = verify(given.folder, bar)
    finally:
        bar.close()
    for problem in found.problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{found.files} files listed, {len(found.problems)} not as listed\n")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
