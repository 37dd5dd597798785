import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Reader, Store
from telemetry import Partition

sys.path.insert(0, str(Path(__file__).parent))  # for storage_worker, which also runs as a process of its own


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "a store's folder")


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    with store.reader() as reader:
        yield reader


@pytest.fixture
def partition() -> Partition:
    return Partition("app-a", "a")
