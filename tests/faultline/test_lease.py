"""The correlator's lease: one holder at a time, taken over when it dies, given back when it ends."""

import subprocess
import sys

import pytest

from faultline import lease
from faultline.lease import EXPIRE_S, RENEW_S, Lease
from storage import Store
from telemetry import Fenced


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lease")


@pytest.fixture
def store(folder):
    """The same tables for all tests; each begins with a free lease."""
    made = Store.open(folder)
    last = Lease(made, "cleaner")
    last._writer.restore(lease.APP)
    position = last._writer.seen("ledger", lease.APP) or 0
    last._seen = position
    last._move(position + 2 - position % 2)
    return made


def test_the_first_takes_it_and_the_second_waits_until_it_is_free(store):
    clock = Clock()
    first, second = Lease(store, "first", clock), Lease(store, "second", clock)
    assert first.hold()
    assert not second.hold()
    for _ in range(20):
        clock.now += RENEW_S
        assert first.hold()
        assert not second.hold()
    first.release()
    assert second.hold()
    assert not first.hold()


def test_a_holder_that_falls_silent_loses_it_and_notices(store):
    theirs, ours = Clock(), Clock()
    zombie, next_one = Lease(store, "zombie", theirs), Lease(store, "next", ours)
    assert zombie.hold()
    assert not next_one.hold()
    ours.now += EXPIRE_S - 0.1
    assert not next_one.hold()
    ours.now += 0.2
    assert next_one.hold()
    theirs.now += EXPIRE_S
    with pytest.raises(Fenced):
        zombie.renew()
    assert not zombie.hold()
    ours.now += RENEW_S
    assert next_one.hold()


def test_of_two_that_see_it_free_one_gets_it(store):
    clock = Clock()
    rivals = [Lease(store, name, clock) for name in "abc"]
    seen = store.writer().seen("ledger", lease.APP) or 0
    won = []
    for rival in rivals:
        rival._seen, rival._since = seen, clock.now
        try:
            rival._move(seen + 1, taking=True)
            won.append(rival)
        except Fenced:
            assert not rival.held
    assert len(won) == 1


def test_the_lease_of_a_dead_process_of_this_machine_is_taken_at_once(store, folder):
    code = "import sys; from faultline.lease import Lease; from storage import Store\n"
    code += "assert Lease(Store.open(sys.argv[1], create=False), 'dead').hold()"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=60)
    assert Lease(store, "next", Clock()).hold()
