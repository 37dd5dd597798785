"""The store as the pages read it: one reader for all visitors of this process."""

import os

import streamlit as st

from storage import Reader, Store


def store_url() -> str:
    """Return the store's address: FAULTLINE_STORE, else ./faultline-data."""
    return os.environ.get("FAULTLINE_STORE") or "./faultline-data"


@st.cache_resource(show_spinner=False, max_entries=4, on_release=Reader.close)
def reader(url: str) -> Reader:
    """Return the process's reader of a store; it is opened once. Raises StoreError where it cannot be read."""
    return Store.open(url, create=False).reader()
