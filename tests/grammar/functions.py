"""Productions that transform a function: jit in jit, vmap, derivatives inside, checkpoint, rules of the user's own."""

from __future__ import annotations

from .control import param
from .grammar import LARGEST, Grammar


def jitted(g: Grammar) -> None:
    x, y = g.pick(), g.pick()
    if x is None or y is None:
        return
    name = g.name()
    with g.block([param(x, x.grain), param(y, y.grain)]) as b:
        b.steps(1 + b.draw(4))
        z = b.values[-1 - b.draw(2)]
        g.write(b.function(name, f"{z.name}, {b.params[0].name}"), [], [])
    g.write(f"jax.jit({name})({x.name}, {y.name})", [z.grain, x.grain])


def batched(g: Grammar) -> None:
    """A block over rows, or over another axis, with something unbatched beside it."""
    x = g.pick(lambda v: v.ndim and v.size)
    y = g.pick(lambda v: v.size <= 100)
    if x is None or y is None:
        return
    axis = g.draw(x.ndim)
    name = g.name()
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    with g.block([(shape, x.dtype, x.grain), param(y, y.grain)]) as b:
        b.steps(1 + b.draw(4))
        z = b.pick(lambda v: v.size * x.shape[axis] <= LARGEST) or b.params[0]
        g.write(b.function(name, z.name), [], [])
    out = g.draw(z.ndim + 1)
    wrap = g.choose(("{0}", "jax.jit({0})"))
    call = wrap.format(f"jax.vmap({name}, in_axes=({axis}, None), out_axes={out})")
    g.write(f"{call}({x.name}, {y.name})", [z.grain])


def checkpointed(g: Grammar) -> None:
    x = g.pick(lambda v: v.kind == "f")
    if x is None:
        return
    name = g.name()
    with g.block([param(x, x.grain)]) as b:
        b.steps(2 + b.draw(4))
        z = b.values[-1]
        g.write(b.function(name, z.name), [], [])
    policy = g.choose(("", ", policy=jax.checkpoint_policies.dots_saveable"))
    g.write(f"jax.checkpoint({name}{policy})({x.name})", [z.grain])


def derived(g: Grammar) -> None:
    """A derivative of a block, as a value of the program."""
    x = g.pick(lambda v: v.plain and v.size and v.size <= 64)
    if x is None or g.closed:
        return
    name = g.name()
    with g.block([param(x, x.grain)]) as b:
        b.steps(1 + b.draw(3))
        z = b.pick(lambda v: v.kind == "f" and v.name not in b.names) or b.params[0]
        g.write(b.function(name, f"jnp.sin({z.name}).astype('float32')"), [], [])
    kind = g.draw(6)
    if kind == 0 and not g.traits.backward:
        g.write(f"jax.jvp({name}, ({x.name},), (jnp.cos({x.name}),))", [None, None])
    elif kind == 1:
        g.write(f"jax.grad(lambda x: jnp.sum({name}(x)))({x.name})", [None])
    elif kind == 2:
        g.write(f"jax.jit(jax.grad(lambda x: jnp.sum({name}(x) ** 2)))({x.name})", [None])
    elif kind == 3 and x.ndim and x.size <= 16 and z.size <= 16:
        g.write(
            f"jnp.sum({'jax.jacrev' if g.traits.backward or g.draw(2) else 'jax.jacfwd'}({name})({x.name}), axis=0)",
            [None],
        )
    elif kind == 4 and x.ndim:
        g.write(f"jax.vmap(jax.grad(lambda x: jnp.sum({name}(jnp.broadcast_to(x, {x.shape})))))({x.name})", [None])
    else:
        g.write(f"jax.vjp({name}, {x.name})[1](jnp.full({z.shape}, 0.5))[0]", [None])
    g.traits.loose = True


def custom(g: Grammar) -> None:
    """A block whose derivative the user has given."""
    x = g.pick(lambda v: v.kind == "f" and v.plain)
    if x is None:
        return
    name = g.name()
    with g.block([param(x, x.grain)], closed=True) as b:
        b.steps(1 + b.draw(3))
        result = b.like(x)
        body = b.function(name, result)
    x_name = b.names[0]
    if g.draw(2):
        rule = (
            f"@jax.custom_jvp\n{body}\n@{name}.defjvp\ndef {name}_jvp(primals, tangents):\n"
            f"    ({x_name},), (t,) = primals, tangents\n    return {name}({x_name}), jnp.cos({x_name}) * t"
        )
    else:
        g.traits.backward = True
        rule = f"@jax.custom_vjp\n{body}\n{name}.defvjp(lambda x: ({name}(x), jnp.sin(x)), lambda kept, ct: (kept * ct * 0.5,))"
    g.write(rule, [], [])

    g.write(f"{name}({x.name})", [None])


WEIGHTS = {jitted: 2, batched: 3, checkpointed: 2, derived: 3, custom: 2}
