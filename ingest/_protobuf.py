"""Protobuf messages of any kind."""

from typing import Any

from telemetry import DecodeError


def message_from_protobuf(kind: Any, value: bytes) -> Any:
    """Return the message of class `kind` in `value`. Raises DecodeError (bad_protobuf)."""
    from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]  # has no types

    try:
        return kind.FromString(value)
    except ProtobufError as error:
        raise DecodeError("bad_protobuf", f"not a protobuf {kind.DESCRIPTOR.name}: {error}") from None
