"""Random programs in the words of JAX: a grammar whose productions write statements, and the text that they make.

A program is Python text over `jax`, `jnp` and `lax`, which runs on weft and on JAX alike and is printed as it stands when a run fails. Each production takes variables that are there and
writes one statement; a block (the body of a loop, a branch, a function that is differentiated or batched) is written by the same grammar, and sees what is around it. A statement is run as
soon as it is written, on the oracle, which tells shapes and dtypes; nothing is computed for that, since eager arrays are lazy.

What is cut by rounding (comparisons, sorting, rounding to integers, extremes, which have kinks) is done to *exact* values only: integers, and floats with few bits after the point that are
small enough for every order of a sum to give the same. So all runs take the same side, and what differs between them is a matter of tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from textwrap import indent
from typing import Any, NamedTuple

import numpy as np

import weft

LARGEST = 600
"""The most elements of a value."""

GRAIN = 6
"""The most bits after the point of an exact float."""

EXTENTS = (1, 2, 3, 3, 4, 5, 7, 16)

Draw = Callable[[int], int]
"""The next choice among so many."""


def namespace(jax: Any) -> dict[str, Any]:
    """What the text of a program may name, of weft or of JAX."""
    return {"jax": jax, "jnp": jax.numpy, "lax": jax.lax, "np": np}


class Var(NamedTuple):
    """A variable of the program."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    grain: int | None
    """Bits after the point, if it is the same in every run; None if it is subject to rounding."""

    @property
    def exact(self) -> bool:
        return self.grain is not None

    @property
    def kind(self) -> str:
        return "f" if self.dtype == "bfloat16" else np.dtype(self.dtype).kind

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def plain(self) -> bool:
        """Whether it is of float32."""
        return self.dtype == "float32"


@dataclass
class Traits:
    """What a program does, as far as it matters for how it may be run."""

    half: bool = False
    """It rounds to 16 bits somewhere."""
    loose: bool = False
    """It has steps in which rounding grows: a factorisation, a long product."""
    backward: bool = False
    """It has derivatives in reverse only."""


@dataclass
class Grammar:
    """A block that is being written."""

    draw: Draw
    env: dict[str, Any]
    values: list[Var] = field(default_factory=list[Var])
    statements: list[str] = field(default_factory=list[str])
    traits: Traits = field(default_factory=Traits)
    counter: list[int] = field(default_factory=lambda: [0])
    depth: int = 0
    """How many blocks are around this one."""
    closed: bool = False
    """No derivative may pass: what is inside comes to no program's gradient."""

    # -- choices ----------------------------------------------------------------------------------------------------------------------------

    def chance(self, one_in: int) -> bool:
        return self.draw(one_in) == one_in - 1

    def choose(self, items: Sequence[Any]) -> Any:
        return items[self.draw(len(items))]

    def pick(self, fits: Callable[[Var], bool] = lambda v: True) -> Var | None:
        """One of the variables that fit, the latest ones before others."""
        found = [v for v in self.values if fits(v)]
        if not found:
            return None
        near = found[-4:]
        return near[-1 - self.draw(len(near))] if self.draw(4) else found[self.draw(len(found))]

    def name(self) -> str:
        self.counter[0] += 1
        return f"v{self.counter[0]}"

    # -- writing ----------------------------------------------------------------------------------------------------------------------------

    def write(self, text: str, grains: Sequence[int | None], names: Sequence[str] | None = None) -> list[Var]:
        """A statement that defines variables `names`, or an expression that gives so many values; it is run. What is too large is made smaller on the spot."""
        if names is None:
            names = [self.name() for _ in grains]
            text = f"{', '.join(names)} = {text}"
        exec(text, self.env)
        self.statements.append(text)
        made = [self._var(n, g) for n, g in zip(names, grains, strict=True)]
        kept = [v for v in made if v.ndim <= 4 and v.size <= LARGEST]
        self.values += kept
        return kept

    def _var(self, name: str, grain: int | None) -> Var:
        array = self.env[name]
        dtype = str(array.dtype)
        if dtype in ("float16", "bfloat16"):
            self.traits.half, grain = True, None
        elif dtype[0] in "bui":
            grain = 0
        elif dtype[0] == "c" or (grain is not None and grain > GRAIN):
            grain = None
        return Var(name, tuple(array.shape), dtype, grain)

    @contextmanager
    def block(self, params: Sequence[tuple[tuple[int, ...], str, int | None]], closed: bool = False) -> Iterator[Block]:
        """A function of parameters of these shapes, dtypes and grains, which sees all that is here."""
        names = [self.name() for _ in params]
        env = dict(self.env)
        for name, (shape, dtype, _) in zip(names, params, strict=True):
            env[name] = weft.numpy.full(shape, 1, dtype)
        values = [] if closed else list(self.values)
        inner = Block(
            self.draw, env, values, [], self.traits, self.counter, self.depth + 1, closed or self.closed, names
        )
        inner.params = [inner._var(n, g) for n, (_, _, g) in zip(names, params, strict=True)]
        inner.values += inner.params
        yield inner

    def steps(self, count: int) -> None:
        """Writes so many statements."""
        from .productions import TABLE

        tickets = [p for p in TABLE if self.depth < 2 or p.flat for _ in range(p.weight)]
        for _ in range(count):
            self.choose(tickets).write(self)

    def text(self) -> str:
        return "\n".join(self.statements)


