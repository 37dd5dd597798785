"""Finding and opening the store to read what is there; only `run` and `demo` may create one."""

from pathlib import Path
from typing import TYPE_CHECKING

from faultline import settings
from telemetry import StoreError

if TYPE_CHECKING:
    from storage import Store


def store_url(given: str | None) -> str:
    """Return where the store is: as given on the command line, else by the settings."""
    return settings.load(flags={"store": given}).store


def existing_store(given: str | None) -> "Store":
    """Open the store to read; raises StoreError where a local folder holds none."""
    from storage import Store

    url = store_url(given)
    if "://" not in url and not Path(url, "ledger").is_dir():
        raise StoreError(f"there is no store at {url}: `faultline run` or `faultline demo` makes one, or give --store")
    return Store.open(url)
