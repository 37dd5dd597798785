"""What holds on a folder holds on an S3-style store: the same tests, and those of the lease."""

import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import storage_worker as worker

sys.path.insert(0, str(Path(__file__).parents[1]))
from s3 import object_store
from test_exactly_once import (  # noqa: F401 - run here as well, on the store below
    test_snapshot_is_never_ahead_of_a_table,
)
from test_maintenance import (  # noqa: F401
    test_two_merges_of_the_same_files_do_not_double_rows,
)
from test_writer import (  # noqa: F401
    test_own_commits_and_reopening_do_not_hide_a_rival,
    test_rival_between_check_and_commit_fences,
)

from storage import Reader, Store, compact
from storage import _lease as leases
from storage._location import Location
from telemetry import Partition, QueryError, StoreError


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as url:
        yield url


@pytest.fixture
def store(bucket: str) -> Store:
    return Store.open(f"{bucket}/{uuid4()}/a store")


def test_nothing_outside_the_store_can_be_read(bucket: str, store: Store, reader: Reader) -> None:
    store.location.filesystem.pipe("bucket/secret", b"x")
    for path in ("s3://bucket/secret", f"{store.url}-other/secret", "/etc/passwd"):
        with pytest.raises(QueryError, match="Cannot access file"):
            reader.query(f"SELECT * FROM read_text('{path}')")
    for path in (f"{store.url}/../../secret", f"{store.url}/../../*"):  # dots mean nothing in a key
        assert reader.query(f"SELECT * FROM read_text('{path}')").num_rows == 0


def test_a_lease_ends_with_its_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0)
    with leases.lease(store.location) as first, leases.lease(store.location) as second:
        assert (first, second) == (True, True)
    monkeypatch.setattr(leases, "LEASE_S", 60)
    with leases.lease(store.location) as first, leases.lease(store.location) as second:
        assert (first, second) == (True, False)
    with leases.lease(store.location) as again:
        assert again


def test_errors_name_the_store_and_no_credential(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="no store at s3://bucket/nothing"):
        Store.open(f"{bucket}/nothing", create=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = Store(Location(f"{bucket}/x"))
    with pytest.raises(StoreError) as caught:
        store.describe()
    assert "never-shown" not in str(caught.value)
    assert "s3://bucket/x" in str(caught.value)
    assert "never-shown" not in repr(vars(store.location))


def test_restart_goes_on_where_the_tables_say(store: Store, partition: Partition) -> None:
    worker.drain(store.writer(), partition, 20, iter([7, 7, 7]))
    compact(store)
    assert worker.restored(store.writer(), partition) in range(21)
    worker.drain(store.writer(), partition, 40, iter([20] * 3))
    with store.reader() as reader:
        assert reader.query('SELECT count(*) AS n, max("offset") AS last FROM logs').to_pylist() == [
            {"n": sum(worker.kind(n) == "logs" for n in range(40)), "last": 39}
        ]
