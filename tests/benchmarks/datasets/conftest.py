"""A stand-in for the servers data comes from, and a data folder in miniature."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.datasets import Archive, Dataset, Policy

from .data_server import DataServer, serve
from .miniature import write_data


@pytest.fixture
def server() -> Iterator[DataServer]:
    state = DataServer()
    web = serve(state)
    yield state
    web.shutdown()
    web.server_close()


@pytest.fixture
def policy() -> Policy:
    return Policy(timeout_s=0.5, stall_s=0.3, attempts=3, backoff_s=0.0)


@pytest.fixture
def dataset(server: DataServer) -> Dataset:
    """Two archives with a record, as on Zenodo."""
    return Dataset(
        name="mini",
        title="A small set",
        task="parsing",
        licence="Research only.",
        citation="Nobody, 2024.",
        host=server.url,
        home="https://example.org/mini",
        archives=(Archive("One.zip", "/files/One.zip?download=1"), Archive("Two.tar.gz", "/files/Two.tar.gz")),
        size="tiny",
        layout="*.log",
        record="/api/records/7",
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write_data(folder)
    return folder
