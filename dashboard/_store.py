"""The store as the pages read it: one reader for all sessions of this process, brought up to date at most once a second."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import streamlit as st

DEFAULT_STORE = "./faultline-data"
_REFRESH_S = 1.0


def store_url() -> str:
    """Return the store's address: FAULTLINE_STORE, else ./faultline-data."""
    return os.environ.get("FAULTLINE_STORE") or DEFAULT_STORE


def exists(url: str) -> bool:
    """Say whether a store is there. Of one that is not a local folder this is known only on reading it."""
    if "://" in url and not url.startswith("file://"):
        return True
    folder = Path(url.removeprefix("file://"))
    return folder.is_dir() and any(folder.iterdir())


class Feed:
    """A `storage.Reader` that any thread may ask. Raises StoreError where the store cannot be read."""

    def __init__(self, url: str) -> None:
        from storage import Store

        self._reader = Store.open(url).reader()
        self._lock = threading.Lock()
        self._refreshed = time.monotonic()

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Run one SELECT over the views named as the tables, on data at most a second old."""
        with self._lock:
            if time.monotonic() - self._refreshed > _REFRESH_S:
                self._reader.refresh()
                self._refreshed = time.monotonic()
            return self._reader.query(sql, params)


@st.cache_resource(show_spinner=False, max_entries=4)
def feed(url: str) -> Feed:
    """Return the process's feed of a store; it is opened once."""
    return Feed(url)
