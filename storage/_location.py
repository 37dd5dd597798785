"""Where a store lives: a local folder or a prefix of an S3-style bucket, and the file operations that differ.

An object store is reached by deltalake's own client and, for DuckDB, through s3fs. Both take keys, region and
endpoint from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`,
`AWS_ENDPOINT_URL`), so that no credential passes through this program.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa

from telemetry import StoreError

if TYPE_CHECKING:
    from deltalake import DeltaTable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Location:
    """The root of a store. `url` is an absolute path, or `s3://bucket/prefix`; neither ends in a slash."""

    def __init__(self, url: "str | Path | Location") -> None:
        """Raises StoreError where the URL is neither a folder nor of an S3-style store."""
        text = str(url)
        self.is_local = "://" not in text or text.startswith("file://")
        self.url = str(_folder(text)) if self.is_local else _checked(text)

    def __str__(self) -> str:
        return self.url

    @property
    def folder(self) -> Path:
        """The root as a path; local stores only."""
        assert self.is_local, self.url
        return Path(self.url)

    def of(self, table: str) -> str:
        """Return where a table lives."""
        return f"{self.url}/{table}"

    @cached_property
    def options(self) -> dict[str, str] | None:
        """What deltalake's client needs to know beyond its environment; None for a local folder."""
        if self.is_local:
            return None
        # A commit is a conditional put: of two writers that make the same version, the store refuses the second.
        options = {"conditional_put": "etag", "aws_s3_allow_unsafe_rename": "false"}
        if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
            options["allow_http"] = "true"
        return options

    def table(self, name: str, version: int | None = None) -> "DeltaTable":
        """Open a Delta table. Raises what deltalake raises."""
        from deltalake import DeltaTable

        return DeltaTable(self.of(name), version=version, storage_options=self.options)

    def has_table(self, name: str) -> bool:
        """Return whether there is a table of that name."""
        if self.is_local:
            return (self.folder / name / "_delta_log").is_dir()
        from deltalake.exceptions import TableNotFoundError

        try:
            self.table(name)
        except TableNotFoundError:
            return False
        return True

    @cached_property
    def filesystem(self) -> Any:
        """The fsspec file system of an object store, which reads files anew and remembers no listing."""
        try:
            import s3fs  # type: ignore[import-untyped]
        except ImportError:
            raise StoreError(f"a store at {self.url} needs s3fs: install faultline[s3]") from None
        region = os.environ.get("AWS_REGION")
        return s3fs.S3FileSystem(
            skip_instance_cache=True,
            use_listings_cache=False,
            default_block_size=1 << 20,
            client_kwargs={"region_name": region} if region else {},
        )

    def each(self, act: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return what `act` returns for each item, at the same time on an object store: there each is a round trip."""
        if self.is_local:
            return [act(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(16) as threads:
            return list(threads.map(act, items))

    def create(self, path: str) -> Any:
        """Open a new binary file for writing; use as a context manager."""
        if self.is_local:
            return open(path, "wb")
        return self.filesystem.open(path, "wb", block_size=16 << 20)

    def read(self, path: str) -> Any:
        """Open a binary file for Arrow to read; use as a context manager.

        A local one is Arrow's own: a thread of Arrow's (26) that lets go of a Python object while the process ends
        has it end with SIGABRT.
        """
        return pa.OSFile(path, "rb") if self.is_local else self.filesystem.open(path, "rb")

    def sizes(self, table: str) -> dict[str, int]:
        """Return the size in bytes of each data file that is there, by its name inside the table."""
        if self.is_local:
            return {name: stat.st_size for name, stat in listed(self.of(table)).items()}
        root = self.of(table).removeprefix("s3://") + "/"
        found = self.filesystem.find(root, detail=True)
        return {path.removeprefix(root): info["size"] for path, info in found.items() if "/_" not in path}

    def ends_with(self, path: str, mark: bytes) -> bool:
        """Return whether a file ends with these bytes. An object is written whole or not at all, so it does."""
        if not self.is_local:
            return True
        with open(path, "rb") as file:
            file.seek(-len(mark), os.SEEK_END)
            return file.read() == mark


def listed(folder: str) -> dict[str, os.stat_result]:
    """Return what is known of each file of a local folder, by its name; writers come and go meanwhile."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a file under way has got its name, or one that nothing needs is gone
                if entry.is_file():
                    found[entry.name] = entry.stat()
    return found


def _folder(text: str) -> Path:
    return Path(text.removeprefix("file://")).expanduser().resolve()


def _checked(text: str) -> str:
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise StoreError("a store's URL holds no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
    if parts.scheme != "s3" or not parts.netloc:
        raise StoreError(f"cannot keep a store at {text}: want a local folder or s3://BUCKET/PREFIX")
    return text.rstrip("/")
