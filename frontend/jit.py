"""`jit`: trace once, compile once, then call a program.

A call looks at its arguments' structure, avals and device; what it has seen before runs at once. Python scalars are arguments like any other: their type is part of the key,
their value is not. A new key is traced: the function runs on leaves without values, and the nodes that it leaves behind are the graph. What the function captured (arrays of
enclosing scopes) becomes a further argument.

Under a transform that depends on the arguments, and while another function is traced, nothing is dispatched: the graph is inlined into what is being traced.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from inspect import Parameter, signature
from types import MethodType
from typing import Any

from weft import eager
from weft.array import Array, lift, put, wrap
from weft.backends.base import Executable
from weft.config import config
from weft.devices import Device, current_device, default_device, get_device
from weft.dialects.array.effects import PLACES, TOKEN, Chain, current, handed_on
from weft.dialects.array.graph import Graph, close, inline
from weft.dialects.array.node import (
    STATE,
    IdentityOp,
    Node,
    computed,
    keep_location,
    leaf,
    mark_of,
    staging,
    transform,
)
from weft.errors import describe_function
from weft.function import OnNodes, ShapeDtypeStruct, check_callable, parameter_names
from weft.host import outside
from weft.programs import program
from weft.stages import Lowered, Traced
from weft.tree_util import PyTreeDef, tree_flatten, tree_leaves_with_path, tree_map
from weft.vmap import argument_name

Names = str | Sequence[str] | None
Numbers = int | Sequence[int] | None
_ABSENT: Any = object()


def jit(
    fun: Any = _ABSENT,
    *,
    static_argnums: Numbers = None,
    static_argnames: Names = None,
    donate_argnums: Numbers = None,
    donate_argnames: Names = None,
    keep_unused: bool = False,
    device: str | None = None,
    backend: str | None = None,
    inline: bool = False,
) -> Any:
    """`fun`, compiled for each combination of shapes, dtypes and structures that it is called with.

    static_*: arguments that are Python values to the function, and hashable: each value has a program of its own.
    donate_*: arguments that the caller will not use again: results may take their memory.
    device, backend: where the arguments go first, and the function runs; they name a device.
    keep_unused, inline: without effect: arguments that a program does not use are never handed to it, and a `jit` within another is part of it.
    A decorator with options is `@partial(jit, …)` or `@jit(…)`. `.lower(*args)` shows the stages of the compilation.
    """
    if fun is _ABSENT:
        return partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            donate_argnames=donate_argnames,
            device=device,
            backend=backend,
        )
    check_callable(fun, "jit")
    static = _Arguments(fun, "static", static_argnums, static_argnames)
    donate = _Arguments(fun, "donate", donate_argnums, donate_argnames)
    if both := static.names & donate.names or static.numbers & donate.numbers:
        raise ValueError(f"jit: static and donated arguments cannot intersect, got {sorted(both, key=str)} as both")
    if device is None and backend is None:
        return Jit(fun, static, donate)
    warnings.warn(
        "backend and device argument on jit is deprecated: put the inputs there by `device_put` instead.",
        DeprecationWarning,
        stacklevel=outside(),
    )
    if device is not None and backend is not None:
        raise ValueError(f"can't specify both a device and a backend for jit, got {device!r} and {backend!r}")
    return _JitOn(fun, static, donate, get_device(device or backend))  # type: ignore[arg-type]


def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of `fun(*args, **kwargs)`, of which nothing is computed. Arguments may be ShapeDtypeStructs."""
    return jit(fun).eval_shape(*args, **kwargs)


def make_jaxpr(
    fun: Callable[..., Any], static_argnums: Numbers = (), axis_env: Any = None, return_shape: bool = False
) -> Callable[..., Any]:
    """A function that gives `fun`'s program for its arguments, as weft has it: printing it shows the array IR. With `return_shape`, and the shapes of the results."""
    compiled = jit(fun, static_argnums=static_argnums)

    def make(*args: Any, **kwargs: Any) -> Any:
        lowered = compiled.lower(*args, **kwargs)
        return (lowered, compiled.eval_shape(*args, **kwargs)) if return_shape else lowered

    return make


