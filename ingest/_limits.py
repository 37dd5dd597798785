"""How much a message may grow into: what is small on the line can be huge in memory, by intent or by mistake."""

from telemetry import DecodeError

MAX_RECORDS = 250_000
"""A message of more records is rejected whole: two bytes can be one."""
_FREE, _TIMES = 64 * 1024, 128  # a batch of messages then stays below the 2 GiB that an Arrow column can hold


def check_growth(records: int, shared: int, size: int) -> None:
    """Raise DecodeError if a message of `size` bytes holds too many records (too_many), or repeats too much (too_long).

    `shared`: bytes of what is said once in the message and stored with every record, such as resource attributes.
    """
    if records > MAX_RECORDS:
        raise too_many(records)
    if shared > _FREE + _TIMES * size:
        raise DecodeError("too_long", f"attributes shared by its records make {shared} bytes of a message of {size}")


def too_many(records: int) -> DecodeError:
    """Return the error of a message of so many records."""
    return DecodeError("too_many", f"{records} records in one message, want at most {MAX_RECORDS}")
