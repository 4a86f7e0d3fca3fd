"""What users hold: `Array`, a node with operators.

An Array is a thin handle. Everything that makes it comfortable (operators, methods, indexing) is `weft.numpy`, which is imported when the first of these is used. Everything
that makes it a value (reading it, its memory, its device) is here. There is no class of tracers: an array is traced if it depends on an argument that has no value, which
shows when its value is asked for.

`lift` makes a node of whatever a function accepts as an array, `wrap` an Array of a node.
"""

from __future__ import annotations

from array import array as PackedArray
from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from weft import eager, errors
from weft.config import config
from weft.devices import Device, current_device, get_device
from weft.dialects import dtypes
from weft.dialects.array.node import STATE, Aval, Node, aval, leaf
from weft.dialects.array.op import literal
from weft.dialects.dtypes import DType, float0
from weft.host import canonical, from_host, nest, pack, unpack
from weft.operators import prepare


class Array:
    """An n-dimensional array on a device, or one that is traced. Made by `weft.numpy`, not by this class."""

    __slots__ = ("__weakref__", "_node")
    __array_priority__ = 100  # NumPy's arrays leave binary operators to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, node: Node):
        self._node = node
        node.holders += 1

    def __del__(self) -> None:
        self._node.holders -= 1

    if TYPE_CHECKING:  # installed by `_install`
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = (
            __rpow__
        ) = __matmul__ = __rmatmul__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __and__ = __rand__ = (
            __or__
        ) = __ror__ = __xor__ = __rxor__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __lt__ = __le__ = (
            __gt__
        ) = __ge__ = lambda self, other: self

        def __neg__(self) -> Array: ...
        def __invert__(self) -> Array: ...
        def __getattr__(self, name: str) -> Any: ...

    # -- what is known of it

    @property
    def aval(self) -> Aval:
        """Shape, dtype and weakness."""
        return self._node.aval

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""
        return self._node.aval.shape

    @property
    def dtype(self) -> DType:
        """The type of its elements."""
        return self._node.aval.dtype

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self._node.aval.shape)

    @property
    def size(self) -> int:
        """The number of its elements."""
        return self._node.aval.size

    @property
    def nbytes(self) -> int:
        """The bytes that its elements take."""
        return self._node.aval.nbytes

    @property
    def itemsize(self) -> int:
        """The bytes that one element takes."""
        return self._node.aval.dtype.itemsize

    @property
    def weak_type(self) -> bool:
        """Whether its dtype gives way to others, as that of a Python scalar does."""
        return self._node.aval.weak_type

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    # -- where it is

    @property
    def device(self) -> Device:
        """The device that holds it, or will."""
        node = self._node
        place = node.device or getattr(node.value, "device", None)
        return current_device() if place is None else get_device(place)

    def devices(self) -> set[Device]:
        """Its device, as a set."""
        return {self.device}

    def to_device(self, device: str, *, stream: None = None) -> Array:
        """The array on a device: itself, if it is there already. `stream` belongs to the array API standard; there is none here."""
        if stream is not None:
            raise NotImplementedError("to_device: devices have no streams that can be chosen; stream must be None")
        return put(self, get_device(device))

    to = to_device

    def copy_to_host_async(self) -> None:
        """Starts computing it, if that has not happened yet."""
        eager.value(self._node)

    def is_ready(self) -> bool:
        """Whether it has been computed."""
        return self._node.value is not None

    def on_device_size_in_bytes(self) -> int:
        """The bytes that its elements take."""
        return self.nbytes

    def block_until_ready(self) -> Array:
        """Computes it, if that has not happened yet, and waits until it is there. Gives itself."""
        node = self._node
        get_device(eager.value(node).device).backend.finish()
        if config.debug_values:
            eager.check_values(node)
        return self

    @property
    def is_fully_addressable(self) -> bool:
        """True: there is one process."""
        return True

    def is_deleted(self) -> bool:
        """Whether its memory was given back: by `delete`, or because it was donated."""
        return getattr(self._node.value, "is_deleted", False)

    def delete(self) -> None:
        """Gives its memory back now. Using it afterwards raises RuntimeError."""
        eager.flush()  # what waits may need it
        node = self._node
        node.value = eager.value(node)
        if not node.value.is_deleted:
            node.value.delete()

    # -- its value

    def _bytes(self, what: str, kind: type[errors.JAXTypeError]) -> memoryview:
        node = self._node
        if node.mark:
            eager.refuse_differentiated(node, what, kind)
        return eager.host_bytes(eager.value(node, what, kind), node.aval)

    def _scalar(self, what: str, kind: type[errors.JAXTypeError]) -> Any:
        node = self._node
        value = node.value
        if value.__class__ in _avals:  # a Python scalar, which may have more digits than the dtype
            return unpack(memoryview(pack(value, node.dtype)), node.aval)[0]
        return unpack(eager.host_bytes(eager.value(node, what, kind), node.aval), node.aval)[0]

    def item(self, *index: int) -> Any:
        """The element (of an array of one) or the one at an index, as a Python scalar."""
        if index:
            shape, at = self.shape, index[0] if isinstance(index[0], tuple) else index
            if len(at) == 1 and len(shape) != 1:
                shape = (self.size,)
            if len(at) != len(shape):
                raise ValueError(f"incorrect number of indices for array: got {at} for shape {shape}")
            for k, (i, n) in enumerate(zip(at, shape, strict=True)):
                if not -n <= i < n:
                    raise IndexError(f"index {i} is out of bounds for axis {k} with size {n}")
            return self.reshape(shape)[tuple(at)].item()
        if self.size != 1:
            raise ValueError(f"can only convert an array of size 1 to a Python scalar, got {self.aval}")
        return self._scalar("item()", errors.ConcretizationTypeError)

    def tolist(self) -> Any:
        """Nested lists of Python scalars."""
        return nest(unpack(self._bytes("tolist()", errors.ConcretizationTypeError), self.aval), self.shape)

    def _number(self, kind: str) -> Any:
        """The element, for a conversion by Python. Raises TypeError for an array with axes, ConcretizationTypeError if its value is not known or its derivative would be lost."""
        if self.shape:
            raise TypeError(f"Only scalar arrays can be converted to Python scalars; got {self.aval}")
        what = f"Attempted conversion to {kind}"
        if kind != "int" and self._node.mark:  # an integer has no derivative to lose
            eager.refuse_differentiated(self._node, what, errors.ConcretizationTypeError)
        return self._scalar(what, errors.ConcretizationTypeError)

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __index__(self) -> int:
        if self.shape or not self.dtype.is_integer:
            raise TypeError(f"Only integer scalar arrays can be converted to a scalar index; got {self.aval}")
        return self._scalar("Attempted use as an integer index", errors.TracerIntegerConversionError)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"The truth value of an array with {'more than one element' if self.size else 'no elements'} is ambiguous. "
                "Use a.any() or a.all()"
            )
        return bool(self._scalar("Attempted boolean conversion", errors.TracerBoolConversionError))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        what, kind = "Attempted conversion to a NumPy array", errors.TracerArrayConversionError
        if self._node.mark:
            eager.refuse_differentiated(self._node, what, kind)
        array = self._on_host(what, kind)
        if dtype is not None and dtype != array.dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def _on_host(self, what: str, kind: type[errors.JAXTypeError]) -> Any:
        import numpy as np

        if self.dtype is float0:
            return np.zeros(self.shape, float0.dtype)
        data = eager.host_bytes(eager.value(self._node, what, kind), self.aval)
        array = np.frombuffer(data, self.dtype.dtype).reshape(self.shape)
        array.flags.writeable = False
        return array

    def tobytes(self, order: str = "C") -> bytes:
        """The bytes of its elements, in row-major order ("C") or column-major order ("F")."""
        return self.__array__().tobytes(order)

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self.__array__())

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        from weft.dlpack import capsule

        return capsule(self, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[Enum, int]:
        from weft.dlpack import DLDeviceType

        return (DLDeviceType.kDLCPU, 0)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """`weft.numpy`, a namespace of the array API standard. Raises ValueError for a version of the standard that it does not follow."""
        import weft.numpy

        if api_version not in (None, *weft.numpy.ARRAY_API_VERSIONS):
            raise ValueError(
                f"{api_version=} is not available; available versions are: {', '.join(weft.numpy.ARRAY_API_VERSIONS)}"
            )
        return weft.numpy

    def __reduce__(self) -> Any:
        return (_unpickle, (self.__array__(copy=True), self.weak_type))

    def __copy__(self) -> Array:
        return wrap(self._node)

    def __deepcopy__(self, memo: Any) -> Array:
        from weft.numpy.creation import copy

        return copy(self)

    # -- as text

    def __repr__(self) -> str:
        if eager.is_traced(self._node):
            return f"Traced<{self.aval}>"
        weak = ", weak_type=True" if self.weak_type else ""
        return f"Array({self._elements()}, dtype={self.dtype}{weak})"

    def _elements(self) -> str:
        try:
            import numpy as np
        except ImportError:
            return str(self.tolist())
        array = self._on_host("Printing", errors.ConcretizationTypeError)
        return np.array2string(array, separator=", ", prefix="Array(") + (
            "" if array.size else f", shape={array.shape}"
        )

    def __str__(self) -> str:
        if eager.is_traced(self._node):
            return repr(self)
        try:
            return str(self._on_host("Printing", errors.ConcretizationTypeError))
        except ImportError:
            return str(self.tolist())

    def __format__(self, spec: str) -> str:
        if self.shape or eager.is_traced(self._node):
            if spec:
                raise TypeError(
                    f"unsupported format string {spec!r} for an array of type {self.aval}: only scalars that are known have one"
                )
            return str(self)
        return format(self.item(), spec)

    # -- elements

    def __getitem__(self, index: Any) -> Array:
        from weft.numpy.indexing import getitem

        return getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "Arrays are immutable and do not support item assignment. Instead of x[i] = y use x = x.at[i].set(y)."
        )

    @property
    def at(self) -> Any:
        """Updates as a new array: `x.at[i].set(y)`, `.add`, `.multiply`, `.min`, `.max`, `.get`."""
        from weft.numpy.indexing import At

        return At(self)

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, x: Any) -> bool:
        if self.ndim != 1:
            raise ValueError(f"Array.__contains__: search array must be one-dimensional, got arr.shape={self.shape}.")
        return bool((self == x).any())

    @property
    def flat(self) -> Any:
        """Refused: arrays never change, so there is nothing to assign to through it."""
        raise NotImplementedError("weft arrays do not implement the arr.flat property: consider arr.flatten() instead.")


