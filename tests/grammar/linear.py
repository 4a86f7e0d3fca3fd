"""Products and what is made of them: dot_general and convolution with any numbering of dimensions, einsum, Fourier transforms, factorisations of well-conditioned matrices."""

from __future__ import annotations

from math import prod

from .grammar import Grammar, Var


def matmul(g: Grammar) -> None:
    x = g.pick(lambda v: v.ndim and v.kind in "fc" and v.size)
    if x is None:
        return
    y = g.pick(lambda v: v.ndim in (1, 2) and v.dtype == x.dtype and v.size and v.shape[0] == x.shape[-1])
    if y is None:
        other = f"jnp.cos(jnp.arange({x.shape[-1] * 3}.)).reshape({x.shape[-1]}, 3).astype('{x.dtype}')"
    else:
        other = y.name
    g.write(f"jnp.sin(0.125 * ({x.name} @ {other}))", [None])


def dot_general(g: Grammar) -> None:
    x = g.pick(lambda v: 1 <= v.ndim <= 3 and v.dtype in ("float32", "int32", "complex64", "int8"))
    if x is None:
        return
    y = g.pick(lambda v: 1 <= v.ndim <= 3 and v.dtype == x.dtype) or x
    pairs = [(i, j) for i, n in enumerate(x.shape) for j, m in enumerate(y.shape) if n == m]
    contract: list[tuple[int, int]] = []
    batch: list[tuple[int, int]] = []
    for _ in range(g.draw(3)):
        if pairs:
            i, j = g.choose(pairs)
            (contract if g.draw(2) else batch).append((i, j))
            pairs = [(a, b) for a, b in pairs if a != i and b != j]
    free = x.ndim + y.ndim - 2 * len(contract) - len(batch)
    if free > 4:
        return
    numbers = (
        (tuple(i for i, _ in contract), tuple(j for _, j in contract)),
        (tuple(i for i, _ in batch), tuple(j for _, j in batch)),
    )
    preferred = ", preferred_element_type='int32'" if x.dtype == "int8" else ""
    text = f"lax.dot_general({x.name}, {y.name}, {numbers}{preferred})"
    g.write(text if x.kind in "iu" else f"jnp.sin({text} * 0.125)", [0 if x.kind in "iu" else None])


def einsum(g: Grammar) -> None:
    x = g.pick(lambda v: v.ndim == 2 and v.kind == "f" and v.size)
    y = x and g.pick(lambda v: v.ndim == 2 and v.dtype == x.dtype and v.shape[0] == x.shape[1])
    if x is None:
        return
    if y is None:
        texts = ("ij,ik->jk", "ij,ij->i", "ij,kj->ik", "ij,ij->", "ij,il->jil")
        g.write(f"0.125 * jnp.einsum('{g.choose(texts)}', {x.name}, {x.name})", [None])
    else:
        texts = ("ij,jk->ki", "ij,jk->j", "ij,jk->ijk", "ij,jk->ik")
        g.write(f"jnp.tanh(0.125 * jnp.einsum('{g.choose(texts)}', {x.name}, {y.name}))", [None])


def convolution(g: Grammar) -> None:
    x = g.pick(lambda v: v.ndim in (3, 4) and v.plain and v.size)
    if x is None:
        return
    spatial = x.ndim - 2
    order = "NC" + "HW"[:spatial]
    layouts = [order, "N" + "HW"[:spatial] + "C", "C" + "HW"[:spatial] + "N", "HW"[:spatial] + "NC"]
    layout = g.choose(layouts)
    channels = x.shape[layout.index("C")]
    groups = 2 if channels % 2 == 0 and g.draw(2) else 1
    kernel = g.choose(["OI" + "HW"[:spatial], "HW"[:spatial] + "IO", "IO" + "HW"[:spatial]])
    sizes = {"O": 2 * groups, "I": channels // groups, "H": 1 + g.draw(3), "W": 1 + g.draw(2)}
    shape = tuple(sizes[c] for c in kernel)
    weights = f"jnp.sin(jnp.arange({prod(shape)}.)).reshape({shape})"
    out = g.choose(layouts)
    padding = g.choose(("'SAME'", str([(1 + g.draw(2), 2) for _ in range(spatial)])))
    extra = f", rhs_dilation={(1 + g.draw(2),) * spatial}"
    if padding != "'SAME'" and g.draw(2):
        extra += f", lhs_dilation={(2,) * spatial}"
    text = (
        f"lax.conv_general_dilated({x.name}, {weights}, {(1 + g.draw(2),) * spatial}, {padding}, "
        f"dimension_numbers={(layout, kernel, out)}, feature_group_count={groups}{extra})"
    )
    g.write(f"jnp.sin(0.25 * {text})", [None])


def fourier(g: Grammar) -> None:
    v = g.pick(lambda v: v.dtype in ("float32", "complex64") and v.ndim and v.size)
    if v is None:
        return
    axis = g.draw(v.ndim)
    texts = ["jnp.fft.fft({0}, axis={1}) * 0.125", "jnp.fft.ifft({0}, axis={1})"]
    if v.kind == "f":
        texts += [
            "jnp.fft.rfft({0}, axis={1}) * 0.125",
            "jnp.real(jnp.fft.ifft(jnp.fft.fft({0}, axis={1}) * 0.5, axis={1}))",
        ]
        if v.ndim > 1:
            texts.append("jnp.fft.rfft2({0}) * 0.0625")
    else:
        texts += ["jnp.fft.fftshift({0})", "jnp.fft.irfft({0}, n={2}, axis={1})", "jnp.fft.fftn({0}) * 0.0625"]
    g.write(g.choose(texts).format(v.name, axis, 2 * max(1, v.shape[axis] - 1) + g.draw(2)), [None])


def _matrix(g: Grammar) -> tuple[Var, str] | None:
    """A well-conditioned square matrix (or a batch of them) made of a value, and of which value."""
    v = g.pick(lambda v: v.plain and v.ndim in (2, 3) and v.size and max(v.shape[-2:]) <= 8)
    if v is None:
        return None
    n = v.shape[-2]
    return v, f"(4 * jnp.eye({n}) + 0.25 * jnp.tanh({v.name} @ jnp.swapaxes({v.name}, -1, -2)))"


def factor(g: Grammar) -> None:
    made = _matrix(g)
    if made is None:
        return
    v, m = made
    right = f"{v.name}"
    texts = (
        f"jnp.linalg.cholesky({m})",
        f"jnp.linalg.solve({m}, {right})",
        f"jnp.linalg.inv({m})",
        f"jnp.linalg.slogdet({m})[1]",
        f"lax.linalg.triangular_solve({m}, {right}, left_side=True, lower=True)",
        f"jax.scipy.linalg.cho_solve((jnp.linalg.cholesky({m}), True), {right})",
        f"jnp.linalg.det({m} * 0.25)",
        f"jnp.linalg.norm(3 + jnp.sin({v.name}), axis=-1)",
        f"jnp.linalg.matrix_power({m} * 0.125, 3)",
    )
    g.traits.loose = True
    g.write(g.choose(texts), [None])


WEIGHTS = {matmul: 3, dot_general: 3, einsum: 2, convolution: 2, fourier: 2, factor: 2}