class _Arguments:
    """Some of a function's arguments, named by number, by name, or both: the signature tells one from the other."""

    def __init__(self, fun: Callable[..., Any], what: str, numbers: Numbers, names: Names):
        parameters = parameter_names(fun)
        given = (numbers,) if isinstance(numbers, int) else tuple(numbers or ())
        self.names = {names} if isinstance(names, str) else set(names or ())
        for name, values, kind in ((f"{what}_argnums", given, int), (f"{what}_argnames", self.names, str)):
            if not all(isinstance(v, kind) for v in values):
                raise TypeError(f"jit: {name} must be of type {kind.__name__} or a sequence of it, got {values!r}")
        self._check(fun, what, given)
        self.numbers = {n % len(parameters) if n < 0 and parameters else n for n in given}
        if numbers is None:
            self.numbers |= {i for i, name in enumerate(parameters) if name in self.names}
        if names is None:
            self.names |= {name for i, name in enumerate(parameters) if i in self.numbers}

    def _check(self, fun: Callable[..., Any], what: str, numbers: Sequence[int]) -> None:
        """Raises ValueError for arguments that the function does not have, as far as its signature tells."""
        try:
            parameters = signature(fun).parameters.values()
        except (TypeError, ValueError):
            return
        kinds = {p.kind for p in parameters}
        count = len(parameter_names(fun))
        if Parameter.VAR_POSITIONAL not in kinds and any(not -count <= n < count for n in numbers):
            raise ValueError(
                f"jit: {describe_function(fun)} has {what}_argnums={tuple(numbers)}, but only accepts {count} positional arguments."
            )
        unknown = self.names - {p.name for p in parameters if p.kind is not Parameter.POSITIONAL_ONLY}
        if Parameter.VAR_KEYWORD not in kinds and unknown:
            raise ValueError(
                f"jit: {describe_function(fun)} has invalid argnames {sorted(unknown)} in {what}_argnames: it does not take these arguments."
            )

    def __bool__(self) -> bool:
        return bool(self.numbers or self.names)


class Program:
    """A traced function: its graph, what it captured, where its results come from; and its executable, once it is called."""

    __slots__ = (
        "arguments",
        "avals",
        "body",
        "buffers",
        "captures",
        "device",
        "donate",
        "effects",
        "executable",
        "graph",
        "out_tree",
        "plan",
        "traced",
    )

    def __init__(
        self, graph: Graph, count: int, out_tree: PyTreeDef, donated: set[int], device: Device | None, effects: Chain
    ):
        self.graph, self.out_tree, self.effects = graph, out_tree, effects
        self.avals = graph.out_avals[: out_tree.num_leaves]
        """Of the results; behind them the graph may have a token, which nobody reads."""
        self.captures = graph.ins[count:]
        self.traced = bool(mark_of(self.captures))
        """Whether something was captured from a transform that lives: the graph is good for nothing else then."""
        number = {n: i for i, n in enumerate(graph.ins)}
        roots = [_root(o, number) for o in graph.outs]
        made = list(dict.fromkeys(r for r in roots if r not in number))
        self.plan = [~number[r] if r in number else made.index(r) for r in roots]
        """For each output the number of the executable's result, or the complement of the number of the input that it is."""
        needed = {i for n in graph.nodes for i in n.inputs} | {r for r in roots if r not in number}
        needed = {_root(n, number) for n in needed}
        self.arguments = [i for i in range(count) if graph.ins[i] in needed]
        self.donate = [i for i in sorted(donated) if ~i not in self.plan]
        self.body = Graph([*(graph.ins[i] for i in self.arguments), *self.captures], made)
        self.device = _one_device((*self.captures, *made), device)
        self.executable: Executable | None = None
        self.buffers: list[Any] = []

    def compile(self, device: Device) -> None:
        """Makes the executable; there is nothing to do if all results are inputs."""
        if self.executable is None and self.body.outs:
            self.buffers = [eager.upload(n, device) for n in map(_computed, self.captures)]
            donate = tuple(self.arguments.index(i) for i in self.donate if i in self.arguments)
            self._warn_of_donation()
            self.executable = program(self.body, device, donate)

    def run(self, nodes: Sequence[Node], device: Device, committed: Device | None) -> list[Array]:
        """The results for arguments that have values, computed on a device; they are committed to it if an argument is."""
        if self.donate:
            self._check_donation(nodes)
        buffers = []
        for i in self.arguments:
            n = nodes[i]
            value = n.value
            if value is None:
                value = eager.value(n)
            elsewhere = value.__class__ in eager.SCALARS or value.device != device
            buffers.append(eager.upload(n, device) if elsewhere else value)
        results: list[Any] = []
        if self.body.outs:
            if self.executable is None:
                self.compile(device)
            results = self.executable(buffers + self.buffers)  # type: ignore[misc]
        for i in self.donate:
            if i not in self.arguments and (buffer := nodes[i].value) is not None and hasattr(buffer, "delete"):
                buffer.delete()
        inputs = (*nodes, *self.captures)
        outs = [
            Array(computed(a, results[k], committed)) if k >= 0 else wrap(inputs[~k])
            for k, a in zip(self.plan, self.avals, strict=False)
        ]
        if config.debug_values:
            from weft.blame import blame

            try:
                for out in outs:
                    eager.check_values(out._node)
            except FloatingPointError:
                blame(self.graph, inputs)
                raise
        return outs

    def inlined(self, nodes: Sequence[Node]) -> list[Array]:
        """The results for arguments of a trace. Calls for their effect follow those that were made before."""
        start = self.effects.start
        captures = [current() if n is start else n for n in self.captures]
        outs = inline(self.graph, (*nodes, *captures))
        return [wrap(n) for n in handed_on(outs, len(self.avals))]

    def _warn_of_donation(self) -> None:
        """Warns of donated arguments that are used, but have no result of their size that could take their place."""
        free = [*self.avals]
        useless = []
        for i in self.donate:
            a = self.graph.ins[i].aval
            fitting = next((o for o in free if o.nbytes == a.nbytes), None)
            if fitting is not None:
                free.remove(fitting)
            elif i in self.arguments:
                useless.append(f"{a.dtype}[{','.join(map(str, a.shape))}]")
        if useless:
            warnings.warn(f"Some donated buffers were not usable: {', '.join(useless)}.", stacklevel=outside())

    def _check_donation(self, nodes: Sequence[Node]) -> None:
        eager.flush()  # what waits may need the arguments
        donated = [nodes[i].value for i in self.donate]
        kept = [n.value for i, n in enumerate(nodes) if i not in self.donate]
        for k, buffer in enumerate(donated):
            if any(buffer is other for other in (*donated[:k], *kept, *self.buffers)) and hasattr(buffer, "delete"):
                raise ValueError(
                    "Attempt to donate the same buffer twice, or one that the call needs elsewhere: f(donate(a), a)."
                )


