"""The store: where the tables are, and what is in them."""

from dataclasses import dataclass
from pathlib import Path

import telemetry
from storage._edit_log import append_edit
from storage._edits import Edit
from storage._reader import Reader
from storage._tables import Handle, create_table
from storage._writer import Writer
from telemetry import StoreError


@dataclass(frozen=True)
class TableInfo:
    """What one table holds: its version, and the number of files, rows and bytes of that version."""

    table: str
    version: int
    files: int
    rows: int
    bytes: int


class Store:
    """A folder of Delta Lake tables, one for each of `telemetry.TABLES`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, url: str | Path, create: bool = True) -> "Store":
        """Return the store at a folder, creating what is missing unless `create` is false.

        Raises StoreError where the folder cannot be written, is not local, or holds no store that may be created.
        """
        folder = _folder(url)
        if create:
            for name in telemetry.TABLES:
                create_table(folder, name)
        elif not cls.exists(folder):
            raise StoreError(f"no store at {folder}: `faultline run` or `faultline demo` with this --store makes one")
        return cls(folder)

    @staticmethod
    def exists(url: str | Path) -> bool:
        """Return whether a folder holds all tables of a store."""
        folder = _folder(url)
        return all((folder / name / "_delta_log").is_dir() for name in telemetry.TABLES)

    def writer(self) -> Writer:
        """Return a writer; one a process is enough."""
        return Writer(self.folder)

    def reader(self, memory_limit: str = "512MiB", timeout_s: float = 30.0, preview: Edit | None = None) -> Reader:
        """Return a reader with limits on a query's memory and time; `preview`: as if this edit were stored."""
        return Reader(self.folder, memory_limit, timeout_s, preview)

    def append_edit(self, edit: Edit) -> None:
        """Store an edit, whose `seq` must be the next one.

        Raises StoreError if another edit came in between, or the table cannot be written.
        """
        append_edit(Handle(self.folder, "edits"), edit)

    def describe(self) -> list[TableInfo]:
        """Return version, files, rows and bytes of every table. Raises StoreError if one cannot be read."""
        return [_info(Handle(self.folder, name)) for name in telemetry.TABLES]


def _info(handle: Handle) -> TableInfo:
    files = handle.files()
    return TableInfo(handle.name, handle.version, len(files.paths), files.rows, files.size)


def _folder(url: str | Path) -> Path:
    text = str(url)
    if "://" in text and not text.startswith("file://"):
        raise StoreError(f"cannot keep a store at {text}: want a local folder")
    # os.path.realpath would be wrong for a folder that does not exist yet on some platforms; resolve is lenient.
    return Path(text.removeprefix("file://")).expanduser().resolve()
