from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import _times

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
US = 1_767_323_045_678_901


@pytest.mark.parametrize(
    ("value", "us"),
    [
        ("2026-01-02T03:04:05.678901Z", US),
        ("2026-01-02T03:04:05.678901999Z", US),
        ("2026-01-02 03:04:05.678901", US),
        ("2026-01-02T04:04:05.678901+01:00", US),
        ("2026-01-02T04:04:05.678901+0100", US),
        ("2026-01-02T04:04:05,678901+01", US),
        ("2026/01/02 03:04:05.678901", US),
        ("2026-01-02T03:04", 1_767_323_040_000_000),
        ("2026-01-02", 1_767_312_000_000_000),
        ("02/Jan/2026:03:04:05 +0000", 1_767_323_045_000_000),
        ("1767323045.678901", US),
        ("1767323045678901", US),
        (1767323045, 1_767_323_045_000_000),
        (1767323045.678901, US),
        (1767323045678, 1_767_323_045_678_000),
        (US, US),
        (1_767_323_045_678_901_234, US),
    ],
)
def test_forms(value, us):
    found, usable = _times.from_values([value])
    assert usable[0]
    assert found[0] == us


@pytest.mark.parametrize(
    "value", ["", "soon", "12:00:01", "99999-01-01", "1969-12-31T23:59:59Z", -1, 0, 5.0, 1e300, float("nan"),
              float("inf"), 2**70, True, None, [], {}, "2026-13-01", "9" * 400]
)  # fmt: skip
def test_what_is_no_time(value):
    assert not _times.from_values([value])[1][0]


def test_small_numbers_are_relative_seconds_only_where_allowed():
    assert _times.from_text(pa.array(["0", "12.5"]), relative=True)[0].tolist() == [0, 12_500_000]
    assert not _times.from_text(pa.array(["0", "12.5"]))[1].any()


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1975, 1, 1), datetime(2199, 1, 1)),
            st.sampled_from(["Z", "+00:00", "+05:30", "-0800", ""]),
            st.sampled_from("T "),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_column_of_mixed_forms_reads_as_each_alone(stamps):
    texts = [moment.isoformat(separator) + zone for moment, zone, separator in stamps]
    together, usable = _times.from_text(pa.array(texts))
    assert usable.all()
    for (moment, zone, _), found in zip(stamps, together.tolist(), strict=True):
        shift = {"+05:30": timedelta(hours=5.5), "-0800": timedelta(hours=-8)}.get(zone, timedelta())
        exact = (moment.replace(tzinfo=timezone(shift)) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert found == exact


def test_a_bad_value_does_not_spoil_its_neighbours():
    us, usable = _times.from_text(pa.array(["2026-01-02T03:04:05Z", "?", None, "1767323045"]))
    assert usable.tolist() == [True, False, False, True]
    assert us[0] == us[3]
    assert us.dtype == np.int64
