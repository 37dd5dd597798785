import subprocess
import sys
from pathlib import Path

import pytest

from ingest._discover import looks_binary, service_of_file


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("cart.log", "cart"),
        ("cart.log.1", "cart"),
        ("cart-2026-01-01.log", "cart"),
        ("cart.log.2026-01-01", "cart"),
        ("cart.log-20260101", "cart"),
        ("cart.jsonl", "cart"),
        ("ts-order-service.out", "ts-order-service"),
        ("metrics.jsonl", None),
        ("spans.jsonl", None),
        ("app.log", None),
        ("HDFS_2k.log", "HDFS_2k"),
        ("service-v2.log", "service-v2"),
    ],
)
def test_service_of_a_file_name(name, service):
    assert service_of_file(Path("/var/log", name)) == service


def test_text_with_nul_or_latin_1_is_not_binary():
    assert not looks_binary(b"a\x00b\n" * 10)
    assert not looks_binary("déjà vu\n".encode("latin-1") * 10)
    assert not looks_binary(b"\x1b[31mred\x1b[0m\r\n\t")
    assert looks_binary(bytes(range(32)) * 8)


def test_importing_ingest_loads_no_heavy_library():
    code = (
        "import ingest, sys; print([m for m in ('kafka', 'pandas', 'pyarrow.parquet', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
