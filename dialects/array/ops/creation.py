"""Arrays from nothing, or from a key: positions and random bits. (Literals are in ../constant.py.)"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def

from weft.dialects.array.node import Aval, Node, aval
from weft.dialects.array.op import ArrayOp, Parts, batch_front, zeros
from weft.dialects.array.ops import emit
from weft.dialects.array.ops.shape import Dims, Index, Ints
from weft.dialects.dtypes import DType, int32, uint32
from weft.dialects.kernel.affine import Expr, linearize


@irdl_op_definition
class IotaOp(ArrayOp):
    """The position along one dimension: 0, 1, 2, …

    %i = array.iota dimension 1 : tensor<4x8xi32>

    JAX: `lax.broadcasted_iota`.
    """

    name = "array.iota"
    NOT_DIFFERENTIABLE: ClassVar = True

    dimension = prop_def()

    @classmethod
    def infer(cls, *, shape: Ints, dimension: int, dtype: DType) -> Aval:
        if not 0 <= dimension < len(shape):
            raise ValueError(
                f"iota dimension must be between 0 and {len(shape)}, got dimension={dimension} for shape {tuple(shape)}"
            )
        if dtype.kind == "b":
            raise TypeError(f"iota does not accept dtype {dtype}. Accepted dtypes are numeric ones.")
        return aval(shape, dtype)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, **params: Any) -> tuple[Node, None]:
        return cls.bind(**params), None

    @staticmethod
    def reference(np: Any, *, shape: Ints, dimension: int, dtype: DType) -> Any:
        along = np.arange(shape[dimension]).astype(dtype.name)
        return np.broadcast_to(along.reshape([-1 if k == dimension else 1 for k in range(len(shape))]), shape)

    @classmethod
    def on_parts(cls, *, shape: Ints, dimension: int, dtype: DType) -> Parts:
        re = cls.bind(shape=shape, dimension=dimension, dtype=dtype.part)
        return Parts(re, zeros(re))

    @classmethod
    def to_kernel(
        cls, b: Any, index: Index, args: Sequence[Any], *, shape: Ints, dimension: int, dtype: DType
    ) -> SSAValue:
        return emit.convert(b, b.index(index[dimension]), int32, dtype)


ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


@irdl_op_definition
class RandomBitsOp(ArrayOp):
    """32 random bits for each element, from a key of two words: Threefry-2x32 with 20 rounds, which enciphers the
    element's position.

    %r = array.random_bits %key : tensor<2xui32> -> tensor<4x8xui32>

    JAX: `jax.random.bits` with `jax_threefry_partitionable`, bit for bit. Keys may have leading axes: then the result
    has them too, and each key counts from 0. J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """

    name = "array.random_bits"
    NOT_DIFFERENTIABLE: ClassVar = True

    key = operand_def(TensorType)

    @classmethod
    def infer(cls, key: Aval, *, shape: Ints) -> Aval:
        if key.dtype is not uint32 or key.shape[-1:] != (2,):
            raise TypeError(f"random_bits: the key must be uint32[2], got {key}.")
        if tuple(shape[: key.ndim - 1]) != key.shape[:-1]:
            raise TypeError(f"random_bits: the shape must begin with the keys' {key.shape[:-1]}, got {tuple(shape)}.")
        return aval(shape, uint32)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Dims, *, shape: Ints) -> tuple[Node, int]:
        return cls.bind(batch_front(size, args[0], dims[0]), shape=(size, *shape)), 0

    @staticmethod
    def reference(np: Any, key: Any, *, shape: Ints) -> Any:
        outer = key.ndim - 1
        count = np.arange(prod(shape[outer:]), dtype=np.uint64)
        key = key[..., None]
        words = ((count >> np.uint64(32)).astype(np.uint32), count.astype(np.uint32))
        with np.errstate(over="ignore"):
            x, y = _threefry(
                (key[..., 0, :], key[..., 1, :]), words, lambda a, b: a + b, lambda a, b: a ^ b,
                lambda a, r: (a << np.uint32(r)) | (a >> np.uint32(32 - r)), np.uint32,
            )  # fmt: skip
        return (x ^ y).reshape(shape)

    @classmethod
    def to_kernel(cls, b: Any, index: Index, args: Sequence[Any], *, shape: Ints) -> SSAValue:
        outer = len(args[0].shape) - 1
        key = tuple(b.read(args[0], (*index[:outer], Expr(k))) for k in (0, 1))
        count = b.index(linearize(index[outer:], shape[outer:]))

        def word(value: int) -> SSAValue:
            return b.const(value, uint32)

        def rotate(x: SSAValue, by: int) -> SSAValue:
            return b.op(arith.OrIOp, b.op(arith.ShLIOp, x, word(by)), b.op(arith.ShRUIOp, x, word(32 - by)))

        x, y = _threefry(
            key,
            (word(0), count),
            lambda p, q: b.op(arith.AddiOp, p, q),
            lambda p, q: b.op(arith.XOrIOp, p, q),
            rotate,
            word,
        )
        return b.op(arith.XOrIOp, x, y)


def _threefry(key: Any, words: Any, add: Any, xor: Any, rotate: Any, word: Any) -> tuple[Any, Any]:
    """Two words enciphered, whatever a word is: five times four rounds, a part of the key added after each four."""
    keys = (*key, xor(xor(key[0], key[1]), word(PARITY)))
    x, y = add(words[0], keys[0]), add(words[1], keys[1])
    for step in range(5):
        for by in ROTATIONS[step % 2]:
            x = add(x, y)
            y = xor(rotate(y, by), x)
        x = add(x, keys[(step + 1) % 3])
        y = add(add(y, keys[(step + 2) % 3]), word(step + 1))
    return x, y
