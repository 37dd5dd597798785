"""Finding and opening the store to read what is there; only `run` and `demo` create one."""

from typing import TYPE_CHECKING

from faultline import settings

if TYPE_CHECKING:
    from storage import Store


def store_url(given: str | None) -> str:
    """Return where the store is: as given on the command line, else by the settings."""
    return settings.load(flags={"store": given}).store


def existing_store(given: str | None) -> "Store":
    """Open the store to read; raises StoreError where there is none."""
    from storage import Store

    return Store.open(store_url(given), create=False)
