"""The store: where the tables are, and what is in them."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import telemetry
from storage._check import Check
from storage._edit_log import append_edit
from storage._edits import Edit
from storage._location import Location
from storage._reader import Reader
from storage._repair import Repair, broken_files, repair
from storage._tables import Handle, create_table, store_errors
from storage._torn import mend_logs
from storage._writer import Writer
from telemetry import StoreError

_MARK = "state"  # the last table that every version creates: where it is, there is a store


@dataclass(frozen=True)
class TableInfo:
    """What one table holds: its version, and the number of files, rows and bytes of that version."""

    table: str
    version: int
    files: int
    rows: int
    bytes: int


class Store:
    """Delta Lake tables below one folder or URL, one for each of `telemetry.TABLES`. `url` says where."""

    def __init__(self, location: Location, opened: Mapping[str, Handle] | None = None) -> None:
        self.location = location
        self._opened = dict(opened or {})  # for whoever writes first: opening a table takes a while

    @property
    def url(self) -> str:
        """An absolute path, or `s3://bucket/prefix`."""
        return self.location.url

    @classmethod
    def open(cls, url: str | Path, create: bool = True) -> "Store":
        """Return the store at a folder or URL, creating it unless `create` is false.

        Log entries that a loss of power left torn are moved aside. A store of an older version gains the tables and
        columns it lacks. Raises StoreError where it cannot be written, the URL is of no known kind, or there is no
        store that may not be created.
        """
        location = Location(url)
        if create:
            mend_logs(location)
        if not create and not cls.exists(url):
            raise StoreError(f"no store at {location}: `faultline run` or `faultline demo` with this --store makes one")
        handles = {name: Handle(location, name) for name in telemetry.TABLES}
        location.each(lambda handle: _see_to(location, handle, create), handles.values())
        return cls(location, handles if create else None)

    @staticmethod
    def exists(url: str | Path) -> bool:
        """Return whether there is a store at a folder or URL."""
        location = Location(url)
        with store_errors(f"look for a store at {location}"):
            return location.has_table(_MARK)

    def writer(self) -> Writer:
        """Return a writer; one a process is enough."""
        opened, self._opened = self._opened, {}
        return Writer(self.location, opened)

    def reader(
        self,
        memory_limit: str = "512MiB",
        timeout_s: float = 30.0,
        preview: Edit | None = None,
        follows: bool = False,
    ) -> Reader:
        """Return a reader with limits on a query's memory and time; `preview`: as if this edit were stored.

        `follows`: it reads what comes for as long as the process runs.
        """
        return Reader(self.location, memory_limit, timeout_s, preview, follows)

    def append_edit(self, edit: Edit) -> None:
        """Store an edit, whose `seq` must be the next one.

        Raises StoreError if another edit came in between, or the table cannot be written.
        """
        append_edit(Handle(self.location, "edits"), edit)

    def repair(self, full: bool = False) -> list[Repair]:
        """Look for broken data files, and take their tables back to before them.

        At a start that is those missing, of the wrong length, or new and without a readable footer; with `full` every
        byte is read. Call before reading or writing: what is to be read again follows from the positions.
        Raises StoreError.
        """
        return repair(self.location, full, self._opened)

    def broken_files(self) -> Iterator[str]:
        """Read every data file in full; yield a line for each that is broken. Raises StoreError."""
        handles = [Handle(self.location, name) for name in telemetry.TABLES]
        for table, file, wrong in broken_files(handles, self.location, Check(self.location, full=True)):
            yield f"{self.location.of(table)}/{file.name}: {wrong}"

    def free_bytes(self) -> int | None:
        """Return the room left on the disk of a local store; None for an object store. Raises StoreError."""
        if not self.location.is_local:
            return None
        with store_errors(f"look at the disk of {self.url}"):
            return shutil.disk_usage(self.url).free

    def describe(self) -> list[TableInfo]:
        """Return version, files, rows and bytes of every table. Raises StoreError if one cannot be read."""
        return self.location.each(lambda name: _info(Handle(self.location, name)), telemetry.TABLES)


def _see_to(location: Location, handle: Handle, create: bool) -> None:
    """Create a table that is not there, and with `create` bring one that is up to date."""
    if create or not location.has_table(handle.name):
        create_table(location, handle)


def _info(handle: Handle) -> TableInfo:
    files = handle.files()
    return TableInfo(handle.name, handle.version, len(files.paths), files.rows, files.size)
