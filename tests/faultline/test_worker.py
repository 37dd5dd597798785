"""Event time: what is late depends on the order of a partition's rows alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faultline.worker import Counts, EventClock

S = 1_000_000


def test_a_row_is_late_when_too_far_behind_the_newest_confirmed_time():
    clock = EventClock(lateness_us=5 * S)
    late = clock.late(np.array([100, 101, 102, 95, 96, 90]) * S)
    assert late.tolist() == [False, False, False, True, False, True]
    assert clock.watermark == 96 * S


def test_one_stray_future_time_moves_nothing_and_two_in_a_row_do():
    clock = EventClock(lateness_us=5 * S)
    assert not clock.late(np.array([100, 101, 10_000, 102, 103]) * S).any()
    assert clock.watermark == (102 - 5) * S
    clock.late(np.array([10_000, 10_001]) * S)
    assert clock.watermark == (10_000 - 5) * S


def test_an_idle_partition_lets_time_pass():
    clock = EventClock(lateness_us=5 * S)
    clock.late(np.array([100, 101]) * S)
    clock.advance(200 * S)
    assert clock.watermark == 200 * S
    assert clock.late(np.array([199 * S, 200 * S])).tolist() == [True, False]


@given(st.lists(st.integers(0, 10**9)), st.lists(st.integers(0, 40)))
def test_lateness_does_not_depend_on_batches(times: list[int], cuts: list[int]):
    whole, parts = EventClock(1000), EventClock(1000)
    expected = whole.late(np.array(times, dtype=np.int64)).tolist()
    pieces = np.split(np.array(times, dtype=np.int64), sorted(min(cut, len(times)) for cut in cuts))
    assert [flag for piece in pieces for flag in parts.late(piece).tolist()] == expected
    assert parts == whole


def test_totals_balance():
    assert Counts(read=10, stored=6, joined=1, dead_lettered=2, filtered=1).balanced
    assert not (Counts(read=10, stored=6) + Counts(read=1)).balanced
