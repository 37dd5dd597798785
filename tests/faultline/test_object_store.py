"""The whole pipeline on an S3-style store: a second run over the same files adds nothing."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from s3 import object_store

from faultline.pipeline import run_pipeline
from faultline.settings import Settings
from faultline.status import read_status
from ingest import FilesSource
from storage import Store


def test_files_to_an_object_store_exactly_once(tmp_path: Path) -> None:
    lines = [f"2026-01-01 00:00:{n % 60:02d} INFO user {n} added item {n * 7} to the cart" for n in range(300)]
    (tmp_path / "shop.log").write_text("\n".join(lines) + "\n")
    with object_store() as url:
        for _ in range(2):
            store = Store.open(f"{url}/shop")
            source = FilesSource([tmp_path / "shop.log"], once=True)
            done = run_pipeline(source, store, Settings(), once=True, stop=threading.Event())
            assert (done.total.read, done.total.stored) == (300, 300)
        status = read_status(store)
        assert status.balanced
        assert status.free_bytes is None
        with store.reader() as reader:
            found = reader.query("SELECT count(*) AS n, count(DISTINCT line) AS lines FROM logs").to_pylist()
        assert found == [{"n": 300, "lines": 300}]
