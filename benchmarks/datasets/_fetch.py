"""Fetching one file over HTTP: resumable, bounded in time and size, and suspicious of what it gets."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.datasets._errors import DataError

_CHUNK = 1 << 18
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_WAIT_S = 60.0

Shown = Callable[[int, int | None], None]
"""Is told how many bytes are there, and how many there will be where that is known."""


@dataclass(frozen=True)
class Policy:
    """How patient a download is. An attempt that gives a byte more than the last ones does not count as failed."""

    timeout_s: float = 30.0  # for connecting, and between two pieces
    stall_s: float = 120.0  # in which at least `stall_bytes` must come
    stall_bytes: int = 64 * 1024
    attempts: int = 5  # in a row without progress
    most_attempts: int = 100  # in all
    backoff_s: float = 1.0  # doubled after each failure


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise DataError(f"{req.full_url} redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_NoDowngrade)


class _Interrupted(Exception):
    """The transfer broke off; another attempt may go on. `wait_s`: what the server asks for."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


def _open(url: str, headers: dict[str, str], policy: Policy) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "faultline-datasets", **headers})  # noqa: S310
    return _OPENER.open(request, timeout=policy.timeout_s)


def read_json(url: str, policy: Policy, limit: int = 1 << 24) -> Any:
    """Return the JSON at `url` (at most `limit` bytes). Raises DataError."""
    text = _retried(url, policy, lambda: _read_all(url, policy, limit))
    try:
        return json.loads(text)
    except ValueError:
        raise DataError(f"{url}: want JSON, found {text[:40]!r}") from None


def _read_all(url: str, policy: Policy, limit: int) -> bytes:
    with _open(url, {"Accept": "application/json"}, policy) as response:
        text: bytes = response.read(limit + 1)
        length = response.headers.get("Content-Length")
    if len(text) > limit:
        raise DataError(f"{url}: more than {limit} bytes of JSON")
    if length is not None and len(text) < int(length):
        raise _Interrupted(f"ended after {len(text)} of {length} bytes")
    return text


def fetch(url: str, part: Path, *, size: int | None, limit: int, policy: Policy, shown: Shown) -> None:
    """Fetch `url` into the file `part`, going on where an earlier call left it.

    `size`: bytes the file has, where that is known; `limit`: bytes it may have. Returns with the whole file in `part`.
    Raises DataError where the server cannot be reached, is too slow, refuses, lies about the size or sends a web page;
    what has come so far stays in `part`.
    """
    transfer = _Transfer(url, part, size, limit, policy, shown)
    _retried(url, policy, transfer.attempt, transfer.there)


def _retried(url: str, policy: Policy, attempt: Callable[[], Any], progress: Callable[[], int] = lambda: 0) -> Any:
    failed, furthest = 0, progress()
    for _ in range(policy.most_attempts):
        try:
            return attempt()
        except (_Interrupted, OSError, http.client.HTTPException) as error:
            failure = _judged(url, error)
        failed = 1 if progress() > furthest else failed + 1
        furthest = max(furthest, progress())
        if failed >= policy.attempts:
            break
        time.sleep(min(max(policy.backoff_s * 2.0 ** (failed - 1), failure.wait_s), _LONGEST_WAIT_S))
    raise DataError(f"{url}: {failure}; gave up after {policy.attempts} attempts without progress, run again to go on")


def _judged(url: str, error: Exception) -> _Interrupted:
    """Return why another attempt may help. Raises DataError where none would."""
    if isinstance(error, _Interrupted):
        return error
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code not in _TRANSIENT:
            raise DataError(f"{url}: the server answers {error.code} {error.reason}") from None
        asked = str(error.headers.get("Retry-After", ""))
        return _Interrupted(f"the server answers {error.code}", float(asked) if asked.isdigit() else 0.0)
    reason = getattr(error, "reason", None) or error
    return _Interrupted(f"{type(reason).__name__}: {reason}" if str(reason) else type(reason).__name__)


@dataclass(frozen=True)
class _Transfer:
    """One file on its way: `attempt` until it is whole."""

    url: str
    part: Path
    size: int | None
    limit: int
    policy: Policy
    shown: Shown

    @property
    def tag_file(self) -> Path:
        """Where the server's name for this version of the file is kept."""
        return self.part.with_name(self.part.name + ".etag")

    def there(self) -> int:
        """Return how many bytes have come so far."""
        return self.part.stat().st_size if self.part.exists() else 0

    def attempt(self) -> None:
        """Fetch what is missing. Raises _Interrupted where another attempt may help, DataError where not."""
        there = self.there()
        if self.size is not None and there == self.size:
            return
        with self._open(there) as response:
            start = self._start(response, there)
            whole = self._whole(response, start)
            self._keep_tag(response)
            with self.part.open("r+b" if start else "wb") as file:
                file.seek(start)
                file.truncate()
                got = self._pour(response, file, start, whole)
                file.flush()
                os.fsync(file.fileno())
        if whole is not None and got < whole:
            raise _Interrupted(f"ended after {got} of {whole} bytes")

    def _open(self, there: int) -> Any:
        headers = {}
        if there and (self.size is None or there < self.size) and self.tag_file.exists():
            # If-Range: should the file have changed, the server sends the whole of it again
            headers = {"Range": f"bytes={there}-", "If-Range": self.tag_file.read_text()}
        try:
            return _open(self.url, headers, self.policy)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            error.close()
            self.part.unlink(missing_ok=True)
            raise _Interrupted("nothing follows what is there, once more from the start") from None

    def _start(self, response: Any, there: int) -> int:
        """Return where in the file the body begins."""
        if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise DataError(f"{self.url}: the server sent a web page, want an archive")
        if response.status != 206:
            return 0
        unit, _, span = response.headers.get("Content-Range", "").partition(" ")
        if unit != "bytes" or span.partition("-")[0] != str(there):
            raise DataError(f"{self.url}: asked for bytes from {there} on, the server sent {unit} {span}")
        return there

    def _whole(self, response: Any, start: int) -> int | None:
        """Return how many bytes the whole file has, by the server, checked against what is known."""
        length = response.headers.get("Content-Length")
        whole = start + int(length) if length is not None and length.isdigit() else self.size
        if self.size is not None and whole != self.size:
            raise DataError(f"{self.url}: the server announces {whole} bytes, want {self.size}")
        if whole is not None and whole > self.limit:
            raise DataError(f"{self.url}: {whole} bytes, want at most {self.limit}")
        return whole

    def _keep_tag(self, response: Any) -> None:
        tag = response.headers.get("ETag", "")
        if tag.startswith('"'):  # a weak tag does not promise the same bytes
            self.tag_file.write_text(tag)
        elif response.status != 206:
            self.tag_file.unlink(missing_ok=True)

    def _pour(self, response: Any, file: IO[bytes], start: int, whole: int | None) -> int:
        """Write the body to `file` from `start` on; return where it ends."""
        most = self.limit if whole is None else whole
        at, mark, marked = start, time.monotonic(), start
        while chunk := response.read1(_CHUNK):
            at += len(chunk)
            if at > most:
                raise DataError(f"{self.url}: the server sent more than {most} bytes")
            file.write(chunk)
            self.shown(at, whole)
            now = time.monotonic()
            if at - marked >= self.policy.stall_bytes:
                mark, marked = now, at
            elif now - mark > self.policy.stall_s:
                raise _Interrupted(f"too slow: {at - marked} bytes in {now - mark:.0f} s")
        return at
