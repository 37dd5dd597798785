"""Opening the store to read what is there; only `run` and `demo` may create one."""

from pathlib import Path
from typing import TYPE_CHECKING

from telemetry import StoreError

if TYPE_CHECKING:
    from storage import Store


def existing_store(url: str) -> "Store":
    """Open the store at `url`; raises StoreError where a local folder holds none."""
    from storage import Store

    if "://" not in url and not Path(url, "ledger").is_dir():
        raise StoreError(f"there is no store at {url}: `faultline run` or `faultline demo` makes one, or give --store")
    return Store.open(url)
