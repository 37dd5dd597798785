"""Records as shippers write them: Fluent Bit, Vector, Filebeat, Fluentd, Docker, systemd; and own field names."""

import json

import pytest
from messages import NOW, decoded
from source_contract import bodies, rows

from ingest._fields import Names

STAMP = "2026-05-28T20:26:40.123456789Z"
US = NOW * 1_000_000 + 123_456
FIELDS = ("time", "service", "severity_number", "body", "component", "trace_id", "span_id")

FLUENT_BIT = {
    "@timestamp": NOW + 0.123456,
    "log": "payment of order 17 refused\n",
    "stream": "stderr",
    "level": "error",
    "trace_id": "5b8efff798038103d269b633813fc60c",
    "span_id": "eee19b7ec3c1b174",
    "kubernetes": {
        "pod_name": "cart-7d9f8b6c5-x2x4z",
        "namespace_name": "shop",
        "container_name": "main",
        "labels": {"app.kubernetes.io/name": "cart", "pod-template-hash": "7d9f8b6c5"},
    },
}
VECTOR = {
    "message": "payment of order 17 refused",
    "timestamp": STAMP,
    "source_type": "kubernetes_logs",
    "stream": "stderr",
    "severity": "err",
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "kubernetes": {"container_name": "main", "pod_name": "cart-1", "pod_labels": {"app": "cart"}},
    "file": "/var/log/pods/x.log",
}
FILEBEAT = {
    "@timestamp": STAMP,
    "@metadata": {"beat": "filebeat", "version": "9.1.0"},
    "message": "payment of order 17 refused",
    "log": {"level": "ERROR", "logger": "shop.Cart", "file": {"path": "/var/log/x.log"}, "offset": 7},
    "service": {"name": "cart", "version": "1.2"},
    "trace": {"id": "5b8efff798038103d269b633813fc60c"},
    "span": {"id": "eee19b7ec3c1b174"},
    "host": {"name": "h1", "ip": ["10.0.0.1"]},
    "container": {"id": "ab"},
    "event": {"dataset": "shop.log"},
    "kubernetes": {"deployment": {"name": "other"}, "container": {"name": "main"}},
}
FLUENTD = {"time": STAMP, "tag": "kube.cart", "level": "error", "message": "payment of order 17 refused",
           "trace_id": "5b8efff798038103d269b633813fc60c", "span_id": "eee19b7ec3c1b174",
           "docker": {"container_name": "cart"}}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "component", "attributes"),
    [
        (
            FLUENT_BIT, None,
            {"stream": "stderr", "kubernetes.pod_name": "cart-7d9f8b6c5-x2x4z", "kubernetes.namespace_name": "shop",
             "kubernetes.container_name": "main", "kubernetes.labels.pod-template-hash": "7d9f8b6c5"},
        ),
        (
            VECTOR, None,
            {"source_type": "kubernetes_logs", "stream": "stderr", "file": "/var/log/pods/x.log",
             "kubernetes.container_name": "main", "kubernetes.pod_name": "cart-1"},
        ),
        (
            FILEBEAT, "shop.Cart",
            {"@metadata.beat": "filebeat", "@metadata.version": "9.1.0", "log.file.path": "/var/log/x.log",
             "log.offset": "7", "service.version": "1.2", "host.name": "h1", "host.ip": '["10.0.0.1"]',
             "container.id": "ab", "event.dataset": "shop.log", "kubernetes.deployment.name": "other",
             "kubernetes.container.name": "main"},
        ),
        (FLUENTD, None, {"tag": "kube.cart"}),
    ],
    ids=["fluent-bit", "vector", "filebeat", "fluentd"],
)  # fmt: skip
def test_each_shippers_fields_are_found(record, component, attributes):
    (row,) = rows(decoded(json.dumps(record).encode(), topic="logs"), "lines")
    assert round(row["time"].timestamp() * 1e6) == US
    assert [row[name] for name in FIELDS[1:]] == [
        "cart", 17, "payment of order 17 refused", component,
        "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174",
    ]  # fmt: skip
    assert dict(row["attributes"]) == attributes
    assert row["structured"]


