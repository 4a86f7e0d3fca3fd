"""`checkify`: errors while a program runs, as a further result of the function.

`check` states what must hold. It is a call for its effect (dialects/array/effects.py), so it is found in loops and branches and under every transform; `checkify` traces a function and takes the checks
out of its graph (discharge.py), with further ones for NaN, division by zero and indices if they are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft import eager
from weft import numpy as jnp
from weft.array import Array, lift, wrap
from weft.custom import traced
from weft.dialects.array.effects import TOKEN, advance, current
from weft.dialects.array.node import STATE, Node, make, results, staging
from weft.dialects.array.op import batch_front, literal
from weft.dialects.dtypes import bool_, int32
from weft.experimental.errors import (
    BatchedError,
    DivisionByZeroError,
    Error,
    FailedCheckError,
    JaxException,
    JaxRuntimeError,
    Kind,
    NaNError,
    OOBError,
    Site,
    State,
    new_site,
    nodes,
    packed,
    types,
    unpacked,
)
from weft.function import OnNodes, check_callable
from weft.tree_util import tree_flatten

__all__ = [
    "BatchedError", "DivisionByZeroError", "Error", "ErrorCategory", "FailedCheckError", "JaxException", "JaxRuntimeError", "NaNError", "OOBError", "all_checks",
    "automatic_checks", "check", "check_error", "checkify", "debug_check", "div_checks", "float_checks", "index_checks", "init_error", "nan_checks", "user_checks",
]  # fmt: skip

ErrorCategory = type[JaxException]
init_error = Error({}, ())
"""No error."""

user_checks = frozenset({FailedCheckError})
nan_checks = frozenset({NaNError})
index_checks = frozenset({OOBError})
div_checks = frozenset({DivisionByZeroError})
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks


class CheckCall:
    """An error that may have happened. Inputs: the values of its `kinds`, and a token; the result is a token. `debug`: it means something under `checkify` only."""

    name = "check"
    NOT_DIFFERENTIABLE = True

    @classmethod
    def bind(cls, *inputs: Node, kinds: tuple[Kind, ...], sites: tuple[Site, ...], debug: bool) -> tuple[Node, ...]:
        now = STATE.pending is not None and current().value is not None
        if now and not any(eager.is_traced(n) for n in inputs):
            found = None if debug else cls.error(inputs, kinds, sites).get_exception()
            if found is not None:
                raise JaxRuntimeError(str(found)) from found
            return (inputs[-1],)
        return results(make(cls, inputs, {"kinds": kinds, "sites": sites, "debug": debug}, (TOKEN,)))

    @staticmethod
    def error(inputs: Sequence[Node], kinds: Sequence[Kind], sites: tuple[Site, ...]) -> Error:
        """What the inputs say."""
        return Error(unpacked(kinds, [wrap(n) for n in inputs[:-1]]), sites)

    @classmethod
    def batch(cls, size: int, args: Sequence[Node], dims: Sequence[int | None], *, kinds: Any, **params: Any) -> Any:
        """Of the examples that failed, the last one is told."""
        *values, token = args
        given = [wrap(a if d is None else batch_front(size, a, d)) for a, d in zip(values, dims, strict=False)]
        if dims[-1] is not None:  # of a loop that examples leave one by one
            token = wrap(token).any()._node
        return cls.bind(*_values(unpacked(kinds, given)), token, kinds=kinds, **params), [None]

    @classmethod
    def decompose(cls, *inputs: Node, debug: bool, **params: Any) -> tuple[Node, ...]:
        """What it is in a program that nobody checkified. Raises ValueError, unless it is for debugging."""
        if debug:
            return (inputs[-1],)
        raise ValueError(
            "Cannot abstractly evaluate a checkify.check which was not functionalized. This probably means you tried to stage (jit/scan/...) a `check` without "
            "functionalizing it through `checkify.checkify`."
        )


def _values(states: dict[Kind, State]) -> list[Node]:
    """The values of an error; where there is one for each of several examples, those of the last one that failed."""
    return nodes({k: _last(s, k) for k, s in states.items()}, tuple(states))


def _last(state: State, kind: Kind) -> State:
    where = jnp.argsort(state.happened)[-1] if state.happened.ndim else 0
    ranks = [len(shape) for shape, _ in types(kind)]
    return packed([x[where] if x.ndim > rank else x for x, rank in zip(state.arrays, ranks, strict=True)])


def checkify(
    f: Callable[..., Any], errors: frozenset[type[JaxException]] = user_checks
) -> Callable[..., tuple[Error, Any]]:
    """A function that gives `(error, f(*args, **kwargs))`: `error` says which of the checks failed first.

    `errors` says what is checked: `check`s of the user's (`user_checks`), whether an operation makes a NaN (`nan_checks`), divides by zero (`div_checks`), reads or writes out of
    bounds (`index_checks`), or unions of these.
    """
    check_callable(f, "checkify")

    def checked(*args: Any, **kwargs: Any) -> tuple[Error, Any]:
        from weft.experimental.discharge import Discharge

        leaves, tree = tree_flatten((args, kwargs))
        run = OnNodes(lambda args, kwargs: f(*args, **kwargs), tree)
        given = [lift(x) for x in leaves]
        with staging():  # whatever it calls is part of what is traced
            graph, captures = traced(run, given)
        walk = Discharge(frozenset(errors))
        states: dict[Kind, State] = {}
        outs = walk.run(graph, [*given, *captures], states)
        count = run.out_tree.num_leaves
        if walk.calls and len(outs) > count:
            advance(outs[count])
        return Error(states, tuple(walk.sites)), run.out_tree.unflatten([wrap(n) for n in outs[:count]])

    return checked


def check(pred: Any, msg: str, *fmt_args: Any, debug: bool = False, **fmt_kwargs: Any) -> None:
    """States that `pred`, a scalar of type bool, holds. If it does not, the error's message is `msg.format(*fmt_args, **fmt_kwargs)`, whose arguments are pytrees of arrays.

    In a function that is compiled or in a loop it needs `checkify` around: it raises ValueError there otherwise. Elsewhere it raises JaxRuntimeError at once. With `debug`, it
    means something under `checkify` only.
    """
    name = "debug_check" if debug else "check"
    if not (isinstance(pred, bool) or (isinstance(pred, Array) and not pred.shape and pred.dtype == bool_)):
        raise TypeError(f"{name} takes a scalar pred as argument, got {pred}")
    leaves, tree = tree_flatten((fmt_args, fmt_kwargs))
    for x in leaves:
        if not (isinstance(x, Array) or hasattr(x, "__array_interface__")):
            raise TypeError(
                f"Formatting arguments to checkify.check need to be PyTrees of arrays, but got {x!r} of type {type(x)}."
            )
    payload = [lift(x) for x in leaves]

    def words(values: Sequence[Array]) -> str:
        args, kwargs = tree.unflatten(values)
        return msg.format(*args, **kwargs) + " (`check` failed)"

    kind = Kind(FailedCheckError, tuple([n.aval for n in payload]))
    site = new_site(kind, words)
    state = State(~jnp.asarray(pred, bool_), wrap(literal(site.code, int32)), tuple([wrap(n) for n in payload]))
    _bind(Error({kind: state}, (site,)), debug)


def debug_check(pred: Any, msg: str, *fmt_args: Any, **fmt_kwargs: Any) -> None:
    """A `check` that means something under `checkify` only."""
    check(pred, msg, *fmt_args, debug=True, **fmt_kwargs)


def check_error(error: Error) -> None:
    """States that no error happened: the reverse of `checkify`. Raises TypeError for what is no Error."""
    if not isinstance(error, Error):
        raise TypeError(f"check_error takes an Error as argument, got type {type(error)} instead.")
    _bind(error, False)


def _bind(error: Error, debug: bool) -> None:
    kinds = tuple(error._states)
    if kinds:
        token = current()
        (after,) = CheckCall.bind(*_values(error._states), token, kinds=kinds, sites=error._sites, debug=debug)
        if after is not token:
            advance(after)
