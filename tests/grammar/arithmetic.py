"""Elementwise productions: arithmetic on floats, integers of all widths, complex numbers; casts, comparisons, choices; random numbers."""

from __future__ import annotations

from .grammar import Grammar, Var

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")

SMOOTH = (
    "jnp.tanh({0})",
    "jnp.sin({0})",
    "jnp.cos({0})",
    "jnp.exp(-{0} * {0})",
    "jnp.sqrt({0} * {0} + 1)",
    "jnp.log1p({0} * {0})",
    "{0} / (1 + jnp.square({0}))",
    "jnp.arctan({0})",
    "jax.nn.sigmoid({0})",
    "jnp.logaddexp({0}, 0.5)",
    "jax.scipy.special.erf({0})",
    "jnp.expm1(jnp.sin({0}))",
    "jnp.power(1.5 + jnp.tanh({0}), 1.5)",
    "jnp.arctan2({0}, 2.5 + jnp.cos({0}))",
    "lax.rsqrt(1 + {0} * {0})",
    "jnp.cbrt(2 + jnp.sin({0}))",
    "jnp.arcsinh({0})",
    "lax.integer_pow(jnp.sin({0}), 3)",
)

KINKED = (
    "jnp.abs({0})",
    "jnp.clip({0}, -2, 2)",
    "jax.nn.relu({0})",
    "jnp.sign({0})",
    "jnp.floor({0})",
    "jnp.round({0})",
    "jnp.remainder({0}, 3)",
    "lax.rem({0}, jnp.full_like({0}, 1.5))",
    "jax.nn.hard_tanh({0})",
)


def smooth(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind == "f")
    if v is not None:
        g.write(g.choose(SMOOTH).format(v.name), [None])


def plain(g: Grammar) -> None:
    """What keeps exact values exact."""
    v = g.pick(lambda v: v.kind in "fc")
    if v is None:
        return
    text, more = g.choose((("-{0}", 0), ("{0} + 1", 0), ("2 - {0}", 0), ("{0} * 0.5", 1), ("{0} * -0.25", 2)))
    g.write(text.format(v.name), [None if v.grain is None else v.grain + more])


def kinked(g: Grammar) -> None:
    v = g.pick(lambda v: v.plain and v.exact)
    if v is not None:
        g.write(g.choose(KINKED).format(v.name), [v.grain])


