"""Productions with loops and branches: their bodies are blocks, written by the same grammar, which see what is around them."""

from __future__ import annotations

from .grammar import Block, Grammar, Var

Param = tuple[tuple[int, ...], str, int | None]


def param(v: Var, grain: int | None = None) -> Param:
    """A parameter like a variable."""
    return v.shape, v.dtype, 0 if v.kind in "iub" else grain


def grain_of(v: Var) -> int | None:
    """What is known of the values of a result like v that a block has made: floats are rounded, whole numbers are exact."""
    return 0 if v.kind in "iub" else None


def _define(g: Grammar, text: str) -> None:
    g.write(text, [], [])


def _carry(g: Grammar) -> list[Var]:
    """One or two variables that a loop may carry."""
    first = g.pick(lambda v: v.size <= 100 and v.dtype not in ("float16", "bfloat16"))
    second = g.pick(lambda v: v.size <= 100)
    return [v for v in (first, second) if v is not None][: 1 + g.draw(2)]


def _run(b: Block, most: int = 4) -> None:
    b.steps(1 + b.draw(most))


def _unpacked(g: Grammar, text: str, like: list[Var]) -> None:
    """A statement that takes a tuple apart."""
    names = [g.name() for _ in like]
    g.write(f"{', '.join(names)}, = {text}", [grain_of(v) for v in like], names)


def cond(g: Grammar) -> None:
    p = g.pick(lambda v: v.exact and not v.shape and v.kind in "iub")
    x = g.pick()
    if x is None:
        return
    if p is None:
        c = g.pick(lambda v: v.exact and v.kind != "c")
        condition = f"jnp.sum({c.name}) > {g.draw(3)}" if c else "True"
    else:
        condition = p.name if p.kind == "b" else f"{p.name} > {g.draw(3)}"
    names = (g.name(), g.name())
    for name in names:
        with g.block([param(x, x.grain)]) as b:
            _run(b)
            _define(g, b.function(name, b.like(x)))
    g.write(f"lax.cond({condition}, {names[0]}, {names[1]}, {x.name})", [grain_of(x)])


def switch(g: Grammar) -> None:
    i = g.pick(lambda v: v.dtype == "int32" and not v.shape)
    x = g.pick()
    if x is None:
        return
    names = [g.name() for _ in range(2 + g.draw(2))]
    for name in names:
        with g.block([param(x, x.grain)]) as b:
            _run(b, 3)
            _define(g, b.function(name, b.like(x)))
    index = i.name if i else str(g.draw(3))
    g.write(f"lax.switch({index}, [{', '.join(names)}], {x.name})", [grain_of(x)])


def fori(g: Grammar) -> None:
    """Fixed rounds, or as many as a value says (which has no gradient in reverse)."""
    carry = _carry(g)
    if not carry:
        return
    n = g.pick(lambda v: v.kind == "i" and not v.shape and v.dtype == "int32") if g.chance(3) else None
    name = g.name()
    with g.block([((), "int32", 0), *(param(v) for v in carry)], closed=n is not None) as b:
        _run(b)
        results = ", ".join(b.like(v) for v in carry)
        body = b.function(name, f"({results},)", (b.names[0], "carry"))
    unpack = f"    {', '.join(b.names[1:])}, = carry\n"
    head, rest = body.split("\n", 1)
    _define(g, f"{head}\n{unpack}{rest}")
    start = ", ".join(v.name if n is None or v.kind not in "fc" else f"lax.stop_gradient({v.name})" for v in carry)
    rounds = str(g.draw(5)) if n is None else f"jnp.clip({n.name}, 0, 4)"
    _unpacked(g, f"lax.fori_loop({g.draw(2)}, {rounds}, {name}, ({start},))", carry)


