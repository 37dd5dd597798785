from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
import re2

from parsing import Parser, ParserSettings
from parsing._columns import Spans
from parsing._times import INVALID, TIME_LAYOUTS, read_times
from parsing._years import Years
from telemetry import Parsed


def read(
    text: str, observed: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC), year: int | None = None, zone: str = "UTC"
):
    layout = next(one for one in TIME_LAYOUTS if re2.fullmatch(one.regex, text))
    seen = np.array([int(observed.timestamp() * 1_000_000)])
    times = read_times(Spans.of(pa.array([text])), layout, seen, year, zone)
    us = int(times.us[0])
    return (None if us == INVALID else datetime.fromtimestamp(us / 1e6, UTC)), times


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("2026-01-05T04:05:06.250Z", datetime(2026, 1, 5, 4, 5, 6, 250000, UTC)),
        ("2026-01-05 04:05:06,5", datetime(2026, 1, 5, 4, 5, 6, 500000, UTC)),
        ("2026-01-05T04:05:06+02:00", datetime(2026, 1, 5, 2, 5, 6, 0, UTC)),
        ("2026-01-05-04.05.06.000001", datetime(2026, 1, 5, 4, 5, 6, 1, UTC)),
        ("05/Jan/2026:04:05:06 -0730", datetime(2026, 1, 5, 11, 35, 6, 0, UTC)),
        ("Mon Jan 05 04:05:06 2026", datetime(2026, 1, 5, 4, 5, 6, 0, UTC)),
        ("26/01/05 04:05:06", datetime(2026, 1, 5, 4, 5, 6, 0, UTC)),
        ("260105 040506", datetime(2026, 1, 5, 4, 5, 6, 0, UTC)),
        ("20260105-4:5:6:7", datetime(2026, 1, 5, 4, 5, 6, 7000, UTC)),
        ("05/Jan/2026 04:05:06", datetime(2026, 1, 5, 4, 5, 6, 0, UTC)),
        ("1/5/2026 4:05:06 PM", datetime(2026, 1, 5, 16, 5, 6, 0, UTC)),
        ("1767586006", datetime(2026, 1, 5, 4, 6, 46, 0, UTC)),
        ("1767586006123", datetime(2026, 1, 5, 4, 6, 46, 123000, UTC)),
    ],
)
def test_layouts(text: str, want: datetime) -> None:
    found, times = read(text)
    assert found == want
    assert not times.year_assumed[0]


def test_missing_year_is_the_last_one_that_fits_the_observed_time() -> None:
    assert read("Feb 28 10:00:00")[0] == datetime(2026, 2, 28, 10, tzinfo=UTC)
    assert read("Dec 31 10:00:00")[0] == datetime(2025, 12, 31, 10, tzinfo=UTC)
    assert read("Dec 31 10:00:00")[1].year_assumed[0]


def test_missing_year_from_settings() -> None:
    assert read("Dec 31 10:00:00", year=2005)[0] == datetime(2005, 12, 31, 10, tzinfo=UTC)


def test_missing_date_is_the_day_nearest_to_the_observed_time() -> None:
    found, times = read("23:59:00", datetime(2026, 3, 1, 0, 5, tzinfo=UTC))
    assert found == datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
    assert times.date_assumed[0]


def test_times_are_read_in_the_same_way_behind_any_other() -> None:
    clocks = [
        "04:05:06",
        "04:05:06.25",
        "04:05:59,123Z",
        "04:05:60+02:00",
        "04:05:61",
        "4:5:6",
        "4:05:06 PM",
        "4:05:07",
    ]
    texts = [f"{day} {clock}" for day in ("2026-01-05", "2026-01-06", "2026-02-30") for clock in clocks]
    texts += ["20260105-22:1:29:606", "20260105-22:15:29:606", "20260105-22:15:2:6", "260105 040506", "260105 040507"]
    texts += ["Mon Jan 05 04:05:06 2026", "Mon Jan 05 04:05:06 2025", "Jan  5 04:05:06", "Jan  5 04:05:07", "23:05:06"]
    observed = np.array([0, 400 * 86_400_000_000]) + 1_767_600_000_000_000
    for layout in TIME_LAYOUTS:
        mine = [text for text in texts if re2.fullmatch(layout.regex, text)]
        for pair in product(mine, mine):
            both = read_times(Spans.of(pa.array(pair)), layout, observed, None, "UTC")
            alone = read_times(Spans.of(pa.array(pair[1:])), layout, observed[1:], None, "UTC")
            assert (both.us[1], both.zoned[1]) == (alone.us[0], alone.zoned[0]), (layout.name, pair)


