"""dtypes as NumPy's namespace has them: types that make scalars (`float32(3)`), their limits, their kinds, and how they are promoted."""

from __future__ import annotations

from typing import Any
from warnings import warn

from weft.array import Array, aval_of, lift, put, wrap
from weft.devices import get_device
from weft.dialects import dtypes
from weft.dialects.array import ops
from weft.dialects.array.op import literal
from weft.dialects.dtypes import DType, as_dtype
from weft.host import canonical, outside
from weft.lax.base import ArrayLike, ComplexWarning, DTypeLike, convert

__all__ = [
    "ComplexWarning", "astype", "bfloat16", "bool_", "can_cast", "cdouble", "complex64", "complex128", "complex_", "complexfloating", "csingle", "double",
    "dtype", "finfo", "float16", "float32", "float64", "float_", "floating", "generic", "iinfo", "inexact", "int8", "int16", "int32", "int64", "int_",
    "integer", "isdtype", "issubdtype", "number", "promote_types", "result_type", "signedinteger", "single", "uint", "uint8", "uint16",
    "uint32", "uint64", "unsignedinteger",
]  # fmt: skip


class _Instances(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, DType)


class dtype(metaclass=_Instances):
    """The type of dtypes: `dtype("float32")` is the dtype of that name (or of a type, or of NumPy's dtype), and `isinstance(x.dtype, dtype)`.

    None is float64, as in NumPy; `align` and `copy` are NumPy's, and mean nothing where there are no fields. Raises TypeError for what is no dtype.
    """

    def __new__(cls, dtype: Any, align: bool = False, copy: bool = False) -> DType:  # type: ignore[misc]
        return as_dtype(float if dtype is None else dtype)


class ScalarType:
    """A dtype that can be called: `float32(3)` is an array of rank 0. Equal to its dtype."""

    def __init__(self, dtype: DType):
        self.dtype, self.name, self.__name__ = dtype, dtype.name, dtype.name

    @property
    def __numpy_dtype__(self) -> Any:  # what NumPy asks for: `np.zeros(shape, jnp.float32)`
        return self.dtype.dtype

    def __call__(self, x: Any = 0) -> Array:
        from weft.numpy.creation import asarray

        return asarray(x, self)

    def __eq__(self, other: object) -> bool:
        return self.dtype == other

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"<class 'weft.numpy.{self.name}'>"


bool_ = ScalarType(dtypes.bool_)
int8, int16 = ScalarType(dtypes.int8), ScalarType(dtypes.int16)
int32, int64 = ScalarType(dtypes.int32), ScalarType(dtypes.int64)
uint8, uint16 = ScalarType(dtypes.uint8), ScalarType(dtypes.uint16)
uint32, uint64 = ScalarType(dtypes.uint32), ScalarType(dtypes.uint64)
float16, bfloat16 = ScalarType(dtypes.float16), ScalarType(dtypes.bfloat16)
float32, float64 = ScalarType(dtypes.float32), ScalarType(dtypes.float64)
complex64, complex128 = ScalarType(dtypes.complex64), ScalarType(dtypes.complex128)
int_, uint, float_, complex_ = int64, uint64, float64, complex128
single, double, csingle, cdouble = float32, float64, complex64, complex128


class Kind:
    """A family of dtypes, by NumPy's letters: what `issubdtype` asks for."""

    def __init__(self, name: str, letters: str):
        self.name, self.letters = name, letters

    def __repr__(self) -> str:
        return f"<class 'weft.numpy.{self.name}'>"


generic, number = Kind("generic", "biufc"), Kind("number", "iufc")
integer, signedinteger, unsignedinteger = (
    Kind("integer", "iu"),
    Kind("signedinteger", "i"),
    Kind("unsignedinteger", "u"),
)
inexact, floating, complexfloating = Kind("inexact", "fc"), Kind("floating", "f"), Kind("complexfloating", "c")
_ABSTRACT = (generic, number, integer, signedinteger, unsignedinteger, inexact, floating, complexfloating)
_KINDS = {"bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f"} | {
    "complex floating": "c",
    "numeric": "iufc",
}


class extended:
    """The family of dtypes that are no numbers."""


class prng_key(extended):
    """The family of the dtypes of typed keys (`random.key`)."""


def issubdtype(arg1: DTypeLike, arg2: Any) -> bool:
    """Whether a dtype is another, or belongs to a family (`floating`, `integer`, …; NumPy's abstract types are understood by their names). None is NumPy's default, float64."""
    arg1 = float if arg1 is None else dtype_of(arg1)
    is_key, of_keys = str(arg1).startswith("key<"), isinstance(arg2, type) and issubclass(arg2, extended)
    if is_key or of_keys:
        return is_key and of_keys
    found = as_dtype(arg1)
    if isinstance(arg2, Kind):
        return found.kind in arg2.letters
    name = getattr(arg2, "__name__", arg2 if isinstance(arg2, str) else "")
    letters = next((k.letters for k in _ABSTRACT if k.name == name), "")
    return found.kind in letters if letters else found is as_dtype(arg2)