def _fits(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return len(b) <= len(a) and all(m in (1, n) for n, m in zip(a[len(a) - len(b) :], b, strict=True))


def partner(g: Grammar, x: Var) -> Var:
    """A variable of the same dtype that broadcasts to x."""
    return g.pick(lambda v: v.dtype == x.dtype and _fits(x.shape, v.shape)) or x


def binary(g: Grammar) -> None:
    x = g.pick(lambda v: v.kind == "f")
    if x is None:
        return
    y = partner(g, x)
    exact = x.exact and y.exact
    grain = max(x.grain or 0, y.grain or 0) if exact else None
    kind = g.draw(8) if x.plain else 7  # 16-bit floats stay small, so that their errors do
    if kind < 2:
        text = f"{x.name} {'+-'[kind]} {y.name}"
        g.write(f"jnp.clip({text}, -16, 16)" if exact else text, [grain])
    elif kind == 2 and exact:
        g.write(f"jnp.{g.choose(('maximum', 'minimum'))}({x.name}, {y.name})", [grain])
    elif kind == 3:
        text = f"{x.name} * {y.name}"
        total = (x.grain or 0) + (y.grain or 0)
        g.write(
            f"jnp.clip({text}, -16, 16)" if exact and total <= 6 else f"jnp.sin({text})",
            [total if exact and total <= 6 else None],
        )
    elif kind == 4:
        g.write(f"{x.name} / (1.5 + jnp.square({y.name}))", [None])
    elif kind == 5:
        g.write(f"jnp.hypot({x.name}, 1 + jnp.square({y.name}))", [None])
    else:
        g.write(f"jnp.tanh({x.name} - 0.25 * {y.name})", [None])


def integers(g: Grammar) -> None:
    x = g.pick(lambda v: v.kind in "iu")
    if x is None:
        return
    y = partner(g, x)
    texts = (
        "{0} + {1}",
        "{0} - {1}",
        "{0} * {1}",
        "{0} & {1}",
        "{0} | {1}",
        "{0} ^ {1}",
        "~{0}",
        "{0} // ({1} | 1)",
        "{0} % ({1} | 1)",
        "lax.div({0}, jnp.full_like({0}, 3))",
        "{0} << ({1} & 3)",
        "{0} >> ({1} & 3)",
        "lax.shift_right_logical({0}, jnp.full_like({0}, 1))",
        "lax.population_count({0})",
        "lax.clz({0})",
        "jnp.maximum({0}, {1})",
        "jnp.clip({0}, 1, 9)",
        "jnp.abs({0})",
        "jnp.sign({0})",
        "{0} ** 3",
        "jnp.gcd({0} & 15, {1} & 15)",
        "lax.rem({0}, {1} | 1)" if x.shape == y.shape else "{0} + 1",
    )
    g.write(g.choose(texts).format(x.name, y.name), [0])


def cast(g: Grammar) -> None:
    v = g.pick()
    if v is None:
        return
    if v.kind == "c":
        g.write(g.choose(("jnp.real({0})", "jnp.imag({0})")).format(v.name), [None])
    elif v.exact and g.draw(3):
        to = g.choose((*INTEGERS, "bool", "float32", "float32", "float16", "bfloat16"))
        most = 2 if to.endswith("float16") else 100
        clipped = f"jnp.clip({v.name}, {0 if to[0] == 'u' else -most}, {most})" if v.kind != "b" else v.name
        g.write(f"{clipped}.astype('{to}')", [v.grain])
    else:
        to = g.choose(("float32", "float32", "float16", "bfloat16", "complex64"))
        source = (
            f"jnp.clip({v.name}, -2, 2)"
            if v.exact and v.kind != "b"
            else f"jnp.tanh({v.name})"
            if v.kind == "f"
            else v.name
        )
        g.write(f"{source}.astype('{to}')", [v.grain])


def bitcast(g: Grammar) -> None:
    v = g.pick(lambda v: (v.plain and v.exact) or v.dtype in ("int32", "uint32", "uint8", "int8"))
    if v is not None:
        to = {"float32": "int32", "int32": "uint32", "uint32": "int32", "uint8": "int8", "int8": "uint8"}[v.dtype]
        source = f"(1 + jnp.abs({v.name}))" if v.kind == "f" else v.name  # the sign of a zero is the driver's on webgpu
        g.write(f"lax.bitcast_convert_type({source}, '{to}')", [0])


def compare(g: Grammar) -> None:
    x = g.pick(lambda v: v.exact and v.kind != "b")
    if x is None:
        return
    y = partner(g, x)
    other = y.name if y.exact and g.draw(2) else g.choose(("0", "1", "2"))
    g.write(f"{x.name} {g.choose(('<', '<=', '==', '!=', '>'))} {other}", [0])


def logic(g: Grammar) -> None:
    x = g.pick(lambda v: v.kind == "b")
    if x is not None:
        y = partner(g, x)
        g.write(g.choose(("{0} & {1}", "{0} | ~{1}", "{0} ^ {1}", "jnp.logical_not({0})")).format(x.name, y.name), [0])


def where(g: Grammar) -> None:
    x = g.pick(lambda v: v.kind != "b")
    c = x and g.pick(lambda v: v.exact and _fits(x.shape, v.shape))
    if x is None or c is None:
        return
    y = partner(g, x)
    condition = c.name if c.kind == "b" else f"{c.name} > {g.draw(3)}"
    exact = x.exact and y.exact
    g.write(f"jnp.where({condition}, {x.name}, {y.name})", [max(x.grain or 0, y.grain or 0) if exact else None])


def complexes(g: Grammar) -> None:
    x = g.pick(lambda v: v.kind == "c")
    if x is None:
        r = g.pick(lambda v: v.plain)
        if r is not None:
            g.write(f"lax.complex({r.name} * 0.5, jnp.cos({r.name}))", [None])
        return
    y = partner(g, x)
    texts = (
        "{0} * jnp.conj({1}) / (2 + jnp.real({1} * jnp.conj({1})))",
        "{0} + 0.5j * {1}",
        "jnp.exp(1j * jnp.real({0})) + {1}",
        "jnp.real({0} * {1}) * 0.125",
        "jnp.abs({0} / (2 + jnp.real({0} * jnp.conj({0}))) + 3)",
        "jnp.angle(4 + {0} / (1 + jnp.real({0} * jnp.conj({0}))))",
        "jnp.sqrt(5 + {0} / (1 + jnp.real({0} * jnp.conj({0}))))",
        "jnp.tanh({0} / (2 + jnp.real({0} * jnp.conj({0}))))",
        "jnp.log(4 + {0} / (1 + jnp.real({0} * jnp.conj({0}))))",
        "jnp.imag({0})",
        "jnp.sum({0} * {1}) * 0.0625",
    )
    g.write(g.choose(texts).format(x.name, y.name), [None])


def barrier(g: Grammar) -> None:
    v, w = g.pick(), g.pick()
    if v is None or w is None:
        return
    if g.draw(3):
        g.write(f"lax.optimization_barrier({v.name})", [v.grain])
    else:
        g.write(f"lax.optimization_barrier(({v.name}, {w.name}))", [v.grain, w.grain])


def stop(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind in "fc")
    if v is not None:
        g.write(f"lax.stop_gradient({v.name})", [v.grain])


def random(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind in "iu" and v.size)
    if v is None:
        return
    shape = tuple(g.choose((1, 2, 3, 5)) for _ in range(g.draw(3)))
    key = f"jax.random.fold_in(jax.random.key({g.draw(9)}), jnp.sum({v.name}).astype('uint32'))"
    texts: tuple[tuple[str, int | None], ...] = (
        (f"jax.random.normal({key}, {shape})", None),
        (f"jax.random.uniform({key}, {shape})", None),
        (f"jax.random.bits({key}, {shape})", 0),
        (f"jax.random.randint({key}, {shape}, 0, 7)", 0),
        (f"jax.random.bernoulli({key}, 0.25, {shape})", 0),
        (f"jax.random.permutation({key}, {2 + g.draw(9)})", 0),
        (f"jax.random.key_data(jax.random.split({key})[1])", 0),
        (f"jax.random.rademacher({key}, {shape}, 'float32')", 0),
    )
    text, grain = g.choose(texts)
    g.write(text, [grain])


WEIGHTS = {
    smooth: 6,
    plain: 3,
    kinked: 3,
    binary: 8,
    integers: 6,
    cast: 5,
    bitcast: 1,
    compare: 2,
    logic: 2,
    where: 3,
    complexes: 4,
    barrier: 1,
    stop: 1,
    random: 2,
}