@pytest.mark.parametrize(
    ("extra", "service"),
    [
        ({"kubernetes": {"labels": {"app": "a", "k8s-app": "b"}, "container_name": "c"}}, "a"),
        ({"kubernetes": {"labels": {"app_kubernetes_io/name": "n"}, "deployment": {"name": "d"}}}, "n"),
        ({"kubernetes": {"labels": {"x": "y"}, "statefulset": {"name": "d"}, "container": {"name": "c"}}}, "d"),
        ({"kubernetes": {"pod_name": "p", "container_name": "c"}}, "c"),
        ({"container_name": "/c", "attrs": {"com.docker.compose.service": "s"}}, "s"),
        ({"container_name": "c", "label": {"com.docker.compose.service": "s"}}, "s"),
        ({"container": {"name": "c", "labels": {"com_docker_compose_service": "s"}}}, "s"),
        ({"docker": {"container_name": "c"}}, "c"),
        ({"resource": {"service.name": "r"}, "attributes": {"a": 1}}, "r"),
        ({"resource": {"attributes": {"service.name": "r"}}}, "r"),
        ({"service": "own", "kubernetes": {"labels": {"app": "a"}}}, "own"),
        ({"host": "h"}, "from-key"),
    ],
)
def test_the_service_comes_from_the_metadata_a_shipper_adds(extra, service):
    (row,) = rows(decoded(json.dumps({"message": "x", **extra}).encode(), topic="logs", key=b"from-key"), "lines")
    assert row["service"] == service


RECORD = {"log": "a", "level": "warn"}


@pytest.mark.parametrize(
    ("packed", "times", "tag"),
    [
        ([RECORD, {"log": "b", "date": NOW}], [None, NOW], None),
        (["kube.cart", NOW, RECORD], [NOW], "kube.cart"),
        (["kube.cart", [[NOW, RECORD], [NOW + 1, {"log": "b"}]]], [NOW, NOW + 1], "kube.cart"),
        ([[NOW, RECORD], [[NOW + 1, {}], {"log": "b"}]], [NOW, NOW + 1], None),
    ],
    ids=["array", "message", "forward", "entries"],
)
def test_many_records_in_one_message(packed, times, tag):
    found = rows(decoded(json.dumps(packed).encode() + b"\n", topic="logs"), "lines")
    assert [row["body"] for row in found] == ["a", "b"][: len(times)]
    assert [row["time"] and row["time"].timestamp() for row in found] == times
    assert [row["line"] for row in found] == list(range(1, len(times) + 1))
    assert found[0]["severity_number"] == 13
    assert {dict(row["attributes"] or {}).get("tag") for row in found} == {tag}


def test_a_message_of_many_records_may_be_longer_than_a_line():
    records = [{"message": f"record {number} " + "x" * 1000} for number in range(2000)]
    assert len(bodies(decoded(json.dumps(records).encode(), topic="logs"))) == 2000


DEEP = b"[" * 9000 + b"]" * 9000


@pytest.mark.parametrize(
    "text", [b"[INFO] no JSON at all]", b"[1, 2]", b"[]", b'["a", "b"]', b'[{"log": "a"}, 3]', DEEP]
)  # fmt: skip
def test_what_only_begins_like_an_array_of_records_stays_what_it_was(text):
    found = decoded(text, b'{"message": "next"}', topic="logs")
    kept = [row["raw"] for row in rows(found, "dead_letters")] + [body.encode() for body in bodies(found)]
    assert sorted(kept) == sorted([text, b"next"])


def test_systemds_journal():
    record = {"MESSAGE": "session opened", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "sshd", "_PID": "12",
              "__REALTIME_TIMESTAMP": str(US), "_SYSTEMD_UNIT": "ssh.service"}  # fmt: skip
    (row,) = rows(decoded(json.dumps(record).encode(), topic="logs"), "lines")
    assert round(row["time"].timestamp() * 1e6) == US
    assert (row["body"], row["severity_number"], row["component"]) == ("session opened", 9, "sshd")


def test_a_message_that_is_an_object_stays_one_and_a_time_too():
    instant = {"epochSecond": NOW, "nanoOfSecond": 5000}
    text = json.dumps({"instant": instant, "level": "INFO", "message": {"text": "x", "code": 3}}).encode()
    (row,) = rows(decoded(text, topic="logs"), "lines")
    assert row["body"] == '{"text":"x","code":3}'
    assert row["time"].timestamp() == pytest.approx(NOW, abs=1e-4)


def test_own_names_come_first():
    names = Names({"time": ["ev.ts"], "service": ["who", "k8s.svc"], "message": ["ev.what"], "severity": ["ev.bad"]})
    record = {"ev": {"ts": STAMP, "what": "refused", "bad": "fatal"}, "k8s": {"svc": "pay"}, "service": "not this",
              "message": "nor this", "level": "info"}  # fmt: skip
    (row,) = rows(decoded(json.dumps(record).encode(), topic="logs", names=names), "lines")
    assert round(row["time"].timestamp() * 1e6) == US
    assert (row["service"], row["body"], row["severity_number"]) == ("pay", "refused", 21)
    assert dict(row["attributes"]) == {"service": "not this", "message": "nor this", "level": "info"}
    point = {"metric": "cpu", "value": 1, "time": STAMP, "who": "pay"}
    assert rows(decoded(json.dumps(point).encode(), topic="metrics", names=names), "metrics")[0]["service"] == "pay"
