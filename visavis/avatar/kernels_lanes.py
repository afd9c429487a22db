"""Sixteen numbers at once: vectors of 16-bit integers for numba's kernels.

numba computes with 64-bit integers, which LLVM does not narrow by itself; these few operations work on one vector of sixteen
unsigned 16-bit lanes (a 256-bit register, or two of 128 bits), so that a kernel costs what the processor can do. Everything
here may be called from kernels only. Sums and products wrap at 65536; who calls sees to it that they do not reach it.
Memory is named by addresses: an array costs a dozen arguments and two counts of references a call. Nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils as untyped_cgutils
from numba.core import types
from numba.extending import intrinsic, models, register_model

# numba has types, but not for its own extensions.
cgutils: Any = untyped_cgutils

F = TypeVar("F", bound=Callable[..., Any])

LANES: Final = 16
_BYTES: Final = ir.VectorType(ir.IntType(8), LANES)
_HALF: Final = ir.VectorType(ir.IntType(8), LANES // 2)
_WORDS: Final = ir.VectorType(ir.IntType(16), LANES)
_INDEX: Final = ir.IntType(32)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="visavis.lanes16")


LANES16: Final = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _WORDS)  # type: ignore[no-untyped-call]


def kernel(function: F) -> F:
    """Compile ``function`` on its first use, as a part of each of its callers; no bounds are checked in it."""
    return cast(F, numba.njit(nogil=True, error_model="numpy", forceinline=True)(function))


def routine(function: F) -> F:
    """Like :func:`kernel`, but called rather than copied into its callers."""
    return cast(F, numba.njit(nogil=True, error_model="numpy")(function))


def _primitive(function: Callable[..., Any]) -> Any:
    """An operation of a kernel: written with the typing context as its first argument, called without."""
    return intrinsic(function)


def _at(builder: Any, address: Any, pointee: Any) -> Any:
    return builder.inttoptr(address, pointee.as_pointer())


def _constant(values: list[int]) -> Any:
    return ir.Constant(_WORDS, [ir.Constant(ir.IntType(16), value) for value in values])


def _spread(builder: Any, value: Any) -> Any:
    word = builder.trunc(value, ir.IntType(16))
    first = builder.insert_element(ir.Constant(_WORDS, ir.Undefined), word, ir.Constant(_INDEX, 0))
    zeros = ir.Constant(ir.VectorType(_INDEX, LANES), None)
    return builder.shuffle_vector(first, ir.Constant(_WORDS, ir.Undefined), zeros)


def _below(builder: Any, count: Any, lanes: int) -> Any:
    """Mask of the first ``count`` lanes."""
    kind = ir.VectorType(ir.IntType(16), lanes)
    word = builder.trunc(count, ir.IntType(16))
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), word, ir.Constant(_INDEX, 0))
    zeros = ir.Constant(ir.VectorType(_INDEX, lanes), None)
    limit = builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)
    ramp_ = ir.Constant(kind, [ir.Constant(ir.IntType(16), lane) for lane in range(lanes)])
    return builder.icmp_unsigned("<", ramp_, limit)


def _masked_load(builder: Any, pointer: Any, kind: Any, mask: Any) -> Any:
    name = f"llvm.masked.load.v{kind.count}i8.p0"
    signature = ir.FunctionType(kind, [pointer.type, _INDEX, mask.type, kind])
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, [pointer, ir.Constant(_INDEX, 1), mask, ir.Constant(kind, None)])


def _masked_store(builder: Any, value: Any, pointer: Any, mask: Any) -> None:
    name = f"llvm.masked.store.v{value.type.count}i8.p0"
    signature = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, _INDEX, mask.type])
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    builder.call(function, [value, pointer, ir.Constant(_INDEX, 1), mask])


def _join(builder: Any, first: Any, second: Any) -> Any:
    order = ir.Constant(ir.VectorType(_INDEX, LANES), [ir.Constant(_INDEX, lane) for lane in range(LANES)])
    return builder.shuffle_vector(first, second, order)


def _part(builder: Any, value: Any, begin: int) -> Any:
    half = LANES // 2
    order = ir.Constant(ir.VectorType(_INDEX, half), [ir.Constant(_INDEX, begin + lane) for lane in range(half)])
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), order)


@_primitive
def load(typing: Any, address: Any) -> Any:
    """Sixteen bytes from ``address`` on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(builder.load(_at(builder, arguments[0], _BYTES), align=1), _WORDS)

    return LANES16(types.intp), build


