"""The OTLP source: a real SDK, the answers to good and bad requests, and what the journal promises."""

import contextlib
import gzip
import http.client
import json
import socket
import ssl
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from otlp import NS, SPAN, TRACE, both, logs, metrics, spans
from source_contract import bodies, check_batches, check_resume, drain, rows

from ingest import Access, OtlpSource
from ingest._otlp_http import MAX_BODY
from telemetry import PositionLost, SourceError

TOKEN = "a-token-of-senders"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
LOG = logs({"body": {"string_value": "a"}})
POINT = metrics({"name": "m", "gauge": {"data_points": [{"time_unix_nano": NS, "as_int": 1}]}})
SPAN_ = spans({"trace_id": TRACE, "span_id": SPAN, "start_time_unix_nano": NS, "end_time_unix_nano": NS})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A PEM file with a key and a certificate of its own for 127.0.0.1."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", *key, *names, "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def source(tmp_path):
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0")) as found:
        found.seek({})
        yield found


def post(source, path, body, kind=PROTOBUF, **headers):
    """Send one request; return status, headers and body of the answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", source.port, timeout=20)) as connection:
        connection.request(
            "POST", path, body, {"Content-Type": kind, **names}, encode_chunked="Transfer-Encoding" in names
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def poll(source, polls=3):
    found = [batch for _ in range(polls) for batch in source.poll(0.05, {})]
    check_batches(found)
    return found


@pytest.mark.filterwarnings("ignore:`LoggingHandler`:DeprecationWarning")
def test_a_real_sdk_sends_logs_metrics_and_spans_and_they_arrive_complete(tmp_path, certificate, monkeypatch):
    """Over TLS, with the token in its headers."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)  # it would go before the certificate given
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    access = Access(TOKEN, certificate)
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0", access=access)) as source:
        source.seek({})
        send_and_check(source, {"certificate_file": str(certificate), "headers": {"Authorization": f"Bearer {TOKEN}"}})
        assert set(source.outcomes) == {"200"}


def send_and_check(source, options):
    import logging

    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import StatusCode

    url, resource = f"https://127.0.0.1:{source.port}/v1/", Resource.create({"service.name": "cart", "host.name": "h1"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(url + "traces", compression=Compression.Gzip, **options))
    )
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(url + "logs", **options)))
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(url + "metrics", **options), export_interval_millis=3_600_000
    )
    meters = MeterProvider(resource=resource, metric_readers=[reader])

    log = logging.Logger("shop.Cart")
    log.addHandler(LoggingHandler(logger_provider=loggers))
    tracer, meter = tracers.get_tracer("shop"), meters.get_meter("shop")
    sold, took = meter.create_counter("sold"), meter.create_histogram("took", unit="ms")
    before = time.time()
    for number in range(600):
        with tracer.start_as_current_span(f"GET /cart/{number % 3}", attributes={"n": number}) as span:
            log.warning("order %d is late", number, extra={"order": number})
            sold.add(2, {"kind": "book"})
            took.record(number)
            if number == 7:
                span.set_status(StatusCode.ERROR, "refused")
    for provider in (tracers, loggers, meters):
        provider.shutdown()

    found = poll(source, 10)
    lines = rows(found, "lines")
    assert sorted(line["body"] for line in lines) == sorted(f"order {n} is late" for n in range(600))
    assert {(line["service"], line["component"], line["severity_number"]) for line in lines} == {
        ("cart", "shop.Cart", 13)
    }
    assert all(before - 1 < line["time"].timestamp() < time.time() + 1 for line in lines)
    orders = {line["span_id"]: dict(line["attributes"])["order"] for line in lines}
    seen = {span["span_id"]: span for span in rows(found, "spans")}
    assert {key: dict(span["attributes"])["n"] for key, span in seen.items()} == orders
    assert {line["trace_id"] for line in lines} == {span["trace_id"] for span in seen.values()}
    assert sorted(span["status"] for span in seen.values())[:2] == ["error", "unset"]
    points = {(row["metric"], dict(row["attributes"]).get("le")): row for row in rows(found, "metrics")}
    assert points["sold_total", None]["value"] == 1200
    assert dict(points["sold_total", None]["attributes"])["kind"] == "book"
    assert (points["took_count", None]["value"], points["took_sum", None]["value"]) == (600, 600 * 599 / 2)
    assert points["took_bucket", "+Inf"]["value"] == 600
    assert not rows(found, "dead_letters")


