"""The OTLP/HTTP endpoint: `/v1/logs`, `/v1/metrics`, `/v1/traces`, protobuf or JSON, plain or compressed.

OpenTelemetry protocol specification 1.5, "OTLP/HTTP". Everything a sender can make large is bounded: connections,
bytes on their way, bodies before and after decompression, and the time that one may take to arrive.
"""

import logging
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import orjson

from ingest._compress import decompress
from ingest._otlp_access import Access
from telemetry import DecodeError, SourceError

log = logging.getLogger("faultline.ingest")

MAX_BODY = 20 * 1024 * 1024
"""A larger body, as sent or decompressed, is answered with 413; the OpenTelemetry Collector's own limit."""

_CONNECTIONS = 64
_IN_FLIGHT = 4 * MAX_BODY
_DECODERS = 1  # of a body at the limit, made to grow, decoding may take 1.4 GB
_IDLE_S, _BODY_S, _HANDSHAKE_S = 30.0, 60.0, 10.0
_SIGNALS = {"/v1/logs": "logs", "/v1/metrics": "metrics", "/v1/traces": "traces"}
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What a request is answered with; `retry_s`: when the sender may try again."""

    status: int
    text: str = ""
    retry_s: int | None = None


class Refused(Exception):
    """A request that is not taken."""

    def __init__(self, status: int, text: str, retry_s: int | None = None) -> None:
        super().__init__(text)
        self.answer = Answer(status, text, retry_s)


Take = Callable[[str, bytes, bool], Answer]
"""Takes a signal, the body of a request and whether it is JSON; answers when what was in it cannot be lost any more."""


class OtlpServer(ThreadingHTTPServer):
    """Serves in threads of its own until `close`. `listen` is HOST:PORT; port 0 takes a free one.

    `refuse(reason, detail, raw)` is told of bodies that cannot be decompressed. Raises SourceError.
    `outcomes` counts requests: by the status they were answered with, and those that came to none.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, listen: str, take: Take, refuse: Callable[[DecodeError, bytes], None], access: Access) -> None:
        host, port = _address(listen)
        access.check(listen)
        self.take, self.refuse, self.access = take, refuse, access
        self._tls = access.context()
        self.outcomes: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.decoders = threading.BoundedSemaphore(_DECODERS)
        self.flight = _Budget(_IN_FLIGHT)
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise SourceError(f"cannot listen on {listen}: {why}") from None
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="otlp-http", daemon=True
        ).start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind, without asking a name server for this host's name, as HTTPServer does."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, or turn it away."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        self.count("too_many_connections")
        try:
            request.sendall(_BUSY)
        except OSError:
            pass  # it has gone
        finally:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection; where TLS is spoken, that begins here, in the connection's own thread."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(_HANDSHAKE_S)
        try:
            secure = self._tls.wrap_socket(request, server_side=True)
        except OSError:
            self.count("tls_failed")
            raise
        try:
            super().finish_request(secure, client_address)
        finally:
            self.shutdown_request(secure)

    def count(self, outcome: str) -> None:
        """Count a request; from any thread."""
        with self._counting:
            self.outcomes[outcome] += 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless a sender just went away; it gets no answer and sends again."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("OTLP request not answered: %s: %s", type(error).__name__, error)

    def close(self) -> None:
        """Take no more connections."""
        self.shutdown()
        self.server_close()


class _Budget:
    """Bytes that may be on their way at a time."""

    def __init__(self, bytes: int) -> None:
        self._left, self._lock = bytes, threading.Lock()

    def take(self, bytes: int) -> bool:
        with self._lock:
            if bytes > self._left:
                return False
            self._left -= bytes
            return True

    def give(self, bytes: int) -> None:
        with self._lock:
            self._left += bytes