@_primitive
def load_some(typing: Any, address: Any, count: Any) -> Any:
    """The first ``count`` of sixteen bytes; the rest is 0 and is not read."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = _below(builder, arguments[1], LANES)
        return builder.zext(_masked_load(builder, _at(builder, arguments[0], _BYTES), _BYTES, mask), _WORDS)

    return LANES16(types.intp, types.intp), build


@_primitive
def load_pair(typing: Any, first: Any, second: Any) -> Any:
    """Eight bytes from the address ``first`` on, then eight from ``second`` on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        parts = [builder.load(_at(builder, address, _HALF), align=1) for address in arguments]
        return builder.zext(_join(builder, *parts), _WORDS)

    return LANES16(types.intp, types.intp), build


@_primitive
def load_pair_some(typing: Any, first: Any, second: Any, count: Any) -> Any:
    """Like ``load_pair``, only the first ``count`` of each eight."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = _below(builder, arguments[2], LANES // 2)
        parts = [_masked_load(builder, _at(builder, address, _HALF), _HALF, mask) for address in arguments[:2]]
        return builder.zext(_join(builder, *parts), _WORDS)

    return LANES16(types.intp, types.intp, types.intp), build


@_primitive
def store(typing: Any, address: Any, value: Any) -> Any:
    """Write the lanes as bytes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(builder.trunc(arguments[1], _BYTES), _at(builder, arguments[0], _BYTES), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, LANES16), build


@_primitive
def store_some(typing: Any, address: Any, value: Any, count: Any) -> Any:
    """Write the first ``count`` lanes as bytes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = _below(builder, arguments[2], LANES)
        _masked_store(builder, builder.trunc(arguments[1], _BYTES), _at(builder, arguments[0], _BYTES), mask)
        return context.get_dummy_value()

    return types.void(types.intp, LANES16, types.intp), build


@_primitive
def store_pair(typing: Any, first: Any, second: Any, value: Any) -> Any:
    """Write the first eight lanes at ``first``, the others at ``second``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = builder.trunc(arguments[2], _BYTES)
        for i in (0, 1):
            builder.store(_part(builder, narrow, i * LANES // 2), _at(builder, arguments[i], _HALF), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, LANES16), build


@_primitive
def store_pair_some(typing: Any, first: Any, second: Any, value: Any, count: Any) -> Any:
    """Like ``store_pair``, only the first ``count`` of each eight."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow, mask = builder.trunc(arguments[2], _BYTES), _below(builder, arguments[3], LANES // 2)
        for i in (0, 1):
            _masked_store(builder, _part(builder, narrow, i * LANES // 2), _at(builder, arguments[i], _HALF), mask)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, LANES16, types.intp), build


@_primitive
def prefetch(typing: Any, address: Any) -> Any:
    """What lies at ``address`` is going to be used: have it fetched meanwhile. Any address will do."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _at(builder, arguments[0], ir.IntType(8))
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _INDEX, _INDEX, _INDEX])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, *(ir.Constant(_INDEX, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(types.intp), build


@_primitive
def splat(typing: Any, value: Any) -> Any:
    """``value`` in all lanes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0])

    return LANES16(types.intp), build


@_primitive
def ramp(typing: Any) -> Any:
    """0, 1 ... 15."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _constant(list(range(LANES)))

    return LANES16(), build


@_primitive
def ramp_pair(typing: Any) -> Any:
    """1, 5 ... 29 twice: where eight chroma samples lie between two nodes, in 1/32 of their distance."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _constant([4 * lane + 1 for lane in range(LANES // 2)] * 2)

    return LANES16(), build


def _binary(name: str, text: str) -> Any:
    @_primitive
    def operation(typing: Any, left: Any, right: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, name)(*arguments)

        return LANES16(LANES16, LANES16), build

    operation.__doc__ = text
    return operation


add: Final = _binary("add", "The sum, lane by lane.")
mul: Final = _binary("mul", "The lower 16 bits of the product, lane by lane.")
sub: Final = _binary("sub", "The difference, lane by lane.")


def _called(name: str, text: str) -> Any:
    @_primitive
    def operation(typing: Any, left: Any, right: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(_WORDS, [_WORDS, _WORDS])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}i16")
            return builder.call(function, arguments)

        return LANES16(LANES16, LANES16), build

    operation.__doc__ = text
    return operation


less: Final = _called("usub.sat", "The difference, or 0 where it would be negative.")
smaller: Final = _called("umin", "The smaller one, lane by lane.")


def _shifted(bits: int) -> Any:
    @_primitive
    def operation(typing: Any, value: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.lshr(arguments[0], _constant([bits] * LANES))

        return LANES16(LANES16), build

    operation.__doc__ = f"Each lane divided by {2**bits}."
    return operation


by_64: Final = _shifted(6)
by_128: Final = _shifted(7)
by_256: Final = _shifted(8)
