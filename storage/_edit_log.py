"""Appending to the table `edits`: one edit a commit, numbered without gaps, whoever else is editing."""

from dataclasses import asdict

import pyarrow as pa

import telemetry
from storage._edits import Edit
from storage._tables import Handle, store_errors
from telemetry import StoreError

_APP = "edits"


def append_edit(handle: Handle, edit: Edit) -> None:
    """Append one edit. Raises StoreError unless its `seq` is the next one."""
    from deltalake import Transaction
    from deltalake.exceptions import CommitFailedError

    handle.refresh()
    last = handle.position(_APP) or 0
    if last != edit.seq - 1:
        raise _overtaken(edit, last)
    rows = pa.Table.from_pylist([asdict(edit)], telemetry.EDITS)
    try:
        with store_errors(f"write to the table {handle.path}"):
            handle.append(rows, [Transaction(_APP, edit.seq)])
    except StoreError as error:
        if isinstance(error.__cause__, CommitFailedError) and "oncurrent transaction" in str(error.__cause__):
            raise _overtaken(edit, edit.seq) from error
        raise


def _overtaken(edit: Edit, last: int) -> StoreError:
    return StoreError(
        f"edit {edit.seq} was prepared when edit {edit.seq - 1} was the last, but {last} is there: look at it and try "
        "again"
    )
