"""The end of a table's log on a local disk: what others have committed since it was opened, and appends of one's own.

delta-rs (1.6) lists the whole log twice and builds its picture of the table anew with every commit: 6 ms in an empty
table, twice as many a hundred commits later. To append, none of that is needed. Who makes the file of the next version
first has it; who comes second reads what the first did and, if that is no concern of his, takes the version after.
What has become of the table is left to delta-rs, which reads these entries like its own.
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from storage._files import DataFile, NewFile, added

_ALTERED = ("metaData", "protocol")
_CUT = "concurrent transaction: the log was cut meanwhile"

Actions = list[dict[str, Any]]


class CannotFollow(Exception):
    """The log has lost entries since, or the table was altered: it must be opened afresh."""


class Tail:
    """The log of a table from `version` on.

    At that version `positions` holds what is known of app ids, and `files` the data files by name, once they are asked
    for (None: not yet).
    """

    def __init__(self, path: str, name: str, version: int) -> None:
        self._log, self._name = Path(path) / "_delta_log", name
        self.version = version
        self.positions: dict[str, int | None] = {}
        self.files: dict[str, DataFile] | None = None

    def follow(self) -> None:
        """See what has been committed. Raises CannotFollow."""
        while (actions := self._read(self.version + 1)) is not None:
            self._pass(actions)
        if not self._file(self.version).exists() or self.checkpointed() > self.version:
            raise CannotFollow

    def commit(self, files: Collection[NewFile], positions: Mapping[str, int]) -> None:
        """Add files and move app ids in one entry.

        Raises CommitFailedError as Delta Lake does, where another commit came in between that moved one of the app ids
        or altered the table.
        """
        from deltalake.exceptions import CommitFailedError

        actions = _entry(files, positions)
        with self._staged(b"\n".join(orjson.dumps(action) for action in actions)) as staged:
            while not _linked(staged, self._file(self.version + 1)):
                self._pass_rival(positions)
        # Who is stopped here for minutes may find the next version free because the log was cut. Entries go only after
        # a checkpoint that covers them, so then there is one, and the entry just made is part of nothing. But it may
        # also be a checkpoint made since, of this entry too: then it is what it is, and its name must not come free.
        if self.checkpointed() > self.version and not self._holds(positions):
            self._file(self.version + 1).unlink()
            raise CommitFailedError(_CUT)
        self._pass(actions)

    def _holds(self, positions: Mapping[str, int]) -> bool:
        """Return whether the table, opened afresh, has app ids at these positions."""
        from deltalake import DeltaTable

        table = DeltaTable(str(self._log.parent))
        return all(table.transaction_version(app_id) == position for app_id, position in positions.items())

    def _pass_rival(self, positions: Mapping[str, int]) -> None:
        from deltalake.exceptions import CommitFailedError

        try:
            actions = self._read(self.version + 1)
            if actions is None:
                raise CommitFailedError(_CUT)
            if theirs := positions.keys() & _moves(actions).keys():
                raise CommitFailedError(f"concurrent transaction: {', '.join(sorted(theirs))}")
            self._pass(actions)
        except CannotFollow:
            raise CommitFailedError("metadata changed since last commit") from None

    def _pass(self, actions: Actions) -> None:
        if any(kind in action for action in actions for kind in _ALTERED):
            raise CannotFollow
        self.positions |= _moves(actions)
        if self.files is not None:
            self.files |= {file.name: file for file in self._added(actions)}
            for action in actions:
                self.files.pop(action.get("remove", {}).get("path"), None)
        self.version += 1

    def _added(self, actions: Actions) -> Iterator[DataFile]:
        try:
            for action in actions:
                if "add" in action:
                    yield added(self._name, action["add"])
        except (KeyError, TypeError, ValueError):  # nothing is said of a file's rows, or in another way
            raise CannotFollow from None

    def _file(self, version: int) -> Path:
        return self._log / f"{version:020d}.json"

    def _read(self, version: int) -> Actions | None:
        """Return the actions of an entry, None if it is not there. Raises CannotFollow if it makes no sense."""
        try:
            return [orjson.loads(line) for line in self._file(version).read_bytes().splitlines() if line]
        except FileNotFoundError:
            return None
        except (OSError, orjson.JSONDecodeError):  # opening it afresh will say what is wrong
            raise CannotFollow from None

    def checkpointed(self) -> int:
        """Return the version of the newest checkpoint, 0 if there is none."""
        try:
            return int(orjson.loads((self._log / "_last_checkpoint").read_bytes())["version"])
        except (OSError, orjson.JSONDecodeError, KeyError):  # none yet, or just being written
            return 0

    @contextmanager
    def _staged(self, entry: bytes) -> Iterator[Path]:
        """Write an entry under a name that nobody reads: it appears as a whole or not at all."""
        path = self._log / f".{uuid4()}.tmp"
        try:
            path.write_bytes(entry)
            yield path
        finally:
            with suppress(OSError):
                path.unlink()


def _linked(staged: Path, path: Path) -> bool:
    """Give a file its name; return whether nobody else had it."""
    try:
        os.link(staged, path)
    except FileExistsError:
        return False
    return True


def _moves(actions: Actions) -> dict[str, int]:
    return {action["txn"]["appId"]: action["txn"]["version"] for action in actions if "txn" in action}


def _entry(files: Collection[NewFile], positions: Mapping[str, int]) -> Actions:
    now = time.time_ns() // 1_000_000
    info = {
        "timestamp": now,
        "operation": "WRITE",
        "operationParameters": {"mode": "Append"},
        "engineInfo": "faultline",
    }
    brought = [
        {
            "path": file.name,
            "partitionValues": {},
            "size": file.size,
            "modificationTime": now,
            "dataChange": True,
            "stats": file.stats,
        }
        for file in files
    ]
    moved = [{"appId": app, "version": position} for app, position in positions.items()]
    return [{"commitInfo": info}, *({"add": file} for file in brought), *({"txn": move} for move in moved)]
