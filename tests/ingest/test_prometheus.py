"""Prometheus payloads: the text format, OpenMetrics and remote write."""

import snappy
from messages import NOW, decoded
from source_contract import rows

from ingest._prometheus import write_request

TEXT = b"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200",job="shop/cart"} 1027 1780000000123
http_requests_total{method="post",code="400",app="pay",path="C:\\\\DIR\\n\\"q\\" {},"} 3

rpc{quantile="0.5",} NaN
\tno_labels\t12.5e3
with_exemplar_bucket{le="+Inf"} 7 1780000000.5 # {trace_id="a"} 0.67
# EOF
"""


def points(found):
    return [(r["service"], r["metric"], r["value"], dict(r["attributes"])) for r in rows(found, "metrics")]


def test_text_format_and_openmetrics():
    found = decoded(TEXT, topic="scraped", key=b"from-key")
    assert points(found) == [
        ("cart", "http_requests_total", 1027.0, {"method": "post", "code": "200"}),
        ("pay", "http_requests_total", 3.0, {"method": "post", "code": "400", "path": 'C:\\DIR\n"q" {},'}),
        ("unknown", "no_labels", 12500.0, {}),
        ("unknown", "with_exemplar_bucket", 7.0, {"le": "+Inf"}),
    ]
    times = [row["time"].timestamp() for row in rows(found, "metrics")]
    assert times == [NOW + 0.123, NOW, NOW, NOW + 0.5]
    assert (found[0].read, found[0].filtered) == (5, 1)


def test_lines_that_are_no_samples_are_dead_letters_and_the_next_goes_on():
    bad = [b'broken{a="b 3', b"no value", b"up", b"1up 3", b"x{a=1} 2", b"up 1 12", b"up +Inf", b"y" * 70_000 + b" 1"]
    found = decoded(b"\n".join([b"good 1", *bad, b"good 2"]), format="prometheus")
    assert [point[2] for point in points(found)] == [1.0, 2.0]
    letters = rows(found, "dead_letters")
    assert sorted(one["reason"] for one in letters) == sorted(
        ["bad_metric", "bad_value", "bad_metric", "bad_metric", "bad_metric", "bad_time", "not_finite", "bad_metric"]
    )


def test_what_counts_up_is_told_by_its_type_or_its_name():
    typed = b"# TYPE took summary\n# TYPE hits counter\n# TYPE threads_count gauge\n"
    names = (b"took", b"took_count", b"took_sum", b"hits", b"threads_count", b"sent_total", b"h_bucket")
    found = rows(decoded(typed + b" 1\n".join([*names, b""]), b"took_count 1", format="prometheus"), "metrics")
    assert [row["metric"] for row in found if row["cumulative"]] == [
        "took_count",
        "took_sum",
        "hits",
        "sent_total",
        "h_bucket",
    ]
    assert len(found) == 8


def request(*series):
    return write_request()(
        timeseries=[
            {
                "labels": [{"name": name, "value": value} for name, value in labels.items()],
                "samples": [{"value": value, "timestamp": stamp} for value, stamp in samples],
            }
            for labels, samples in series
        ]
    )


def test_remote_write_packed_by_snappy_or_not():
    message = request(
        ({"__name__": "up", "job": "cart", "instance": "h:1"}, [(1.0, NOW * 1000), (0.0, NOW * 1000 + 250)]),
        ({"__name__": "heap", "service": "pay", "job": "k8s"}, [(float("nan"), NOW * 1000), (2.0, 5)]),
    ).SerializeToString()
    for value in (message, snappy.compress(message)):
        found = decoded(value, format="remote_write")
        assert points(found) == [("cart", "up", 1.0, {"instance": "h:1"}), ("cart", "up", 0.0, {"instance": "h:1"})]
        assert (found[0].read, found[0].filtered) == (4, 1)
        assert [one["reason"] for one in rows(found, "dead_letters")] == ["bad_time"]


def test_remote_write_reads_what_prometheus_sends_and_skips_what_it_does_not_know():
    # labels {__name__="up"}, the sample 1 @ 1780000000000, an exemplar (3); metadata of the request (3)
    label = b"\x0a\x0e\x0a\x08__name__\x12\x02up"
    sample = b"\x12\x10\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x80\x90\x92\x82\xe7\x33"
    series = label + sample + b"\x1a\x02\x10\x01"
    data = b"\x0a" + bytes([len(series)]) + series + b"\x1a\x02\x08\x01"
    found = decoded(snappy.compress(data), format="remote_write")
    assert [point[1:3] for point in points(found)] == [("up", 1.0)]
    assert rows(found, "metrics")[0]["time"].timestamp() == NOW


def test_a_request_that_cannot_be_read_is_a_dead_letter():
    packed = snappy.compress(request(({"job": "x"}, [(1.0, NOW * 1000)])).SerializeToString())
    found = decoded(b"\xff" * 50, packed, snappy.compress(bytes(9 << 20)), format="remote_write")
    reasons = [one["reason"] for one in rows(found, "dead_letters")]
    assert reasons == ["bad_compression", "bad_metric", "too_long"]