def isdtype(dtype: DTypeLike, kind: Any) -> bool:
    """Whether a dtype is of a kind ("bool", "integral", "real floating", …), is a dtype, or is one of a tuple of these."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    found = as_dtype(dtype)
    if isinstance(kind, str) and kind in _KINDS:
        return found.kind in _KINDS[kind]
    try:
        return found is as_dtype(kind)
    except TypeError:
        if not isinstance(kind, str):
            raise TypeError(f"Expected kind to be a dtype, string, or tuple; got {kind=}") from None
        raise ValueError(f"Unrecognized {kind=} expected one of {list(_KINDS)}") from None


def result_type(*args: Any) -> DType:
    """The dtype that arrays, scalars and dtypes are promoted to."""
    return weak_result_type(*args)[0]


def weak_result_type(*args: Any) -> tuple[DType, bool]:
    """`result_type`, and whether it is weak."""
    if not args:
        raise ValueError("at least one array or dtype is required")
    found: tuple[DType, bool] | None = None
    for a in args:
        try:
            one = as_dtype(a), any(a is python for python in (int, float, complex))
        except (TypeError, ValueError):  # no dtype: an array, or a number
            known = aval_of(a)
            one = known.dtype, known.weak_type
        found = one if found is None else dtypes.promote_types(found[0], one[0], found[1], one[1])
    assert found is not None
    return canonical(found[0]), found[1]


def promote_types(a: DTypeLike, b: DTypeLike) -> DType:
    """The least dtype that both can be promoted to, by JAX's lattice."""
    return canonical(dtypes.promote_types(as_dtype(a), as_dtype(b))[0])


def can_cast(from_: Any, to: DTypeLike, casting: str = "safe") -> bool:
    """Whether a cast is allowed by a rule: "no", "equiv", "safe" (no value is lost), "same_kind" or "unsafe"."""
    source, target = (as_dtype(x.dtype if isinstance(x, Array) else x) for x in (from_, to))
    order = "buifc"
    if casting == "unsafe" or source is target:
        return True
    if casting in ("no", "equiv"):
        return False
    if casting == "same_kind":
        return order.index(source.kind) <= order.index(target.kind)
    if source.kind == "b":
        return True
    if source.kind == target.kind:
        return source.bits <= target.bits
    fits = {
        "ui": source.bits < target.bits,
        "uf": _exact(target) >= source.bits,
        "if": _exact(target) >= source.bits - 1,
    }
    return fits.get(source.kind + target.kind, target.kind == "c" and can_cast(source, f"float{target.bits // 2}"))


def _exact(floating: DType) -> int:
    return {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}.get(floating.name, 0)


def dtype_of(x: Any) -> Any:
    """The dtype of an array; of a dtype itself."""
    return x if isinstance(x, (DType, ScalarType)) else getattr(x, "dtype", x)


class finfo:
    """The limits of a floating dtype; of a complex one, those of its parts."""

    def __init__(self, dtype: DTypeLike):
        self.dtype = found = as_dtype(dtype_of(dtype)).part
        if found.kind != "f":
            raise ValueError(f"data type {found} not inexact")
        self.bits = found.bits
        self.nmant = _exact(found) - 1
        self.nexp = found.bits - self.nmant - 1
        self.maxexp = 1 << (self.nexp - 1)
        self.minexp = 2 - self.maxexp
        self.eps = 2.0**-self.nmant
        self.epsneg = self.eps / 2
        self.max = (2.0 - self.eps) * 2.0 ** (self.maxexp - 1)
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**self.minexp
        self.smallest_subnormal = self.tiny * self.eps

    def __repr__(self) -> str:
        return f"finfo(min={self.min}, max={self.max}, eps={self.eps}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer dtype."""

    def __init__(self, dtype: DTypeLike):
        self.dtype = found = as_dtype(dtype_of(dtype))
        if not found.is_integer:
            raise ValueError(f"Invalid integer data type {found.kind!r}.")
        self.bits, self.kind = found.bits, found.kind
        self.min = -(1 << (self.bits - 1)) if self.kind == "i" else 0
        self.max = (1 << (self.bits - (self.kind == "i"))) - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def astype(x: ArrayLike, dtype: DTypeLike | None, /, *, copy: bool = False, device: Any = None) -> Array:
    """The elements in another dtype, on a device (None: where they are)."""
    node, wanted = lift(x), canonical(float if dtype is None else dtype)
    if node.dtype.kind == "c" and wanted.kind == "b":  # as a conversion, only the real part would count
        found = wrap(ops.CompareOp.bind(node, literal(0, node), direction="ne"))
    else:
        if node.dtype.kind == "c" != wanted.kind:
            warn(
                "Casting from complex to real dtypes will soon raise a ValueError. Please first use jnp.real or jnp.imag to take the real/imaginary component of your input.",
                DeprecationWarning,
                stacklevel=outside(),
            )
            node = ops.RealOp.bind(node)
        found = wrap(convert(node, wanted))
    return found if device is None else put(found, get_device(device))
