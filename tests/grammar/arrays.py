"""Productions that move and combine: views, pads, joins, reductions, running sums, sorts, windows."""

from __future__ import annotations

from .grammar import Grammar


def view(g: Grammar) -> None:
    v = g.pick()
    if v is None:
        return
    n = v.ndim
    order = list(range(n))
    for k in range(n - 1, 0, -1):
        j = g.draw(k + 1)
        order[k], order[j] = order[j], order[k]
    axis = g.draw(n) if n else 0
    texts = [
        f"jnp.transpose({v.name}, {tuple(order)})",
        f"jnp.reshape({v.name}, (-1,))" if v.size else f"{v.name}[None]",
        f"{v.name}[..., None]",
        f"jnp.broadcast_to({v.name}, {(1 + g.draw(3), *v.shape)})",
        f"jnp.squeeze({v.name})",
    ]
    if n:
        texts += [
            f"jnp.flip({v.name}, {axis})",
            f"jnp.roll({v.name}, {1 + g.draw(3)}, {axis})",
            f"jnp.moveaxis({v.name}, {axis}, 0)",
            f"jnp.repeat({v.name}, {1 + g.draw(2)}, {axis})",
            f"jnp.expand_dims({v.name}, {axis})",
        ]
        if v.shape[axis] % 2 == 0 and v.shape[axis]:
            texts += [
                f"jnp.reshape({v.name}, {(*v.shape[:axis], 2, v.shape[axis] // 2, *v.shape[axis + 1 :])})",
                f"jnp.split({v.name}, 2, {axis})[{g.draw(2)}]",
            ]
    if n >= 2:
        texts += [
            f"jnp.swapaxes({v.name}, 0, -1)",
            f"jnp.rot90({v.name})",
            f"jnp.diagonal({v.name})",
            f"jnp.tril({v.name}, {g.draw(2)})",
        ]
        if v.size:
            texts.append(
                f"jnp.reshape({v.name}, ({v.shape[0] * v.shape[1]}, {', '.join(map(str, v.shape[2:])) or '1'}))"
            )
    g.write(g.choose(texts), [v.grain])


def pad(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind in "fiuc" and v.ndim)
    if v is None:
        return
    if g.draw(2):
        widths = [(g.draw(2), g.draw(3)) for _ in v.shape]
        mode = g.choose(("constant", "edge", "wrap", "reflect")) if all(n > 3 for n in v.shape) else "constant"
        g.write(f"jnp.pad({v.name}, {widths}, mode='{mode}')", [v.grain])
        return
    widths = [(g.draw(4) - min(1, n), g.draw(3) - (1 if n > 2 else 0), g.draw(3) if n else 0) for n in v.shape]
    value = "1j" if v.kind == "c" else "1"
    g.write(f"lax.pad({v.name}, jnp.asarray({value}, '{v.dtype}'), {widths})", [v.grain])


def join(g: Grammar) -> None:
    v = g.pick(lambda v: bool(v.ndim))
    if v is None:
        return
    axis = g.draw(v.ndim)
    others = [
        w
        for w in g.values
        if w.dtype == v.dtype and w.ndim == v.ndim and all(w.shape[k] == n for k, n in enumerate(v.shape) if k != axis)
    ]
    w = g.choose(others)
    exact = v.exact and w.exact
    grain = max(v.grain or 0, w.grain or 0) if exact else None
    if w.shape == v.shape and g.draw(2):
        g.write(f"jnp.stack([{v.name}, {w.name}], {axis})", [grain])
    else:
        g.write(f"jnp.concatenate([{v.name}, {w.name}, {v.name}], {axis})", [grain])


def reduce(g: Grammar) -> None:
    v = g.pick(lambda v: bool(v.ndim))
    if v is None:
        return
    axes = sorted({g.draw(v.ndim) for _ in range(1 + g.draw(2))})
    axis = str(axes[0] if len(axes) == 1 else tuple(axes))
    if g.chance(6):
        axis = "None"
    keep = ", keepdims=True" if g.draw(2) else ""
    kind = g.draw(8)
    if v.kind == "b":
        g.write(f"jnp.{g.choose(('any', 'all', 'sum'))}({v.name}, axis={axis}{keep})", [0])
    elif v.kind in "iu":
        name = g.choose(("sum", "prod", "max", "min")) if v.size else "sum"
        g.write(f"jnp.{name}({v.name}, axis={axis}{keep})", [0])
    elif kind < 2 and v.exact and v.plain and v.size:
        g.write(f"jnp.{('max', 'min')[kind]}({v.name}, axis={axis}{keep})", [v.grain])
    elif kind == 2 and v.exact and v.size:
        g.write(f"jnp.{g.choose(('argmax', 'argmin'))}({v.name}, axis={axes[0]}{keep})", [0])
    elif kind == 3 and v.size:
        g.write(f"jnp.mean({v.name}, axis={axis}{keep})", [None])
    elif kind == 4 and v.kind == "f" and v.size:
        g.write(f"jnp.sqrt(jnp.var({v.name}, axis={axis}{keep}) + 1)", [None])
    elif kind == 5 and v.kind == "f" and v.size:
        g.write(f"jax.nn.logsumexp({v.name}, axis={axis}{keep})", [None])
    elif kind == 6 and v.kind == "f":
        g.write(f"jnp.prod(jnp.cos({v.name}), axis={axis}{keep})", [None])
    else:
        text = f"jnp.sum({v.name}, axis={axis}{keep})"
        g.write(f"jnp.clip({text}, -16, 16)" if v.exact else f"{text} * 0.125", [v.grain])


