"""Element types: weft's own dtype objects, their xDSL types, and JAX's promotion lattice.

NumPy stays at the edge (weft also runs where there is no NumPy), so a dtype is a small interned object that *compares equal* to NumPy's dtype
of the same name, to NumPy's scalar type and to the name itself. Signed and boolean types lower to signless integers, as MLIR's `arith` wants them;
unsigned ones keep their sign in the array dialect (`ui32`), because there it decides what an op means.

The lattice is the one of JAX's type promotion (https://docs.jax.dev/en/latest/type_promotion.html): Python scalars are *weak*, and a weak type
only decides the kind.
"""

from __future__ import annotations

from functools import cache
from struct import pack, unpack
from typing import Any

from xdsl.dialects.builtin import (
    BFloat16Type,
    ComplexType,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
)
from xdsl.ir import Attribute


class DType:
    """An element type. `kind` is NumPy's letter: b bool, i signed, u unsigned, f floating (V in NumPy for bfloat16), c complex; `element` is its xDSL type."""

    __slots__ = ("bits", "element", "itemsize", "kind", "name")
    __array_priority__ = 100

    def __init__(self, name: str, kind: str, bits: int, element: Attribute):
        self.name, self.kind, self.bits, self.element = name, kind, bits, element
        self.itemsize = -(-bits // 8)

    def __repr__(self) -> str:
        return f"dtype({self.name})" if self.name == "bfloat16" else f"dtype('{self.name}')"

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, DType):
            return False
        if isinstance(other, str):
            return self.name == other
        name = getattr(other, "name", None) or getattr(other, "__name__", None)  # a NumPy dtype, or a scalar type
        return name == self.name or (name == "bool_" and self is bool_)  # NumPy 1 names its scalar type so

    def __reduce__(self):
        return (as_dtype, (self.name,))

    @property
    def dtype(self) -> Any:
        """NumPy's dtype of this name, which NumPy asks for when it is handed this one: `np.zeros(shape, x.dtype)`. That of bfloat16 is of the package ml_dtypes: TypeError where it is not installed."""
        import numpy as np

        if self.name != "bfloat16":
            return np.dtype(self.name)
        try:
            import ml_dtypes
        except ImportError as error:
            raise TypeError(
                "NumPy has no bfloat16 without the package ml_dtypes: install it, or convert by x.astype('float32') first"
            ) from error
        return np.dtype(ml_dtypes.bfloat16)

    @property
    def type(self) -> Any:
        """NumPy's type of scalars: `x.dtype.type(0)`."""
        return self.dtype.type

    @property
    def __numpy_dtype__(self) -> Any:  # where NumPy 2.4 and later look first
        return self.dtype

    @property
    def is_floating(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    @property
    def is_inexact(self) -> bool:
        return self.kind in "fc"

    @property
    def part(self) -> DType:
        """The dtype of a complex number's real part; of a real dtype itself."""
        return _PARTS.get(self.name, self)


class _Float0(DType):
    """The dtype of what does not vary: tangents and cotangents of integers and bools. Its values say nothing; in a program they are bools."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """NumPy's: as JAX has it, a void of no bytes."""
        import numpy as np

        return np.dtype([("float0", np.void, 0)])

    def __eq__(self, other: object) -> bool:
        return self is other or getattr(other, "names", None) == ("float0",) or other == "float0"

    __hash__ = DType.__hash__


def _unsigned(width: int) -> IntegerType:
    return IntegerType(width, Signedness.UNSIGNED)


bool_ = DType("bool", "b", 1, IntegerType(1))
int8 = DType("int8", "i", 8, IntegerType(8))
int16 = DType("int16", "i", 16, IntegerType(16))
int32 = DType("int32", "i", 32, IntegerType(32))
int64 = DType("int64", "i", 64, IntegerType(64))
uint8 = DType("uint8", "u", 8, _unsigned(8))
uint16 = DType("uint16", "u", 16, _unsigned(16))
uint32 = DType("uint32", "u", 32, _unsigned(32))
uint64 = DType("uint64", "u", 64, _unsigned(64))
float16 = DType("float16", "f", 16, Float16Type())
bfloat16 = DType("bfloat16", "f", 16, BFloat16Type())
float32 = DType("float32", "f", 32, Float32Type())
float64 = DType("float64", "f", 64, Float64Type())
complex64 = DType("complex64", "c", 64, ComplexType(Float32Type()))
complex128 = DType("complex128", "c", 128, ComplexType(Float64Type()))
float0 = _Float0("float0", "V", 0, IntegerType(1))

ALL = (
    bool_,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
)
_PARTS = {"complex64": float32, "complex128": float64}
_BY_NAME = {d.name: d for d in (*ALL, float0)} | {"bool_": bool_, "float": float64, "int": int64, "complex": complex128}
_BY_TYPE: dict[Attribute, DType] = {d.element: d for d in ALL}
_PYTHON = {bool: bool_, int: int64, float: float64, complex: complex128}


def bfloat16_bits(value: float) -> int:
    """The bits of a number as bfloat16: the upper half of a float32, rounded to the nearest, the even one of two."""
    try:
        (bits,) = unpack("<I", pack("<f", value))
    except OverflowError:
        bits = 0x7F800000 if value > 0 else 0xFF800000
    return 0x7FC0 if value != value else (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def from_type(type: Attribute) -> DType:
    """The dtype of an xDSL element type. Raises TypeError for a type that is no element of an array."""
    try:
        return _BY_TYPE[type]
    except KeyError:
        raise TypeError(f"{type} is not an element type of the array dialect") from None


def complex_of(part: DType) -> DType:
    """The complex dtype whose parts have a floating dtype; 16-bit floats have none of their own, and take complex64."""
    return complex128 if part is float64 else complex64


def as_dtype(spec: object) -> DType:
    """A DType from a DType, a name, a Python type, a NumPy dtype or a NumPy scalar type. Raises TypeError for anything else."""
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, type) and spec in _PYTHON:
        return _PYTHON[spec]
    name = spec if isinstance(spec, str) else getattr(spec, "name", None) or getattr(spec, "__name__", None)
    if isinstance(name, str) and name in _BY_NAME:
        return _BY_NAME[name]
    if isinstance(spec, str):  # array-protocol codes: "<f4", "f4", "?"
        code = spec.lstrip("<=|")
        for d in ALL:
            if (d.name != "bfloat16" and code == f"{d.kind}{d.itemsize}") or (d is bool_ and code in ("?", "b1")):
                return d
    if getattr(spec, "names", None) == ("float0",):
        return float0
    if hasattr(spec, "__array__") and hasattr(spec, "dtype"):
        raise ValueError(
            "Passing an array as a dtype argument is not supported; instead of dtype=arr use dtype=arr.dtype."
        )
    raise TypeError(f"Cannot interpret {spec!r} as a data type")


# JAX's lattice: an edge goes from a type to the next larger ones; "i*", "f*", "c*" are the weak (Python scalar) types.
_EDGES: dict[str, tuple[str, ...]] = {
    "bool": ("i*",),
    "i*": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "int8": ("int16",),
    "uint16": ("int32", "uint32"),
    "int16": ("int32",),
    "uint32": ("int64", "uint64"),
    "int32": ("int64",),
    "uint64": ("f*",),
    "int64": ("f*",),
    "f*": ("bfloat16", "float16", "c*"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "c*": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


@cache
def _upper(name: str) -> frozenset[str]:
    return frozenset({name}).union(*(_upper(n) for n in _EDGES[name]))


def _lattice_name(dtype: DType, weak: bool) -> str:
    return dtype.name if not weak or dtype.kind == "b" else {"i": "i*", "u": "i*", "f": "f*", "c": "c*"}[dtype.kind]


@cache
def promote_types(a: DType, b: DType, weak_a: bool = False, weak_b: bool = False) -> tuple[DType, bool]:
    """The least upper bound of two types in JAX's lattice, and whether it is weak.

    A weak result keeps the wider of the weak operands' dtypes (int32 or float32 unless x64 is on, which the caller's scalars decide); 64-bit integers of both signs meet in a
    weak float.
    """
    if float0 in (a, b):
        raise TypeError(
            "Called an operation with a float0 array: float0s do not support any operations by design, because they are not compatible with non-trivial vector spaces. "
            "Gradients by integers and bools are float0: they are zero."
        )
    name_a, name_b = _lattice_name(a, weak_a), _lattice_name(b, weak_b)
    common = _upper(name_a) & _upper(name_b)
    least = next(n for n in common if common <= _upper(n))
    if least.endswith("*"):
        same_kind = [d for d, n in ((a, name_a), (b, name_b)) if n == least]
        return max(same_kind, key=lambda d: d.bits, default=float64), True
    return _BY_NAME[least], False
