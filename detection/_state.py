"""Snapshots: a JSON part and named numpy arrays in one checked byte string, without pickle."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import xxhash

from telemetry import CorruptState

Arrays = dict[str, np.ndarray]

_MAGIC = b"FLDET1\n"


def pack(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return magic, xxh3-64 digest, then an npz archive of `arrays` with `meta` as JSON bytes inside."""
    buffer = io.BytesIO()
    text = np.frombuffer(orjson.dumps(meta, option=orjson.OPT_SORT_KEYS), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, **{"": text}, **dict(sorted(arrays.items())))
    body = buffer.getvalue()
    return _MAGIC + xxhash.xxh3_64_digest(body) + body


def unpack(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return what `pack` was given. Raises CorruptState on foreign, cut or altered bytes."""
    head = len(_MAGIC)
    body = data[head + 8 :]
    if data[:head] != _MAGIC or xxhash.xxh3_64_digest(body) != data[head : head + 8]:
        raise CorruptState(
            f"detection snapshot of {len(data)} bytes: header or checksum is wrong; want one made by pack"
        )
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return orjson.loads(arrays.pop("").tobytes()), arrays


def prefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays under `prefix/name`."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays whose names begin with `prefix/`, without it."""
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}/")}
