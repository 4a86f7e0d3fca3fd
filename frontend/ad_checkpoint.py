"""What `checkpoint` keeps: policies, names for values that policies speak of, and a list of what a derivative keeps in all.

A policy is asked for each value of the function, with the class of its operation, the shapes and dtypes of the operands, and the operation's parameters by name. (JAX hands
primitives where weft hands classes; those that are made here do not differ.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.array import Array, lift, wrap
from weft.custom import checkpoint
from weft.dialects.array.checkpoint import Named, Policy
from weft.tree_util import tree_map

__all__ = [
    "checkpoint", "checkpoint_name", "checkpoint_policies", "print_saved_residuals", "remat", "saved_residuals",
]  # fmt: skip

remat = checkpoint


def checkpoint_name(x: Any, name: str) -> Any:
    """The arrays of a pytree under a name, for `save_only_these_names` and its kin."""
    return tree_map(lambda leaf: wrap(Named.bind(lift(leaf), name=name)), x)


def _name(op: Any, params: dict[str, Any]) -> str | None:
    return params["name"] if op is Named else None


class checkpoint_policies:
    """Which values `checkpoint(policy=…)` keeps: some as they are, some made by a function of names."""

    @staticmethod
    def everything_saveable(op: Any, *avals: Any, **params: Any) -> bool:
        """All: as without `checkpoint`."""
        return True

    @staticmethod
    def nothing_saveable(op: Any, *avals: Any, **params: Any) -> bool:
        """None: as without a policy."""
        return False

    @staticmethod
    def dots_saveable(op: Any, *avals: Any, **params: Any) -> bool:
        """Results of contractions and convolutions, which cost most."""
        return op.name in ("array.dot", "array.conv")

    checkpoint_dots = dots_saveable

    @staticmethod
    def dots_with_no_batch_dims_saveable(op: Any, *avals: Any, **params: Any) -> bool:
        """Results of contractions without batch axes: of weights, mostly, and not of attention."""
        return op.name == "array.dot" and not params["batch"][0]

    checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable

    @staticmethod
    def save_only_these_names(*names: str) -> Policy:
        """Values with one of these names, and no others."""
        chosen = frozenset(names)
        return lambda op, *avals, **params: _name(op, params) in chosen

    @staticmethod
    def save_any_names_but_these(*names: str) -> Policy:
        """Values with a name, except these."""
        refused = frozenset(names)
        return lambda op, *avals, **params: op is Named and params["name"] not in refused

    @staticmethod
    def save_anything_except_these_names(*names: str) -> Policy:
        """All values, except those with one of these names."""
        refused = frozenset(names)
        return lambda op, *avals, **params: _name(op, params) not in refused

    @staticmethod
    def save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
        """What either keeps."""
        return lambda op, *avals, **params: policy_1(op, *avals, **params) or policy_2(op, *avals, **params)


def saved_residuals(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Array]:
    """What the reverse derivative of `fun(*args, **kwargs)` keeps from the computation of its value."""
    from weft.autodiff import vjp

    _, pull_back = vjp(lambda *args: fun(*args, **kwargs), *args)
    return list(pull_back.residuals)


def print_saved_residuals(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Prints the shapes of what the reverse derivative keeps, and where each comes from."""
    from weft.errors import place

    for array in saved_residuals(fun, *args, **kwargs):
        print(f"{array.aval} from {place(array._node.loc).partition(chr(10))[0]}")
