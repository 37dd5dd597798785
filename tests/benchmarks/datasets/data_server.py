"""A web server on this machine that stands in for the official ones, and misbehaves on request."""

import contextlib
import hashlib
import http.server
import io
import json
import tarfile
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Behaviour:
    """How a path is served. `cut`: stop after so many bytes, so many times."""

    body: bytes
    cut_at: int = 0
    cuts: int = 0
    ranges: bool = True
    etag: str | None = '"v1"'
    kind: str = "application/octet-stream"
    status: int = 200
    failures: int = 0  # this many times `status`, then 200
    claimed: int | None = None  # Content-Length to state; -1: none
    pause_s: float = 0.0  # before each byte after the first
    location: str = ""


@dataclass
class DataServer:
    """`url`, what it serves by path, and the requests it saw: (path, Range header)."""

    url: str = ""
    pages: dict[str, Behaviour] = field(default_factory=dict)
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    def record(self, path: str, files: Mapping[str, bytes], entries: bool = False) -> None:
        """Serve a record that states the checksums of `files`, in one of its two forms."""
        stated = {
            name: {"key": name, "size": len(body), "checksum": "md5:" + hashlib.md5(body).hexdigest()}
            for name, body in files.items()
        }
        listed = {"entries": stated} if entries else list(stated.values())
        self.pages[path] = Behaviour(json.dumps({"files": listed}).encode(), kind="application/json")


def serve(server: DataServer) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.seen.append((self.path, wanted))
            page = server.pages.get(self.path)
            if page is None:
                self.send_error(404)
                return
            if page.failures:
                page.failures -= 1
                self.send_error(page.status)
                return
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.answer(page, wanted)
            self.close_connection = True

        def answer(self, page: Behaviour, wanted: str | None) -> None:
            start = 0
            if wanted and page.ranges and self.headers.get("If-Range") == page.etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start and start >= len(page.body):
                self.send_error(416)
                return
            self.send_response(302 if page.location else 206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
            if page.location:
                self.send_header("Location", page.location)
            if page.etag:
                self.send_header("ETag", page.etag)
            self.send_header("Content-Type", page.kind)
            body = page.body[start:]
            if page.claimed != -1:
                self.send_header("Content-Length", str(len(body) if page.claimed is None else page.claimed))
            self.end_headers()
            if page.cuts:
                page.cuts -= 1
                body = body[: page.cut_at]
            if page.pause_s:
                for i in range(len(body)):
                    self.wfile.write(body[i : i + 1])
                    self.wfile.flush()
                    time.sleep(page.pause_s)
                return
            self.wfile.write(body)

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    server.url = f"http://127.0.0.1:{web.server_port}"
    threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
    return web


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes], links: Mapping[str, str] | None = None, kind: bytes = tarfile.SYMTYPE) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
    return packed.getvalue()
