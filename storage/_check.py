"""Whether data files are what was written: by length and end mark, by footer, or by reading every byte."""

from functools import cache

from storage._files import DataFile
from storage._location import Location, listed
from storage._tables import one_line

_MARK = b"PAR1"
_RECENT_S = 600
"""What a loss of power damages was written shortly before it. Reading the footer of every file takes seconds."""


class Check:
    """Looks at the data files of a store, at each once. `full`: reads them whole, else the footers of new ones only.

    Pages of merged files carry checksums. In a file not merged yet, a changed byte that can be decoded is not found.
    An object store keeps checksums of its own and writes a file whole or not at all, so there footers are trusted.
    """

    def __init__(self, location: Location, full: bool = False) -> None:
        self._location, self._full = location, full
        self._found: dict[tuple[str, str], str | None] = {}
        self._sizes = cache(location.sizes)
        self._recent = cache(self._recent_of)

    def wrong(self, table: str, file: DataFile) -> str | None:
        """Return what is wrong with a data file, None if nothing. Raises OSError if the folder cannot be read."""
        key = (table, file.name)
        if key not in self._found:
            self._found[key] = self._look(table, file)
        return self._found[key]

    def _look(self, table: str, file: DataFile) -> str | None:
        size, path = self._sizes(table).get(file.name), f"{self._location.of(table)}/{file.name}"
        if size != file.size:
            return "it is missing" if size is None else f"it has {size} bytes, want {file.size}"
        if not self._location.ends_with(path, _MARK):
            return "its end mark is missing"
        if self._full or file.name in self._recent(table):
            return _unreadable(self._location, path, file.rows, self._full)
        return None

    def _recent_of(self, table: str) -> set[str]:
        """Return the names of the files that were written last; none on an object store."""
        if not self._location.is_local:
            return set()
        written = {name: stat.st_mtime for name, stat in listed(self._location.of(table)).items()}
        newest = max(written.values(), default=0.0)
        return {name for name, at in written.items() if at >= newest - _RECENT_S}


def _unreadable(location: Location, path: str, rows: int, full: bool) -> str | None:
    """Return why the footer, or with `full` some page, cannot be read; None if it can."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with location.read(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as parquet:
            found = parquet.metadata.num_rows
            if full:
                found = sum(batch.num_rows for batch in parquet.iter_batches(batch_size=8192))
    except (pa.ArrowException, OSError) as error:
        return one_line(error)
    return None if found == rows else f"it holds {found} rows, want {rows}"
