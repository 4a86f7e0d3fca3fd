"""Operators and methods of arrays that are functions of `weft.numpy`. They are put in place when the first of them is used, so that importing weft loads no library, and calling one costs no detour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_BINARY = {
    "__add__": "add",
    "__sub__": "subtract",
    "__mul__": "multiply",
    "__truediv__": "true_divide",
    "__floordiv__": "floor_divide",
    "__mod__": "remainder",
    "__divmod__": "divmod",
    "__pow__": "power",
    "__matmul__": "matmul",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "__lshift__": "left_shift",
    "__rshift__": "right_shift",
} | dict(zip(("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"), _COMPARISONS, strict=True))
_SAME_NAME = """
    all any argmax argmin argpartition argsort choose clip conj conjugate copy cumprod cumsum diagonal dot max mean min nonzero prod ptp ravel repeat round searchsorted
    sort squeeze std sum swapaxes take trace var
""".split()  # noqa: SIM905
_METHODS = (
    _BINARY
    | {"__neg__": "negative", "__pos__": "positive", "__abs__": "abs", "__invert__": "bitwise_not"}
    | {name: name for name in _SAME_NAME}
)
_OWN = ("__round__", "astype", "byteswap", "compress", "flatten", "reshape", "transpose", "view")  # weft.numpy.methods
_PROPERTIES = {"T": "transpose", "mT": "matrix_transpose", "real": "real", "imag": "imag"}


def prepare(array: type) -> None:
    """Gives the class of arrays stubs, the first of which to be called installs the functions themselves."""
    reflected = (f"__r{name[2:]}" for name in _BINARY if _BINARY[name] not in _COMPARISONS)
    for name in (*_METHODS, *_OWN, *reflected):
        setattr(array, name, _stub(array, name))
    for name in _PROPERTIES:
        setattr(array, name, property(lambda self, name=name: (_install(array), getattr(self, name))[1]))


def _stub(array: type, name: str) -> Callable[..., Any]:
    def stub(self: Any, *args: Any, **kwargs: Any) -> Any:
        _install(array)
        return getattr(self, name)(*args, **kwargs)

    return stub


def _install(array: type) -> None:
    import weft.numpy as wnp
    from weft.numpy import methods

    for name, source in _METHODS.items():
        function = getattr(wnp, source)
        function = getattr(function, "_call", function)  # of a ufunc
        if name in _BINARY:
            setattr(array, name, _binary(array, function))
            if source not in _COMPARISONS:
                setattr(array, f"__r{name[2:]}", _binary(array, function, swapped=True))
        else:
            setattr(array, name, function)
    for name in _OWN:
        setattr(array, name, getattr(methods, name))
    for name, source in _PROPERTIES.items():
        setattr(array, name, property(getattr(wnp, source)))


def _binary(array: type, function: Callable[..., Any], swapped: bool = False) -> Callable[..., Any]:
    """An operator, which gives way to the other operand's if that is no array."""
    known = frozenset({array, bool, int, float, complex})

    def is_operand(x: Any) -> bool:
        return hasattr(x, "__array__") or isinstance(x, (array, int, float, complex, list))

    def forward(self: Any, other: Any) -> Any:
        if other.__class__ not in known and not is_operand(other):
            return NotImplemented
        return function(self, other)

    def backward(self: Any, other: Any) -> Any:
        if other.__class__ not in known and not is_operand(other):
            return NotImplemented
        return function(other, self)

    return backward if swapped else forward