prepare(Array)


# -- nodes from what users write, and back ------------------------------------------------------------------------------------------------

_WEAK: dict[type, Callable[[], Aval]] = {
    float: lambda: aval((), dtypes.float64 if config.enable_x64 else dtypes.float32, True),
    int: lambda: aval((), dtypes.int64 if config.enable_x64 else dtypes.int32, True),
    bool: lambda: aval((), dtypes.bool_),
    complex: lambda: aval((), dtypes.complex128 if config.enable_x64 else dtypes.complex64, True),
}


def lift(x: Any) -> Node:
    """The node of an array, a Python scalar (which is weak), a NumPy array or scalar. Raises TypeError for anything else, lists included."""
    if x.__class__ is Array:
        return x._node
    weak = _avals.get(x.__class__)
    if weak is not None:
        return scalar(x, weak.dtype, weak.weak_type)
    if isinstance(x, Array):
        return x._node
    if isinstance(x, (int, float, complex)) and not hasattr(x, "dtype"):  # an enum, say
        kind: Any = next(kind for kind in (bool, int, float, complex) if isinstance(x, kind))
        return lift(kind(x))
    if hasattr(x, "__array__") or isinstance(x, (memoryview, bytearray, PackedArray)):
        return from_host(x)
    raise TypeError(f"Value {x!r} with type {type(x)} is not a valid array type")