def test_requests_of_every_signal_and_encoding_are_taken_in_order_and_resumable(tmp_path):
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0")) as source:
        for path, message in (("logs", LOG), ("metrics", POINT), ("traces", SPAN_)):
            binary, text = both(message)
            assert post(source, f"/v1/{path}", binary)[::2] == (200, b"")
            assert post(source, f"/v1/{path}", text, JSON + "; charset=utf-8")[::2] == (200, b"{}")
            assert post(source, f"/v1/{path}", gzip.compress(binary), Content_Encoding="gzip")[0] == 200
            assert post(source, f"/v1/{path}", zlib.compress(text), JSON, Content_Encoding="deflate")[0] == 200
            chunks = [binary[:5], binary[5:]]
            assert post(source, f"/v1/{path}", iter(chunks), **{"Transfer-Encoding": "chunked"})[0] == 200
            assert post(source, f"/v1/{path}", b"")[0] == 200
        assert post(source, "/v1/logs", b"\x0a\x03abc")[0] == 400
    batches = drain(OtlpSource(tmp_path, once=True))
    check_batches(batches)
    counts = [len(rows(batches, kind)) for kind in ("lines", "metrics", "spans", "dead_letters")]
    assert counts == [5, 5, 5, 1]
    assert {batch.partition.source for batch in batches} == {"otlp"}
    check_resume(lambda: OtlpSource(tmp_path, once=True))


@pytest.mark.parametrize(
    ("path", "body", "kind", "headers", "status", "reason"),
    [
        ("/v1/nope", b"x", PROTOBUF, {}, 404, None),
        ("/v1/logs", b"x", "text/plain", {}, 415, None),
        ("/v1/logs", b"\x0a\x03abc", PROTOBUF, {}, 400, "bad_protobuf"),
        ("/v1/logs", b"[]", JSON, {}, 400, "bad_json"),
        ("/v1/logs", b"{", JSON, {}, 400, "bad_json"),
        ("/v1/logs", b'{"a":' * 1000, JSON, {}, 400, "too_deep"),
        ("/v1/logs", b"no gzip", PROTOBUF, {"Content_Encoding": "gzip"}, 400, "bad_compression"),
        ("/v1/logs", b"x", PROTOBUF, {"Content_Encoding": "br"}, 400, "bad_compression"),
        ("/v1/logs", gzip.compress(bytes(MAX_BODY + 1), 1), PROTOBUF, {"Content_Encoding": "gzip"}, 413, "too_long"),
        ("/v1/logs", b"x", PROTOBUF, {"Content_Length": str(MAX_BODY + 1)}, 413, "too_long"),
        ("/v1/logs", b"x", PROTOBUF, {"Content_Length": "many"}, 411, None),
    ],
)
def test_bad_requests_are_refused_and_told_of_and_the_next_goes_on(source, path, body, kind, headers, status, reason):
    found, _, text = post(source, path, body, kind, **headers)
    assert found == status
    assert json.loads(text)["message"] if kind == JSON else text[0] == 0x12
    assert post(source, "/v1/logs", LOG.SerializeToString())[0] == 200
    batches = poll(source)
    assert bodies(batches) == ["a"]
    assert [letter["reason"] for letter in rows(batches, "dead_letters")] == ([reason] if reason else [])