def test_zone_from_settings_applies_to_naive_times_only() -> None:
    assert read("2026-01-05 04:05:06", zone="Asia/Shanghai")[0] == datetime(2026, 1, 4, 20, 5, 6, tzinfo=UTC)
    assert read("2026-01-05 04:05:06Z", zone="Asia/Shanghai")[0] == datetime(2026, 1, 5, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-13-05 04:05:06", "2026-02-30 04:05:06", "2026-01-05 24:05:06"])
def test_impossible_times_are_not_times(text: str) -> None:
    assert read(text)[0] is None


@pytest.mark.parametrize("year", [2023, 2024])  # February has 28 days, and 29
def test_a_year_begins_where_lines_without_year_pass_new_year(run: Callable[..., list[Parsed]], year: int) -> None:
    lines = ["Feb 28 12:00:00 h a: x", "Dec 31 23:59:59 h a: x", "Jan  1 00:00:01 h a: x", "Jan  1 00:30:00 h a: x"]
    parts = run(lines, 2, observed=datetime(year + 1, 1, 1, 1, tzinfo=UTC))
    times = [time for part in parts for time in part.logs["time"].to_pylist()]
    assert [(time.year, time.month, time.day) for time in times] == [
        (year, 2, 28), (year, 12, 31), (year + 1, 1, 1), (year + 1, 1, 1),
    ]  # fmt: skip


YEARS = [
    ("Nov 11 08:00:00", 2023), ("Dec 31 23:59:58", 2023), ("Jan  1 00:00:01", 2024), ("Dec 31 23:59:59", 2023),
    ("Jan  1 00:00:02", 2024), ("Feb 29 10:00:00", 2024), ("Oct 15 10:00:00", 2024), ("Mar 31 02:30:00", 2025),
    ("Dec 24 10:00:00", 2025), ("Jun 24 10:00:00", 2025), ("Jun 23 10:00:00", 2026),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("kill", [0, 4, 7])
def test_a_year_that_was_set_goes_up_where_times_begin_again(
    make_lines: Callable[..., tuple[pa.Table, int]], size: int, kill: int
) -> None:
    """Whatever the batches, over a restart, with stragglers of the old year, gaps, and formats in turn."""
    settings = ParserSettings(year=2023, timezone="Europe/Berlin")
    lines = [f"{time} h a: x" if n % 3 else f"<13>{time} h b[1]: y" for n, (time, _) in enumerate(YEARS)]
    lines[8] = '{"time":"Dec 24 10:00:00","level":"info","message":"x"}'
    table, end = make_lines(lines, observed=datetime(2030, 1, 1, tzinfo=UTC))
    parser, found, at = Parser(settings), [], 0
    while at < len(lines):
        stop = min(at + size, len(lines)) if at >= kill or at + size <= kill else kill
        next = end if stop == len(lines) else table["offset"][stop].as_py()
        part = parser.process(table.slice(at, stop - at), next, final=stop == len(lines))
        found += part.logs.to_pylist()
        if stop == kill:
            parser = Parser.restore(parser.snapshot(), settings)
            stop = table["offset"].to_pylist().index(part.next)
            kill = 0
        at = stop
    zone = ZoneInfo("Europe/Berlin")
    assert [row["time"].astimezone(zone).year for row in found] == [year for _, year in YEARS]
    assert found[5]["time"] == datetime(2024, 2, 29, 9, tzinfo=UTC)
    assert found[9]["time"] == datetime(2025, 6, 24, 8, tzinfo=UTC)
    assert all(dict(row["attributes"])["faultline.year"] == "assumed" for row in found)


def test_a_day_that_the_year_lacks_is_no_time() -> None:
    years = Years(2023)
    nominal = [datetime(2000, month, day, tzinfo=UTC) for month, day in ((2, 28), (2, 29), (3, 1))]
    found = years.date(np.array([round(one.timestamp() * 1e6) for one in nominal], np.int64)).tolist()
    assert found[1] == INVALID
    assert [datetime.fromtimestamp(us / 1e6, UTC).date().isoformat() for us in found[::2]] == [
        "2023-02-28",
        "2023-03-01",
    ]