class _Handler(BaseHTTPRequestHandler):
    server: OtlpServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "faultline", ""
    timeout = _IDLE_S

    def do_POST(self) -> None:
        try:
            answer = self._receive()
        except Refused as refused:
            self.close_connection = True  # what is left of the body is not read
            answer = refused.answer
        except OSError:  # it timed out or went away
            self.close_connection = True
            return
        self._answer(answer)
        if self.close_connection:
            self._let_finish()

    def _let_finish(self) -> None:
        """Read on for a moment: a connection closed with bytes unread takes the answer with it."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1.0)
        left, deadline = MAX_BODY, time.monotonic() + 5.0
        while left > 0 and time.monotonic() < deadline and (part := self.rfile.read1(1 << 16)):
            left -= len(part)

    def _receive(self) -> Answer:
        if not self.server.access.admits(self.headers.get("Authorization")):
            raise Refused(401, "want the header Authorization: Bearer TOKEN, with the token that is set here")
        signal = _SIGNALS.get(self.path.partition("?")[0].rstrip("/"))
        if signal is None:
            raise Refused(404, f"there are {', '.join(_SIGNALS)}")
        if self._kind not in (_PROTOBUF, _JSON):
            raise Refused(415, f"Content-Type is {self._kind!r:.100}, want {_PROTOBUF} or {_JSON}")
        size = self._stated_size()
        held = MAX_BODY if size is None else size
        if not self.server.flight.take(held):
            raise Refused(429, "too much is on its way", 1)
        try:
            body = self._chunks() if size is None else self._body(size)
            with self.server.decoders:
                return self._take(signal, body)
        finally:
            self.server.flight.give(held)

    def _take(self, signal: str, body: bytes) -> Answer:
        codec = self.headers.get("Content-Encoding", "identity").strip().lower()
        try:
            if codec not in ("identity", ""):
                body = bytes(decompress(codec, body, MAX_BODY))
        except DecodeError as error:
            self.server.refuse(error, body)
            return Answer(413 if error.reason == "too_long" else 400, str(error))
        return self.server.take(signal, body, self._kind == _JSON)

    @property
    def _kind(self) -> str:
        return str(self.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

    def _stated_size(self) -> int | None:
        """Return the length of the body; None: it comes in chunks."""
        if self.headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
            return None
        text = self.headers.get("Content-Length", "")
        if not text.isdecimal():
            raise Refused(411, "want a Content-Length, or chunks")
        if len(text) > 12 or int(text) > MAX_BODY:
            raise self._too_long(text[:40])
        return int(text)

    def _body(self, size: int) -> bytes:
        out, deadline = bytearray(), time.monotonic() + _BODY_S
        while len(out) < size:
            part = self.rfile.read1(min(size - len(out), 1 << 16))
            if not part:
                raise ConnectionError("it ends too soon")
            if time.monotonic() > deadline:
                raise Refused(408, f"the body took more than {_BODY_S:.0f} s")
            out += part
        return bytes(out)

    def _chunks(self) -> bytes:
        """Return a body sent in chunks (RFC 9112, section 7.1)."""
        out = bytearray()
        while size := self._chunk_size():
            if len(out) + size > MAX_BODY:
                raise self._too_long(f"more than {MAX_BODY}")
            out += self._body(size)
            self.rfile.readline(3)
        while self.rfile.readline(1024).strip():
            pass  # trailers
        return bytes(out)

    def _chunk_size(self) -> int:
        text = self.rfile.readline(64).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", text):
            raise Refused(400, "the body is not in chunks")
        return int(text, 16)

    def _too_long(self, size: str) -> Refused:
        detail = f"a request of {size} bytes, want at most {MAX_BODY}"
        self.server.refuse(DecodeError("too_long", detail), b"")
        return Refused(413, detail)

    def _answer(self, answer: Answer) -> None:
        """Answer in the encoding of the request: an empty response message, or a google.rpc.Status."""
        self.server.count(str(answer.status))
        self.send_response(answer.status)
        is_json = self._kind == _JSON
        body = _status_json(answer) if is_json else _status_protobuf(answer)
        self.send_header("Content-Type", _JSON if is_json else _PROTOBUF)
        self.send_header("Content-Length", str(len(body)))
        if answer.retry_s is not None:
            self.send_header("Retry-After", str(answer.retry_s))
        if answer.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.close_connection = True
        self._answer(Answer(405, "want POST"))

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def _status_json(answer: Answer) -> bytes:
    return orjson.dumps({"message": answer.text} if answer.status != 200 else {})


def _status_protobuf(answer: Answer) -> bytes:
    """Return a google.rpc.Status with its `message` (field 2), which is all of it that is used here."""
    text = answer.text.encode()[:1000]
    if not text:
        return b""
    size = bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
    return b"\x12" + size + text


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise SourceError(f"cannot listen on {listen!r}: want HOST:PORT, such as 127.0.0.1:4318")
    return host.strip("[]"), int(port)