@dataclass
class Block(Grammar):
    """The body of a function inside a program."""

    names: list[str] = field(default_factory=list[str])
    params: list[Var] = field(default_factory=list[Var])

    def like(self, target: Var, grain: int | None = None) -> str:
        """An expression of the target's shape and dtype from what the block has made: its last value, brought into form."""
        v = self.pick(lambda v: v.name not in self.names) or self.values[-1]
        if v.dtype == target.dtype and v.shape == target.shape and v.kind != "f":
            return v.name
        real = f"jnp.real({v.name})" if v.kind == "c" and target.kind != "c" else v.name
        if target.kind in "bui":
            if not v.exact:
                return target.name
            value = f"jnp.sum({real})" if v.shape != target.shape else real
            value = f"jnp.clip({value}, -100, 100)" if v.kind == "f" else value
            value = f"({value} > 0)" if target.kind == "b" else f"{value}.astype('{target.dtype}')"
            return f"jnp.broadcast_to({value}, {target.shape})"
        value = real if v.shape == target.shape else f"jnp.sum({real}) * {1 / max(1, v.size):.3g}"
        squashed = f"jnp.sin({value})" if v.kind in "fc" else f"({value}) % 5 * 0.25"
        return f"jnp.broadcast_to(jnp.asarray({squashed}, '{target.dtype}'), {target.shape})"

    def function(self, name: str, results: str, params: Sequence[str] | None = None) -> str:
        """The definition of the block's function."""
        body = self.text() + ("\n" if self.statements else "") + f"return {results}"
        return f"def {name}({', '.join(self.names if params is None else params)}):\n{indent(body, '    ')}"


class Production(NamedTuple):
    """A rule of the grammar: how often it is taken, what it writes."""

    weight: int
    write: Callable[[Grammar], Any]
    flat: bool
    """It writes no blocks."""


class Program(NamedTuple):
    """A function as text, with arguments for it."""

    params: tuple[str, ...]
    statements: tuple[str, ...]
    results: tuple[str, ...]
    exact: tuple[bool, ...]
    """Which results are the same in every run."""
    inputs: tuple[np.ndarray, ...]
    half: bool
    loose: bool
    backward: bool

    @property
    def source(self) -> str:
        lines = [*self.statements, f"return [{', '.join(self.results)}]"]
        return f"def program({', '.join(self.params)}):\n" + indent("\n".join(lines), "    ") + "\n"

    def function(self, jax: Any) -> Callable[..., list[Any]]:
        """The program as a function, of weft or of JAX."""
        env = namespace(jax)
        exec(self.source, env)
        return env["program"]

    def script(self) -> str:
        """A file that runs it."""
        head = "import numpy as np\nimport weft as jax\nimport weft.numpy as jnp\nfrom weft import lax\n\n"
        arrays = "".join(f"    np.array({a.tolist()!r}, '{a.dtype}').reshape({a.shape}),\n" for a in self.inputs)
        return f"{head}{self.source}\ninputs = [\n{arrays}]\nprint(jax.jit(program)(*inputs))\n"

    def __repr__(self) -> str:
        return "\n" + self.script()


def program(draw: Draw, least: int = 10, most: int = 40) -> Program:
    """A random program of `least` to `most` statements, with arguments: quarters between -2 and 2, small integers."""
    env = namespace(weft)
    grammar = Grammar(draw, env)
    inputs: list[np.ndarray] = []
    count = 1 + draw(3)
    for k in range(count + 2):
        integer = k >= count
        shape = (3,) if k == count + 1 else tuple(EXTENTS[draw(len(EXTENTS))] for _ in range(draw(4)))
        if draw(60) == 59 and shape:
            shape = (0, *shape[1:])
        rng = np.random.default_rng(draw(100))
        dtype = np.int32 if integer else np.float32
        if prod(shape) > LARGEST:
            shape = shape[:2]
        array = rng.integers(0, 4, shape).astype(dtype) if integer else (rng.integers(-8, 9, shape) / 4).astype(dtype)
        name = f"{'n' if integer else 'x'}{k}"
        inputs.append(array)
        env[name] = weft.numpy.asarray(array)
        grammar.values.append(Var(name, shape, str(array.dtype), 0 if integer else 2))
    params = tuple(v.name for v in grammar.values)
    grammar.steps(least + draw(most - least + 1))
    values = grammar.values
    outs = [values[-1]] + [values[-1 - draw(len(values))] for _ in range(1 + draw(3))]
    return Program(
        params,
        tuple(grammar.statements),
        tuple(v.name for v in outs),
        tuple(v.exact for v in outs),
        tuple(inputs),
        grammar.traits.half,
        grammar.traits.loose,
        grammar.traits.backward,
    )