def softmax(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind == "f" and v.ndim and v.size)
    if v is None:
        return
    axis = g.draw(v.ndim)
    texts = (
        "jax.nn.softmax({0}, axis={1})",
        "jax.nn.log_softmax({0}, axis={1})",
        "({0} - jnp.mean({0}, {1}, keepdims=True)) * lax.rsqrt(jnp.var({0}, {1}, keepdims=True) + 0.5)",
        "{0} / jnp.sqrt(1 + jnp.sum({0} * {0}, {1}, keepdims=True))",
    )
    g.write(g.choose(texts).format(v.name, axis), [None])


def cumulate(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind in "fiuc" and v.ndim)
    if v is None:
        return
    axis, back = g.draw(v.ndim), bool(g.draw(2))
    kind = g.draw(4)
    if v.kind in "iu" or (v.exact and kind == 0):
        name = g.choose(("cumsum", "cummax", "cummin", "cumprod"))
        if v.kind == "f" and name == "cumprod":
            name = "cummax"
        text = f"lax.{name}({v.name}, {axis}, reverse={back})"
        g.write(f"jnp.clip({text}, -16, 16)" if v.kind == "f" else text, [v.grain])
    elif kind == 1 and v.kind == "f":
        g.write(f"lax.cumprod(jnp.cos({v.name}), {axis}, reverse={back})", [None])
    elif kind == 2 and v.kind == "f":
        g.write(f"lax.cumlogsumexp({v.name}, {axis}, reverse={back})", [None])
    else:
        g.write(f"lax.cumsum({v.name}, {axis}, reverse={back}) * 0.25", [None if v.grain is None else v.grain + 2])


def sort(g: Grammar) -> None:
    v = g.pick(lambda v: v.exact and v.kind in "fiu" and v.ndim)
    if v is None:
        return
    axis = g.draw(v.ndim)
    kind = g.draw(6)
    if kind == 0:
        g.write(f"jnp.sort({v.name}, axis={axis})", [v.grain])
    elif kind == 1:
        g.write(f"jnp.argsort({v.name}, axis={axis}, descending={bool(g.draw(2))})", [0])
    elif kind == 2 and v.shape[-1]:
        g.write(f"lax.top_k({v.name}, {1 + g.draw(v.shape[-1])})", [v.grain, 0])
    elif kind == 3:
        others = [w for w in g.values if w.shape == v.shape and w.kind in "fiub"]
        w = g.choose(others)
        g.write(f"lax.sort(({v.name}, {w.name}), dimension={axis}, num_keys=1)", [v.grain, w.grain])
    elif kind == 4 and v.shape[axis]:
        g.write(f"jnp.median({v.name}, axis={axis})", [None if v.grain is None else v.grain + 1])
    elif kind == 5 and v.shape[axis]:
        k = g.draw(v.shape[axis])
        g.write(f"jnp.sort(jnp.partition({v.name}, {k}, axis={axis}), axis={axis})", [v.grain])


def window(g: Grammar) -> None:
    v = g.pick(lambda v: v.kind in "fi" and v.ndim and v.size and v.dtype in ("float32", "int32"))
    if v is None:
        return
    sizes = tuple(1 + g.draw(min(3, n)) for n in v.shape)
    strides = tuple(1 + g.draw(2) for _ in v.shape)
    padding = g.choose(("'VALID'", "'SAME'", str([(g.draw(2), g.draw(2)) for _ in v.shape])))
    if v.exact and g.draw(2):
        name = g.choose(("max", "min"))
        edge = "np.array(-16, '{0}')" if name == "max" else "np.array(16, '{0}')"
        text = f"lax.reduce_window({v.name}, {edge.format(v.dtype)}, lax.{name}, {sizes}, {strides}, {padding})"
        if v.kind == "f":
            text = text.replace("-16", "-np.inf").replace("(16", "(np.inf")
            text = f"jnp.clip({text}, -16, 16)"
        g.write(text, [v.grain])
    else:
        text = f"lax.reduce_window({v.name}, np.array(0, '{v.dtype}'), lax.add, {sizes}, {strides}, {padding})"
        if v.kind == "f":
            text = f"jnp.clip({text}, -16, 16)" if v.exact else f"{text} * 0.125"
        g.write(text, [v.grain])


WEIGHTS = {view: 10, pad: 3, join: 3, reduce: 7, softmax: 3, cumulate: 3, sort: 3, window: 2}