def loop(g: Grammar) -> None:
    """A while loop, whose number of rounds is data."""
    carry = _carry(g)
    if not carry:
        return
    name, limit = g.name(), g.pick(lambda v: v.dtype == "int32")
    with g.block([((), "int32", 0), *(param(v) for v in carry)], closed=True) as b:
        _run(b)
        results = ", ".join(b.like(v) for v in carry)
        body = b.function(name, f"({b.names[0]} + 1, {results})", ("carry",))
    head, rest = body.split("\n", 1)
    _define(g, f"{head}\n    {', '.join(b.names)} = carry\n{rest}")
    bound = f"jnp.max(jnp.clip({limit.name}, 0, 4), initial=1)" if limit else "3"
    start = ", ".join(f"lax.stop_gradient({v.name})" if v.kind in "fc" else v.name for v in carry)
    text = f"lax.while_loop(lambda c: c[0] < {bound}, {name}, (jnp.int32({g.draw(3)}), {start}))[1:]"
    _unpacked(g, text, carry)


def scan(g: Grammar) -> None:
    """A carry or none, slices of one or two arrays or none, stacked results."""
    carry = _carry(g)[: g.draw(3)]
    xs = g.pick(lambda v: v.ndim >= 1 and 1 <= v.shape[0] <= 7)
    length = xs.shape[0] if xs else 1 + g.draw(4)
    slices = [xs] if xs else []
    if xs and g.draw(2) and (other := g.pick(lambda v: v.ndim and v.shape[0] == length)):
        slices.append(other)
    name = g.name()
    params: list[Param] = [param(v) for v in carry]
    params += [(v.shape[1:], v.dtype, v.grain) for v in slices]
    with g.block(params) as b:
        _run(b)
        results = ", ".join(b.like(v) for v in carry)
        y = b.pick(lambda v: v.size <= 100) or b.values[-1]
        tail = f"({results}{',' if carry else ''}), {y.name}"
        body = b.function(name, tail, ("carry", "x"))
    head, rest = body.split("\n", 1)
    unpack = f"    {', '.join(b.names[: len(carry)])}, = carry\n" if carry else ""
    if slices:
        unpack += f"    {', '.join(b.names[len(carry) :])}, = x\n"
    _define(g, f"{head}\n{unpack}{rest}")
    start = f"({', '.join(v.name for v in carry)}{',' if carry else ''})"
    arrays = f"({', '.join(v.name for v in slices)},)" if slices else "None"
    extra = f", length={length}" if not slices else ""
    if g.draw(2):
        extra += f", reverse={bool(g.draw(2))}, unroll={1 + g.draw(3)}"
    names = [g.name() for _ in carry]
    stacked = g.name()
    target = f"({', '.join(names)}{',' if carry else ''}), {stacked}"
    text = f"{target} = lax.scan({name}, {start}, {arrays}{extra})"
    g.write(text, [*(grain_of(v) for v in carry), y.grain], [*names, stacked])


def map_(g: Grammar) -> None:
    xs = g.pick(lambda v: v.ndim >= 1 and 1 <= v.shape[0] <= 7)
    if xs is None:
        return
    name = g.name()
    with g.block([(xs.shape[1:], xs.dtype, xs.grain)]) as b:
        _run(b)
        y = b.pick(lambda v: v.size <= 60) or b.values[-1]
        _define(g, b.function(name, y.name))
    extra = f", batch_size={1 + g.draw(2)}" if g.chance(3) else ""
    g.write(f"lax.map({name}, {xs.name}{extra})", [y.grain])


def associative(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind in "fi" and v.ndim and v.size and v.dtype in ("float32", "int32"))
    if v is None:
        return
    axis, back = g.draw(v.ndim), bool(g.draw(2))
    if v.kind == "i" or (v.exact and g.draw(2)):
        op = g.choose(("jnp.maximum", "jnp.minimum", "lambda a, b: b"))
        g.write(f"lax.associative_scan({op}, {v.name}, axis={axis}, reverse={back})", [v.grain])
    elif g.draw(2):
        g.write(f"lax.associative_scan(lambda a, b: a * b, jnp.cos({v.name}), axis={axis}, reverse={back})", [None])
    else:
        op = "lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1])"
        g.write(f"lax.associative_scan({op}, (jnp.sin({v.name}), {v.name}), axis={axis}, reverse={back})", [None, None])


WEIGHTS = {cond: 3, switch: 2, fori: 3, loop: 2, scan: 5, map_: 2, associative: 2}