def _root(n: Node, stop: Any) -> Node:
    while n.op is IdentityOp and n not in stop:
        n = n.inputs[0]
    return n


def _computed(n: Node) -> Node:
    if n.value is None:
        eager.value(n)
    return n


def _one_device(nodes: Sequence[Node], device: Device | None) -> Device | None:
    """The device that all nodes agree on. Raises ValueError if there are two."""
    for n in nodes:
        if (place := n.device) is not None and place is not device:
            if device is not None:
                raise ValueError(
                    f"Received incompatible devices for jitted computation: arrays on '{device}' and {n.aval} on '{place}'. "
                    f"Move them to one, for example by x.to('{place}') or weft.device_put(x, '{place}')."
                )
            device = get_device(place)
    return device


class Jit:
    """A function under `jit`."""

    def __init__(self, fun: Callable[..., Any], static: _Arguments, donate: _Arguments):
        self._fun, self._static, self._donate = fun, static, donate
        self._programs: dict[Any, Program] = {}
        self._tree: PyTreeDef | None = None  # the structure of the last call: most likely that of the next
        update_wrapper(self, fun, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if config.disable_jit:
            return self._fun(*args, **kwargs)
        static = None
        if self._static:
            args, kwargs, static = self._split(args, kwargs)
        tree = self._tree
        leaves = tree.match((args, kwargs)) if tree is not None else None
        if leaves is None:
            leaves, tree = tree_flatten((args, kwargs))
            self._tree = tree
        nodes = [x._node if x.__class__ is Array else lift(x) for x in leaves]
        device = None
        for n in nodes:
            if (place := n.device) is not None and place is not device:
                device = _one_device(nodes, device)
                break
        key = (tree, tuple([n.aval for n in nodes]), device, current_device(), static, config.enable_x64)
        found = self._programs.get(key)
        if found is None:
            found = self._trace(nodes, tree, device, static)  # type: ignore[arg-type]
            if not found.traced:
                self._programs[key] = found
        if STATE.pending is None or found.traced or (STATE.live and mark_of(nodes)):
            return found.out_tree.unflatten(found.inlined(nodes))
        return found.out_tree.unflatten(found.run(nodes, found.device or current_device(), found.device))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<jit of {describe_function(self._fun)}>"

    def clear_cache(self) -> None:
        """Forgets all programs."""
        self._programs.clear()

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """What the function does with these arguments: arrays, or ShapeDtypeStructs."""
        static = None
        if self._static:
            args, kwargs, static = self._split(args, kwargs)
        leaves, tree = tree_flatten((args, kwargs))
        nodes = [leaf(x.aval) if isinstance(x, ShapeDtypeStruct) else _placeless(x) for x in leaves]
        device = _one_device(nodes, None)
        found = self._trace(nodes, tree, device, static)
        name = getattr(self._fun, "__name__", type(self._fun).__name__)
        return Traced(found, tree, [n.aval for n in nodes], found.device or current_device(), fun_name=name)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The program for these arguments (arrays, or ShapeDtypeStructs), to look at or to compile ahead of time."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes and dtypes of the results."""
        return self.trace(*args, **kwargs).out_info

    def _split(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """Dynamic arguments, and the static ones as a part of the key."""
        numbers, names = self._static.numbers, self._static.names
        static = tuple([(i, args[i]) for i in sorted(numbers) if i < len(args)])
        static += tuple([(k, kwargs[k]) for k in sorted(names & kwargs.keys())])
        for place, value in static:
            try:
                hash(value)
            except TypeError as error:
                raise ValueError(
                    f"Non-hashable static arguments are used in a jit-compiled function: argument {place} of {describe_function(self._fun)} is {value!r} "
                    f"of type {type(value)}. Static arguments must be hashable, and equal ones must have equal hashes."
                ) from error
        static = tuple([(place, type(value), value) for place, value in static])
        return (
            tuple([a for i, a in enumerate(args) if i not in numbers]),
            {k: v for k, v in kwargs.items() if k not in names},
            static,
        )

    def _trace(self, nodes: Sequence[Node], tree: PyTreeDef, device: Device | None, static: Any) -> Program:
        """Runs the function on placeholders."""
        fixed = {place: value for place, _, value in static or ()}
        run = OnNodes(partial(self._call, fixed), tree)
        with staging(), transform() as mark, keep_location():
            STATE.loc = None
            ins = [leaf(n.aval, mark=mark, device=device) for n in nodes]
            for i, n in enumerate(ins):
                n.params = {"argument": partial(self._origin, tree, i)}
            with Chain(computed(TOKEN, False, None)) as effects:
                outs = run(*ins)
        graph, captures = close(ins, [*outs, *effects.made], since=mark)
        if effects.made and any(n.value is None and n.mark not in STATE.live for n in captures):
            raise NotImplementedError(PLACES)
        return Program(graph, len(ins), run.out_tree, self._donated(tree, fixed), device, effects)

    def _call(self, fixed: dict[Any, Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The user's function, with the static arguments in their places."""
        if fixed:
            kwargs = kwargs | {k: v for k, v in fixed.items() if isinstance(k, str)}
            dynamic = iter(args)
            count = len(args) + sum(isinstance(k, int) for k in fixed)
            args = [fixed[i] if i in fixed else next(dynamic) for i in range(count)]
        return self._fun(*args, **kwargs)

    def _origin(self, tree: PyTreeDef, index: int) -> str:
        """What an argument is called, for errors."""
        path, _ = tree_leaves_with_path(tree.unflatten(list(range(tree.num_leaves))))[index]
        names = [n for i, n in enumerate(parameter_names(self._fun)) if i not in self._static.numbers]
        return f"{argument_name(path, names)} of {describe_function(self._fun)}, traced by jit"

    def _donated(self, tree: PyTreeDef, fixed: dict[Any, Any]) -> set[int]:
        """The numbers of the leaves of donated arguments."""
        if not self._donate:
            return set()
        args, kwargs = tree.unflatten(list(range(tree.num_leaves)))
        places = [i for i in range(len(args) + len(fixed)) if i not in fixed]
        chosen = [a for i, a in zip(places, args, strict=False) if i in self._donate.numbers]
        chosen += [kwargs[k] for k in self._donate.names & kwargs.keys()]
        return set(tree_flatten(chosen)[0])


def _placeless(x: Any) -> Node:
    """A node for the aval (and device) of an argument alone."""
    n = lift(x)
    return leaf(n.aval, device=n.device)


class _JitOn(Jit):
    """A function under `jit(device=…)`: its arguments go to that device first."""

    def __init__(self, fun: Callable[..., Any], static: _Arguments, donate: _Arguments, device: Device):
        super().__init__(fun, static, donate)
        self._device = device

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        def moved(x: Any) -> Any:
            return put(x, self._device) if isinstance(x, Array) and x._node.device is not None else x

        with default_device(self._device):
            args, kwargs = tree_map(moved, (args, kwargs))
            return super().__call__(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """What the function does with these arguments, on the device."""
        with default_device(self._device):
            return super().trace(*args, **kwargs)
