"""The errors of tracing, by JAX's names, and the words they share.

A value is *traced* if it depends on an argument that has no value yet: inside `jit`, `vmap`, and the linear part of a derivative. Asking such a value for a number fails,
and the message names the user's line where the value was made and the function that is being traced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weft.dialects.array.node import Location, Node, describe


class JAXTypeError(TypeError):
    """What JAX's own errors of type have in common."""


class JAXIndexError(IndexError):
    """What JAX's own errors of indices have in common."""


JaxRuntimeError = RuntimeError
"""What goes wrong on a device: weft raises RuntimeError itself."""


class ConcretizationTypeError(JAXTypeError):
    """A number was needed where there is only a traced value."""


class TracerArrayConversionError(JAXTypeError):
    """NumPy (or another library) asked a traced value for its elements."""


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced value decides a branch: `if`, `while`, `and`, `or`, `not`, `assert`."""


class TracerIntegerConversionError(JAXTypeError):
    """A traced value was used as an integer of Python: an index of a list, the bound of a `range`, a shape."""


class NonConcreteBooleanIndexError(JAXIndexError):
    """A traced boolean index: the shape of the result would depend on a value."""


class TypePromotionError(ValueError):
    """Arrays of different dtypes meet under `numpy_dtype_promotion="strict"`."""


class UnexpectedTracerError(JAXTypeError):
    """A traced value outlived the function that it was traced in: it leaked through a global, an attribute or a closure."""


_ADVICE: dict[type[JAXTypeError], str] = {
    ConcretizationTypeError: "Make the argument static (static_argnums, static_argnames), or compute with arrays instead of Python numbers.",
    TracerArrayConversionError: "Use weft.numpy instead of NumPy inside the function.",
    TracerBoolConversionError: "Use weft.numpy.where or lax.select, or make the argument static (static_argnums, static_argnames).",
    TracerIntegerConversionError: "Make the argument static (static_argnums, static_argnames), or index with weft.numpy.",
}


def place(loc: Location | None) -> str:
    """A location as `file:line`, with the line's text if the file can be read."""
    if not isinstance(loc, tuple):
        return "an unknown place" if loc is None else str(loc)
    file, line, _ = describe(loc)
    try:
        text = Path(file).read_text().splitlines()[line - 1].strip()
    except (OSError, IndexError, UnicodeDecodeError):
        return f"{file}:{line}"
    return f"{file}:{line}\n    {text}"


def concretization(kind: type[JAXTypeError], what: str, node: Node, source: Node) -> JAXTypeError:
    """The error for `what` being asked of a node that depends on the argument `source`."""
    return kind(
        f"{what} of a traced array with shape {node.aval}. The value was made at {place(node.loc)}\n"
        f"It has no concrete value, because it depends on {_argument(source)}.\n{_ADVICE[kind]}"
    )


def differentiated(kind: type[JAXTypeError], what: str, node: Node) -> JAXTypeError:
    """The error for `what` being asked of a node that a derivative is being taken of: what is computed from a Python number would be a constant to it."""
    return kind(
        f"{what} of an array with shape {node.aval} that is being differentiated. The value was made at {place(node.loc)}\n"
        "What is computed from a Python number or a NumPy array counts as a constant, and its derivative is lost. "
        "Compute with weft.numpy instead, or take lax.stop_gradient(x) first if a constant is what you want."
    )


def leaked(node: Node, source: Node) -> UnexpectedTracerError:
    """The error for a node that depends on the argument `source` of a function that is over."""
    return UnexpectedTracerError(
        f"Encountered an unexpected tracer: an array with shape {node.aval}, made at {place(node.loc)}\n"
        f"has escaped: it depends on {_argument(source)}, whose trace is over. "
        "The function leaked it through a side effect (a global, an attribute, a list); return it instead."
    )


def _argument(source: Node) -> str:
    origin: Any = source.params.get("argument")
    return str(origin()) if callable(origin) else f"an argument that was traced at {place(source.loc)}"


def describe_function(fun: Any) -> str:
    """A function as `name at file:line`."""
    name = getattr(fun, "__name__", None) or type(fun).__name__
    code = getattr(fun, "__code__", None)
    return f"{name} at {code.co_filename}:{code.co_firstlineno}" if code is not None else name
