"""A data folder in miniature with something to find in it, and one report made from it."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "datasets")]

from made import write_benchmark_data  # noqa: E402


@pytest.fixture(scope="session")
def bench_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "data"
    write_benchmark_data(folder)
    return folder
