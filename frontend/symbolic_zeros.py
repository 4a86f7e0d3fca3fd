"""Tangents and cotangents that are known to be zero, as rules of derivatives see them if they ask for it (`symbolic_zeros=True`)."""

from __future__ import annotations

from typing import Any

from weft.array import lift, wrap
from weft.dialects.array.node import Aval, Node
from weft.dialects.array.op import zero_tangent
from weft.tree_util import tree_map


class SymbolicZero:
    """A zero of a shape and dtype that nobody has to compute with: it has no arithmetic."""

    def __init__(self, aval: Any):
        self.aval: Aval = getattr(aval, "aval", aval)

    def __repr__(self) -> str:
        return "SymbolicZero"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.aval, name)

    @staticmethod
    def from_primal_value(val: Any) -> SymbolicZero:
        """The zero tangent of a value: of dtype float0, if it is an integer."""
        return SymbolicZero(zero_tangent(lift(val)).aval)


class CustomVJPPrimal:
    """An argument of a `fwd` rule: its `value`, and whether derivatives with respect to it are wanted (`perturbed`)."""

    def __init__(self, value: Any, perturbed: bool):
        self.value, self.perturbed = value, perturbed

    def __repr__(self) -> str:
        return f"CustomVJPPrimal(value={self.value!r}, perturbed={self.perturbed})"


def custom_vjp_primal_tree_values(tree: Any) -> Any:
    """The values in a tree of `CustomVJPPrimal`. Raises TypeError for another leaf."""

    def value_of(leaf: Any) -> Any:
        if type(leaf) is not CustomVJPPrimal:
            raise TypeError(f"unexpected leaf of type {type(leaf)}")
        return leaf.value

    return tree_map(value_of, tree)


def zero_from_primal(val: Any, symbolic_zeros: bool = False) -> Any:
    """The zero tangent of a value, an array or symbolic."""
    zero = zero_tangent(lift(val))
    return SymbolicZero(zero.aval) if symbolic_zeros else wrap(zero)


def shown(n: Node | None, like: Any, symbolic: bool) -> Any:
    """A tangent or cotangent as a rule sees it. `like`: what it belongs to, a node or an aval."""
    if n is not None:
        return wrap(n)
    zero = zero_tangent(like)
    return SymbolicZero(zero.aval) if symbolic else wrap(zero)


def hidden(x: Any) -> Any:
    """What a rule gave: None for a symbolic zero."""
    return None if isinstance(x, SymbolicZero) else x
