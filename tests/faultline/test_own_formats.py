"""Raw lines inside shippers' records, syslog messages and own field names, as `run` stores them."""

import csv
import io
import json

import pytest

ENVELOPE = {"stream": "stdout", "kubernetes": {"labels": {"app": "cart"}, "container_name": "c"}}
RECORDS = [
    {**ENVELOPE, "time": "2026-01-05T08:00:01.2Z", "log": "2026-01-05 08:00:01,123 WARN shop.Cart - added 3\n"},
    {**ENVELOPE, "time": "2026-01-05T08:00:02.2Z", "log": '{"level":"error","msg":"refused 4","logger":"shop.Pay"}\n'},
    {"time": "2026-01-05T08:00:03.2Z", "note": "from a field of our own", "severity": "info", "who": {"am": "i"}},
]
SYSLOG = [
    "<34>Jan  5 08:00:04 mymachine su[17]: 'su root' failed for lonvick on /dev/pts/8",
    "<13>Jan  5 08:00:05 mymachine cron[18]: job 3 done",
]
SYSLOG_NEW = [
    '<165>1 2026-01-05T08:00:06.003Z web1 evntslog 42 ID47 [x@32473 iut="3"] An application event',
    "<11>1 2026-01-05T08:00:07.003Z web1 evntslog 42 ID47 - Another one failed",
]
QUERY = "select service, component, severity_number, body, epoch(time) from logs order by time"


def test_headers_and_json_in_shippers_records_and_syslog_frames(faultline, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "app.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    (folder / "old.log").write_text("".join(line + "\n" for line in SYSLOG))
    (folder / "new.log").write_text("".join(line + "\n" for line in SYSLOG_NEW))
    (tmp_path / "faultline.toml").write_text(
        '[parsing]\nyear = 2026\n[fields]\nmessage = ["note"]\nservice = ["who.am"]\n'
    )
    done = faultline("run", "--source", "files", "in", "--once", "--store", "s")
    assert done.returncode == 0, done.stderr
    found = faultline("sql", QUERY, "--store", "s", "--csv")
    began = 1767600000
    rows = [(*row[:4], float(row[4]) - began) for row in list(csv.reader(io.StringIO(found.stdout)))[1:]]
    assert rows == [
        ("cart", "shop.Cart", "13", "added 3", pytest.approx(1.2)),
        ("cart", "shop.Pay", "17", "refused 4", pytest.approx(2.2)),
        ("i", "", "9", "from a field of our own", pytest.approx(3.2)),
        ("old", "su", "21", "'su root' failed for lonvick on /dev/pts/8", 4),
        ("old", "cron", "10", "job 3 done", 5),
        ("new", "evntslog", "10", "An application event", pytest.approx(6.003)),
        ("new", "evntslog", "17", "Another one failed", pytest.approx(7.003)),
    ]
