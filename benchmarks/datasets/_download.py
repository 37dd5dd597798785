"""Downloading a data set: terms, fetch, checksum, pin, unpack, and a rename at the very end."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets import _check, _fetch
from benchmarks.datasets._errors import DataError
from benchmarks.datasets._fetch import Policy
from benchmarks.datasets._registry import Archive, Dataset
from benchmarks.datasets._unpack import limits_for, unpack

NOTICE = "LICENCE-NOTICE.txt"


@dataclass(frozen=True)
class Stated:
    """What a record says about a file."""

    size: int
    algorithm: str
    checksum: str


def terms(data: Dataset) -> str:
    """Return the terms of a data set as text for people and for the copy."""
    return f"{data.title}\nSource:  {data.home}\nLicence: {data.licence}\nCite:    {data.citation}\n"


def download(
    data: Dataset,
    to: Path,
    *,
    accept_licence: bool,
    names: Sequence[str] = (),
    policy: Policy = Policy(),  # noqa: B008 (immutable)
    say: Callable[[str], None] = lambda text: None,
    shown: _fetch.Shown = lambda done, whole: None,
) -> list[Path]:
    """Download files of `data` into `to`/<data set>/<file without suffix>; return these folders.

    `names`: files to take (default: all). `say` gets a line a step, `shown` the bytes fetched so far. What is there
    already is left alone. Raises DataError; a later call goes on where this one stopped.
    """
    if not accept_licence:
        raise DataError(f"{data.name}: its licence must be accepted (--accept-licence): {data.licence} {data.citation}")
    archives = [data.archive(name) for name in names] or list(data.archives)
    home = to / data.name
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{home}: cannot be made: {error.strerror}") from None
    with _locked(home):
        missing = [archive for archive in archives if not (home / archive.folder).exists()]
        stated = _stated(data, policy) if data.record and missing else {}
        for archive in archives:
            if archive in missing:
                say(f"{data.name}/{archive.name}: fetching")
                _one(data, archive, to, stated, policy, shown)
            say(f"{data.name}/{archive.name}: in {home / archive.folder}")
    return [home / archive.folder for archive in archives]


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    try:
        file = (home / ".lock").open("w")
    except OSError as error:
        raise DataError(f"{home}: cannot be written: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{home}: another download is at work here") from None
        yield


def _stated(data: Dataset, policy: Policy) -> dict[str, Stated]:
    """Return what the record says: file name -> size and checksum."""
    url = data.host + data.record
    found = {}
    for name, entry in _entries(_fetch.read_json(url, policy)):
        algorithm, colon, checksum = str(entry.get("checksum", "")).partition(":")
        size = entry.get("size")
        if colon and isinstance(size, int):
            found[name] = Stated(size, algorithm, checksum.lower())
    if not found:
        raise DataError(f"{url}: the record states no file with size and checksum")
    return found


def _entries(record: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the files of a Zenodo record in either of its two JSON forms."""
    files = record.get("files") if isinstance(record, dict) else None
    if isinstance(files, dict) and isinstance(files.get("entries"), dict):
        return [(name, entry) for name, entry in files["entries"].items() if isinstance(entry, dict)]
    if isinstance(files, list):
        return [(str(entry.get("key")), entry) for entry in files if isinstance(entry, dict)]
    return []


def _one(
    data: Dataset, archive: Archive, to: Path, stated: dict[str, Stated], policy: Policy, shown: _fetch.Shown
) -> None:
    url, home = data.host + archive.path, to / data.name
    want = stated.get(archive.name)
    if data.record and want is None:
        raise DataError(f"{data.host}{data.record}: the record has no {archive.name}; it has {', '.join(stated)}")
    packed = home / ".part" / archive.name
    packed.parent.mkdir(exist_ok=True)
    _fetch_checked(url, packed, want, data.max_archive, policy, shown, resumed=packed.exists())
    seen = _check.Pin(_check.digest(packed), packed.stat().st_size, url)
    try:
        _check.refuse_changed(to, f"{data.name}/{archive.name}", seen)
        _put(data, archive, packed, to, seen)
    except DataError:
        _forget(packed)  # another download would be no better, and this one must not be taken for whole
        raise
    except OSError as error:
        raise DataError(f"{home}: {archive.name} cannot be unpacked: {error}") from None
    _forget(packed)


def _fetch_checked(
    url: str, packed: Path, want: Stated | None, limit: int, policy: Policy, shown: _fetch.Shown, resumed: bool
) -> None:
    _fetch.fetch(url, packed, size=want.size if want else None, limit=limit, policy=policy, shown=shown)
    if want is None or (seen := _check.digest(packed, want.algorithm)) == want.checksum:
        return
    _forget(packed)
    if not resumed:
        raise DataError(f"{url}: {want.algorithm} is {seen}, the record states {want.checksum}; thrown away")
    # what an earlier run left may have been damaged: once more from the start
    _fetch_checked(url, packed, want, limit, policy, shown, resumed=False)


def _forget(packed: Path) -> None:
    packed.unlink(missing_ok=True)
    packed.with_name(packed.name + ".etag").unlink(missing_ok=True)


def _put(data: Dataset, archive: Archive, packed: Path, to: Path, seen: _check.Pin) -> None:
    """Unpack beside the final place, then rename: the folder is there whole or not at all."""
    home = to / data.name
    for stale in home.glob(f".{archive.folder}.unpacking*"):
        shutil.rmtree(stale)
    folder = Path(tempfile.mkdtemp(prefix=f".{archive.folder}.unpacking", dir=home))
    try:
        unpack(packed, folder, limits_for(packed, home, data.max_unpacked, data.max_files), archive.keep)
        (folder / NOTICE).write_text(terms(data), encoding="utf-8")
        _check.write_sums(folder)
        folder.chmod(0o755)
        _check.pin(to, f"{data.name}/{archive.name}", seen)
        folder.rename(home / archive.folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
