"""Memory by its address: operations for compiled code that reads and writes Arrow's buffers where they lie.

Nothing is checked and nothing is kept: whoever uses an address sees to it that what it belongs to lives on, and is as
large as is thought. What `_wide` says of its operations holds for these too.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic


def _operation(function: Callable[..., Any]) -> Any:
    """Make what returns an operation's types and the code for it known to numba."""
    return intrinsic(function)


def _pointed(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, ir.IntType(8).as_pointer())


@_operation
def place_of(typing: Any, array: Any) -> tuple[Any, Callable[..., Any]]:
    """The address of an array's first value."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), make


def _pointer_to(kind: Any) -> Any:
    """Return the operation that makes an address one of numbers of a kind, to be read and written with []."""

    @_operation
    def numbers(typing: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
        pointer = types.CPointer(kind)  # type: ignore[attr-defined]

        def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(types.int64), make

    return numbers


octets, int8s, int32s, int64s = map(_pointer_to, (types.uint8, types.int8, types.int32, types.int64))


@_operation
def move(typing: Any, target: Any, source: Any, count: Any) -> tuple[Any, Callable[..., Any]]:
    """Copy so many bytes from one address to another; the two do not overlap."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cgutils.raw_memcpy(builder, _pointed(builder, args[0]), _pointed(builder, args[1]), args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), make


@_operation
def call(typing: Any, function: Any, argument: Any) -> tuple[Any, Callable[..., Any]]:
    """Call the C function at an address, which takes a pointer and returns nothing."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [args[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), make
