"""Many bytes at a time: operations that compiled code uses and numba has no words for.

Bytes are read through a pointer, from a place on, and nothing is checked: callers see to it that they are there. All is
written in LLVM's own terms, so it means the same on every processor; only the speed differs. A file whose compiled
code uses them must be touched when this changes (as for `_vm`).
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

BLOCK = 64
"""Bytes that `classes` and `outside` look at."""

_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
_LANES = ir.VectorType(_BYTE, BLOCK)
_JOINERS = ((36, 37), (42, 43), (45, 47), (92, 92), (94, 95), (126, 126))  # and slashes; letters and digits apart


def _operation(function: Callable[..., Any]) -> Any:
    """Make what returns an operation's types and the code for it known to numba."""
    return intrinsic(function)


def _load(builder: Any, pointer: Any, at: Any, wanted: Any) -> Any:
    """Return the value of a type that begins at pointer[at]."""
    found = builder.load(builder.bitcast(builder.gep(pointer, [at]), wanted.as_pointer()))
    found.align = 1
    return found


def _splat(byte: int) -> Any:
    return ir.Constant(_LANES, [byte] * BLOCK)


def _among(builder: Any, lanes: Any, low: int, high: int) -> Any:
    """Return which bytes are from `low` to `high`."""
    if low == high:
        return builder.icmp_unsigned("==", lanes, _splat(low))
    return builder.icmp_unsigned("<=", builder.sub(lanes, _splat(low)), _splat(high - low))


def _bits(builder: Any, flags: Any) -> Any:
    return builder.bitcast(flags, _WORD)


@_operation
def pointer(typing: Any, array: Any) -> tuple[Any, Callable[..., Any]]:
    """The place of an array's values, to be read with [] and passed on: arrays are counted when they are passed on.

    It does not keep the array: whoever makes one of an array of his own must use that once more at the end.
    """

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), make  # type: ignore[attr-defined]


@_operation
def eight(typing: Any, data: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """data[at:at + 8] as a number, the first byte being the lowest."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, args[0], args[1], _WORD)

    return types.uint64(data, at), make


@_operation
def classes(typing: Any, data: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """Bits of data[at:at + 64]: (bytes that make up words, digits, slashes, blanks, other white space)."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load(builder, args[0], args[1], _LANES)
        digit = _among(builder, lanes, 48, 57)
        word = builder.or_(digit, _among(builder, builder.or_(lanes, _splat(32)), 97, 122))
        word = builder.or_(word, builder.icmp_unsigned(">=", lanes, _splat(128)))
        for low, high in _JOINERS:
            word = builder.or_(word, _among(builder, lanes, low, high))
        found = (
            word, digit, _among(builder, lanes, 47, 47), _among(builder, lanes, 32, 32), _among(builder, lanes, 9, 13)
        )  # fmt: skip
        return context.make_tuple(builder, signature.return_type, [_bits(builder, one) for one in found])

    return types.UniTuple(types.uint64, 5)(data, at), make  # type: ignore[attr-defined]


@_operation
def equal(typing: Any, data: Any, at: Any, byte: Any) -> tuple[Any, Callable[..., Any]]:
    """Bits of data[at:at + 64]: the bytes that are `byte`."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load(builder, args[0], args[1], _LANES)
        one = builder.insert_element(ir.Constant(_LANES, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
        every = builder.shuffle_vector(one, ir.Constant(_LANES, ir.Undefined), mask)
        return _bits(builder, builder.icmp_unsigned("==", lanes, every))

    return types.uint64(data, at, types.uint8), make


@_operation
def blanks(typing: Any, data: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """Bits of data[at:at + 64]: the bytes that are white space."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load(builder, args[0], args[1], _LANES)
        return _bits(builder, builder.or_(_among(builder, lanes, 32, 32), _among(builder, lanes, 9, 13)))

    return types.uint64(data, at), make


@_operation
def outside(typing: Any, data: Any, at: Any, low: Any, high: Any, row: Any) -> tuple[Any, Callable[..., Any]]:
    """Bits of data[at:at + 64]: byte k is not from low[row, k] to high[row, k]."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = builder.mul(args[4], ir.Constant(_WORD, BLOCK))
        lanes = _load(builder, args[0], args[1], _LANES)
        least = _load(builder, args[2], first, _LANES)
        most = _load(builder, args[3], first, _LANES)
        below = builder.icmp_unsigned("<", lanes, least)
        return _bits(builder, builder.or_(below, builder.icmp_unsigned(">", lanes, most)))

    return types.uint64(data, at, low, high, types.int64), make


@_operation
def copy_32(typing: Any, data: Any, at: Any, out: Any, place: Any) -> tuple[Any, Callable[..., Any]]:
    """Set out[place:place + 32] to data[at:at + 32]."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = ir.VectorType(_BYTE, 32)
        target = builder.bitcast(builder.gep(args[2], [args[3]]), lanes.as_pointer())
        builder.store(_load(builder, args[0], args[1], lanes), target, align=1)
        return context.get_dummy_value()

    return types.void(data, at, out, place), make


@_operation
def trailing(typing: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """Zero bits below the lowest bit set; 64 if none is."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), make


@_operation
def leading(typing: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """Zero bits above the highest bit set; 64 if none is."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), make
