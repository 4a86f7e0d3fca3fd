"""Productions that read and write at places: slices, gathers, scatters, their dynamic kinds, one-hot rows."""

from __future__ import annotations

from .grammar import Grammar, Var


def _rows(g: Grammar, n: int) -> str:
    """Some row numbers below n: known ones, or values of the program."""
    index = g.pick(lambda v: v.kind in "iu" and v.ndim == 1 and v.size)
    if index is None or g.chance(3):
        return f"jnp.array({[g.draw(n) for _ in range(1 + g.draw(3))]})"
    if index.kind == "u" or g.draw(2):
        return f"jnp.clip({index.name}, 0, {n - 1})"
    return f"({index.name} % {n})"


def read(g: Grammar) -> None:
    v = g.pick(lambda v: v.ndim and v.size)
    if v is None:
        return
    n = v.shape[0]
    last = v.shape[-1]
    texts = [
        f"{v.name}[{g.draw(n)}]",
        f"{v.name}[{g.draw(n)}::{1 + g.draw(2)}]",
        f"{v.name}[..., None, ::-1]",
        f"{v.name}[{_rows(g, n)}]",
        f"jnp.take({v.name}, {_rows(g, last)}, axis={v.ndim - 1})",
        f"jnp.take({v.name}, jnp.array([0, {n}, -1]), axis=0, mode='{g.choose(('clip', 'wrap'))}')",
        f"{v.name}[-1:, ...]",
    ]
    if v.ndim >= 2:
        texts += [
            f"{v.name}[{g.draw(n)}, ..., {_rows(g, last)}]",
            f"{v.name}[{_rows(g, n)}[:1], {_rows(g, v.shape[1])}]",
        ]
    g.write(g.choose(texts), [v.grain])


def along(g: Grammar) -> None:
    v = g.pick(lambda v: v.ndim and v.size)
    if v is None:
        return
    axis = g.draw(v.ndim)
    i = g.pick(
        lambda w: (
            w.kind in "i" and w.ndim == v.ndim and all(w.shape[k] == n for k, n in enumerate(v.shape) if k != axis)
        )
    )
    index = (
        f"{i.name} % {v.shape[axis]}"
        if i
        else f"jnp.zeros({tuple(1 if k == axis else n for k, n in enumerate(v.shape))}, int)"
    )
    g.write(f"jnp.take_along_axis({v.name}, {index}, axis={axis})", [v.grain])


def update(g: Grammar) -> None:
    v = g.pick(lambda v: v.ndim and v.size and v.kind != "b")
    if v is None:
        return
    n = v.shape[0]
    rows = g.draw(4)
    place = (f"[{g.draw(n)}]", f"[{g.draw(n)}:]", f"[{_rows(g, n)}]", f"[..., {g.draw(v.shape[-1])}]")[rows]
    w = g.pick(lambda w: w.dtype == v.dtype and not w.shape and (w.exact or not v.exact))
    value = w.name if w and g.draw(2) else "1"
    kind = g.choose(("set", "add", "multiply", "max", "min", "subtract"))
    if kind in ("max", "min") and not (v.exact and value == "1"):
        kind = "add"
    if (kind == "set" and rows == 2 and value != "1") or (v.kind == "c" and kind in ("max", "min")):
        kind = "add"
    if (
        kind == "multiply" and v.kind == "c" and rows == 2
    ):  # the devices refuse it, unless the places are told to differ
        kind = "add"
    if kind == "multiply":
        value = "0.5" if v.kind in "fc" else "3"
    grain = v.grain
    if v.kind == "f" and v.exact:
        grain = (
            max(v.grain, w.grain if value not in ("1", "0.5") and w else 0)
            if kind != "multiply"
            else v.grain + (1 if rows != 2 else 7)
        )
    text = f"{v.name}.at{place}.{kind}({value})"
    g.write(
        f"jnp.clip({text}, -16, 16)" if v.kind == "f" and grain is not None and kind in ("add", "subtract") else text,
        [grain],
    )


def scatter_rows(g: Grammar) -> None:
    """Rows of computed values added at computed places."""
    v = g.pick(lambda v: v.ndim and v.size and v.kind == "f")
    if v is None:
        return
    w = g.pick(lambda w: w.ndim == v.ndim and w.shape[1:] == v.shape[1:] and w.dtype == v.dtype and w.size)
    i = w and g.pick(lambda i: i.kind == "i" and i.shape == w.shape[:1])
    if w is None:
        return
    n = v.shape[0]
    index = f"{i.name} % {n}" if i else f"jnp.arange({w.shape[0]}) % {n}"
    g.write(f"{v.name}.at[{index}].add({w.name} * 0.25)", [None])


def segments(g: Grammar) -> None:
    w = g.pick(lambda w: w.ndim and w.size and w.kind in "fi" and w.dtype in ("float32", "int32"))
    i = w and g.pick(lambda i: i.kind == "i" and i.shape == w.shape[:1])
    if w is None or i is None:
        return
    text = f"jax.ops.segment_sum({w.name}, {i.name} % 4, num_segments=5)"
    g.write(f"jnp.clip({text}, -16, 16)" if w.exact and w.kind == "f" else text, [w.grain])


def _start(g: Grammar) -> str:
    scalar: Var | None = g.pick(lambda s: s.kind == "i" and not s.shape and s.dtype == "int32")
    return scalar.name if scalar and g.draw(2) else str(g.draw(4))


def dynamic(g: Grammar) -> None:
    v = g.pick(lambda v: v.ndim and v.size)
    if v is None:
        return
    starts = f"({', '.join(_start(g) for _ in v.shape)},)"
    sizes = tuple(1 + g.draw(n) for n in v.shape)
    kind = g.draw(4)
    if kind < 2:
        g.write(f"lax.dynamic_slice({v.name}, {starts}, {sizes})", [v.grain])
    elif kind == 2:
        w = g.pick(
            lambda w: (
                w.dtype == v.dtype
                and w.ndim == v.ndim
                and w.size
                and all(a <= b for a, b in zip(w.shape, v.shape, strict=True))
            )
        )
        other = w or v
        exact = v.exact and other.exact
        g.write(
            f"lax.dynamic_update_slice({v.name}, {other.name}, {starts})",
            [max(v.grain or 0, other.grain or 0) if exact else None],
        )
    else:
        axis = g.draw(v.ndim)
        g.write(f"lax.dynamic_index_in_dim({v.name}, {_start(g)}, {axis}, keepdims={bool(g.draw(2))})", [v.grain])


def one_hot(g: Grammar) -> None:
    i = g.pick(lambda i: i.kind == "i" and i.ndim <= 2)
    if i is not None:
        g.write(f"jax.nn.one_hot({i.name}, {2 + g.draw(4)})", [0])


def nonzero(g: Grammar) -> None:
    v = g.pick(lambda v: v.exact and v.ndim == 1 and v.size and v.kind in "fiub")
    if v is None:
        return
    texts = (
        "jnp.nonzero({0}, size={1}, fill_value=0)[0]",
        "jnp.searchsorted(jnp.sort({0}), {0})",
        "jnp.bincount(jnp.clip({0}, 0, 5).astype(int), length=6)",
        "jnp.unique({0}, size={1})",
    )
    text = g.choose(texts[:1] if v.kind == "b" else texts)
    g.write(text.format(v.name, v.shape[0]), [v.grain])


WEIGHTS = {read: 6, along: 2, update: 4, scatter_rows: 2, segments: 1, dynamic: 4, one_hot: 1, nonzero: 1}