def test_a_get_and_what_is_no_http_are_answered_and_do_no_harm(source):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", source.port, timeout=20)) as connection:
        connection.request("GET", "/v1/logs")
        assert connection.getresponse().status == 405
    for data in (b"\0\xff\r\n\r\n", b"POST /v1/logs HTTP/1.1\r\nContent-Type: application/json\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", b"POST"):  # fmt: skip
        with socket.create_connection(("127.0.0.1", source.port), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert post(source, "/v1/logs", LOG.SerializeToString())[0] == 200
    assert bodies(poll(source)) == ["a"]


def test_a_pipeline_that_is_behind_makes_senders_wait(tmp_path):
    body = logs(*[{"body": {"string_value": "x" * 1000}}] * 200).SerializeToString()
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0", max_backlog=1_000_000)) as source:
        source.seek({})
        answers = [post(source, "/v1/logs", body) for _ in range(8)]
        assert [answer[0] for answer in answers] == [200] * 5 + [429] * 3
        assert answers[-1][1]["Retry-After"] == "2"
        assert len(bodies(poll(source))) == 1000
        assert post(source, "/v1/logs", body)[0] == 200


def test_a_journal_that_cannot_be_written_makes_senders_wait(source, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(source._journal, "append", full)
        status, headers, _ = post(source, "/v1/logs", LOG.SerializeToString())
    assert (status, headers["Retry-After"]) == (503, "10")
    assert post(source, "/v1/logs", LOG.SerializeToString())[0] == 200
    assert bodies(poll(source)) == ["a"]


def test_more_connections_than_it_serves_are_turned_away(source, monkeypatch):
    monkeypatch.setattr(source._server, "_free", type(source._server._free)(1))
    with socket.create_connection(("127.0.0.1", source.port), timeout=20) as held:
        held.sendall(b"POST /v1/logs HTTP/1.1\r\n")
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", source.port), timeout=20) as other:
            assert other.recv(1000).startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n")
    deadline = time.monotonic() + 20
    status = 0
    while status != 200 and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = post(source, "/v1/logs", LOG.SerializeToString())[0]
    assert status == 200


def test_acknowledged_positions_let_the_journal_shrink(tmp_path):
    body = logs({"body": {"string_value": "x" * 1000}}).SerializeToString()
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0", segment=5000)) as source:
        source.seek({})
        for _ in range(20):
            post(source, "/v1/logs", body)
        found = poll(source)
        app, half = found[0].partition.app_id, rows(found, "lines")[10]["offset"]
        source.acknowledge({app: half, "another": 10**9})
        source.seek({app: half})
        assert len(bodies(poll(source))) == 10
        with pytest.raises(PositionLost, match="but 1 comes next"):
            source.seek({app: 1})
        with pytest.raises(PositionLost, match="but 1000000000 comes next"):
            source.seek({app: 10**9})
        source.acknowledge({app: found[-1].next})
        assert len(list(tmp_path.glob("*.journal"))) == 1


def test_a_damaged_journal_is_a_dead_letter(tmp_path):
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0")) as source:
        for _ in range(3):
            post(source, "/v1/logs", LOG.SerializeToString())
    (segment,) = tmp_path.glob("*.journal")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    batches = drain(OtlpSource(tmp_path, once=True))
    check_batches(batches)
    assert bodies(batches) == ["a"]
    assert [letter["reason"] for letter in rows(batches, "dead_letters")] == ["journal_damaged"]


def test_an_address_that_cannot_be_had_is_one_line(tmp_path, source, caplog):
    with pytest.raises(SourceError, match=r"cannot listen on 127.0.0.1:\d+: Address already in use"):
        OtlpSource(tmp_path / "other", f"127.0.0.1:{source.port}")
    for wrong in ("nonsense", "127.0.0.1:99999", "127.0.0.1:x", "no.such.host.invalid:1"):
        with pytest.raises(SourceError, match="cannot listen on"):
            OtlpSource(tmp_path / "other", wrong)


def test_where_others_reach_it_it_wants_a_token_or_to_be_told(tmp_path, certificate, caplog):
    for listen in ("0.0.0.0:0", "[::]:0"):
        with pytest.raises(SourceError, match="other machines reach it, and there is no token"):
            OtlpSource(tmp_path, listen)
    OtlpSource(tmp_path, "0.0.0.0:0", access=Access(anonymous=True)).close()
    assert "there is no authentication" in caplog.text
    OtlpSource(tmp_path, "0.0.0.0:0", access=Access(TOKEN)).close()
    assert "the token can be read on its way" in caplog.text
    caplog.clear()
    OtlpSource(tmp_path, "0.0.0.0:0", access=Access(TOKEN, certificate)).close()
    assert not caplog.text
    for broken in (tmp_path / "none.pem", Path(__file__)):
        with pytest.raises(SourceError, match="cannot use the certificate") as error:
            OtlpSource(tmp_path, "127.0.0.1:0", access=Access(certificate=broken))
        assert "\n" not in str(error.value)
    assert TOKEN not in repr(Access(TOKEN))


def test_who_does_not_show_the_token_is_answered_401_and_leaves_nothing(tmp_path):
    body = LOG.SerializeToString()
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0", access=Access(TOKEN))) as source:
        source.seek({})
        for shown in ({}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN}x"},
                      {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer \xe9"}):  # fmt: skip
            status, headers, _ = post(source, "/v1/logs", body, **shown)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert post(source, "/v1/logs", b"\x0a\x03abc")[0] == 401
        assert source.backlog_bytes == 0
        assert post(source, "/v1/logs", body, Authorization=f"bearer {TOKEN}")[0] == 200
        assert source.backlog_bytes == source.journal_bytes > 0
        assert source.outcomes == {"401": 7, "200": 1}
        assert bodies(poll(source)) == ["a"]
        assert source.backlog_bytes == 0


def test_tls_is_spoken_and_plain_or_silent_connections_keep_no_one_waiting(tmp_path, certificate, monkeypatch):
    monkeypatch.setattr("ingest._otlp_http._HANDSHAKE_S", 0.2)
    trusted = ssl.create_default_context(cafile=str(certificate))
    with contextlib.closing(OtlpSource(tmp_path, "127.0.0.1:0", access=Access(certificate=certificate))) as source:
        source.seek({})
        with socket.create_connection(("127.0.0.1", source.port)):
            plain = http.client.HTTPConnection("127.0.0.1", source.port, timeout=20)
            with contextlib.closing(plain), contextlib.suppress(OSError, http.client.HTTPException):
                plain.request("POST", "/v1/logs", b"x")
                pytest.fail(f"answered {plain.getresponse().status}")
            secure = http.client.HTTPSConnection("127.0.0.1", source.port, timeout=20, context=trusted)
            with contextlib.closing(secure):
                secure.request("POST", "/v1/nope", b"x" * 100_000, {"Content-Type": PROTOBUF})
                assert secure.getresponse().status == 404
                secure.close()
                secure.request("POST", "/v1/logs", LOG.SerializeToString(), {"Content-Type": PROTOBUF})
                assert secure.getresponse().status == 200
            deadline = time.monotonic() + 20
            while source.outcomes.get("tls_failed", 0) < 2 and time.monotonic() < deadline:
                time.sleep(0.02)
        assert source.outcomes == {"404": 1, "200": 1, "tls_failed": 2}
        assert bodies(poll(source)) == ["a"]
