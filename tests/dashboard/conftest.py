"""A store with two made-up hours in it, and an empty one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard import _store
from storage import Reader, Store

from . import shop


@pytest.fixture(scope="session", autouse=True)
def closed_readers() -> Iterator[None]:
    """Close the readers that pages opened: DuckDB complains about connections that outlive the interpreter."""
    yield
    _store.reader.clear()


@pytest.fixture(scope="session")
def end() -> datetime:
    """The moment the made-up data ends: now, on a whole minute."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, end: datetime) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "store"
    shop.fill(str(folder), end)
    return folder


@pytest.fixture(scope="session")
def reader(store: Path) -> Iterator[Reader]:
    with Store.open(store, create=False).reader() as opened:
        yield opened


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "store"
    Store.open(folder)
    return folder