def aval_of(x: Any) -> Aval:
    """Shape, dtype and weakness of an array or a number; or what describes an array by a shape and a dtype (ShapeDtypeStruct), which is never weak. Raises TypeError for anything else."""
    if hasattr(x, "shape") and hasattr(x, "dtype") and not hasattr(x, "__array__"):
        return aval(x.shape, canonical(x.dtype))
    return lift(x).aval


def scalar(value: Any, dtype: DType, weak_type: bool = False) -> Node:
    """A Python scalar as a node of rank 0. It is an argument of the program that uses it, so that other values need no other program; a literal where one is traced.

    Raises OverflowError for an integer that the dtype cannot hold.
    """
    a = aval((), dtype, weak_type)
    if value.__class__ is int and dtype.kind in "iu":
        pack(value, dtype)
    if STATE.pending is None:
        return literal(value, a)
    return leaf(a, value)


def wrap(node: Node) -> Array:
    """The array that stands for a node."""
    array = Array(node)
    pending = STATE.pending
    if pending is not None and len(pending) > eager.GATHER:
        eager.gathered()
    return array


def put(x: Any, device: Device | None = None) -> Array:
    """`x` as an array on a device (None: where it is, or the default)."""
    node = lift(x)
    if device is None or node.device is device:
        return wrap(node)
    if node.value.__class__ in _avals:  # a Python scalar
        return wrap(leaf(node.aval, device.backend.put(pack(node.value, node.dtype), node.aval), device=device))
    if eager.is_traced(node) or eager.mark_of((node,)):
        if node.device is None:
            return wrap(node)
        raise NotImplementedError(
            f"moving a traced array from device '{node.device}' to '{device}'; move arguments before the transform"
        )
    node.value = eager.value(node)
    return wrap(leaf(node.aval, eager.upload(node, device), device=device))


def _unpickle(data: Any, weak_type: bool) -> Array:
    node = from_host(data)
    return Array(leaf(aval(node.shape, node.dtype, weak_type), node.value, device=node.device))


_avals: dict[type, Aval] = {}


def _refresh() -> None:
    """What Python scalars become depends on `enable_x64`."""
    _avals.update({kind: make() for kind, make in _WEAK.items()})


_refresh()
config.on_change(_refresh)
