"""The error tree. Every error a user can meet is one of these, and its text is one line.

    FaultlineError                  exit 1 unless said otherwise
    ├── UsageError                  exit 2: a flag, setting or argument is wrong
    │   └── SettingsError           exit 2: a setting has a value it cannot have
    ├── SourceError                 an input cannot be read (missing, no rights, unreachable broker)
    │   └── PositionLost            the input no longer holds the stored position (truncated file, retention)
    ├── DecodeError                 one record cannot be decoded; becomes a dead letter, never stops a batch
    ├── StoreError                  the store cannot be opened, read or written
    │   ├── Fenced                  another writer moved this position: drop the batch, restore, seek again
    │   ├── StoreFull               no room is left: nothing was lost, commit again once there is
    │   ├── CorruptState            a snapshot fails its checksum or has an unknown format version
    │   └── QueryError              a query is wrong, forbidden, or over its limits
    └── EvidenceError               a root-cause case lacks what the method needs

A message says what happened, where, what was found and what would be right.
"""


class FaultlineError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line exits with."""

    exit_code = 1


class UsageError(FaultlineError):
    """A flag, argument or combination of them is wrong."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting has a value it cannot have."""


class SourceError(FaultlineError):
    """An input cannot be read."""


class PositionLost(SourceError):
    """The input no longer holds the position the tables say comes next."""


class DecodeError(FaultlineError):
    """One record cannot be decoded. `reason` is a short stable code, used as dead-letter reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class StoreError(FaultlineError):
    """The store cannot be opened, read or written."""


class Fenced(StoreError):
    """Another writer has moved a position this writer owned."""


class StoreFull(StoreError):
    """The disk or quota that holds the store is full."""


class CorruptState(StoreError):
    """A stored snapshot fails its checksum or has an unknown format version."""


class QueryError(StoreError):
    """A query is wrong, not allowed, or over its memory or time limit."""


class EvidenceError(FaultlineError):
    """A root-cause case lacks what the chosen method needs."""
