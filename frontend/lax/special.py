"""Special functions that JAX counts among its operators: incomplete gamma and beta functions, Bessel and zeta functions. The methods are those of `weft.scipy.special`, which is imported with the first call."""

from __future__ import annotations

from weft.array import Array, wrap
from weft.dialects.array.node import Node
from weft.dialects.dtypes import float32
from weft.lax.base import ArrayLike, agree
from weft.lax.elementwise import div, eq, exp, floor, full_like, lgamma, log, mul, neg, select, sub

__all__ = [
    "bessel_i0e", "bessel_i1e", "betainc", "igamma", "igamma_grad_a", "igammac", "polygamma", "random_gamma_grad",
    "zeta",
]  # fmt: skip


def _floats(name: str, *xs: ArrayLike) -> list[Array]:
    """Operands of one floating dtype. Raises TypeError for others."""
    nodes: list[Node] = agree(name, *xs)
    if nodes[0].dtype.kind != "f":
        raise TypeError(f"{name} does not accept dtype {nodes[0].dtype}. Accepted dtypes are floating ones.")
    return [wrap(n) for n in nodes]


def igamma(a: ArrayLike, x: ArrayLike) -> Array:
    """The regularised lower incomplete gamma function."""
    from weft.scipy.special import gammainc

    return gammainc(*_floats("igamma", a, x))


def igammac(a: ArrayLike, x: ArrayLike) -> Array:
    """The regularised upper incomplete gamma function."""
    from weft.scipy.special import gammaincc

    return gammaincc(*_floats("igammac", a, x))


def igamma_grad_a(a: ArrayLike, x: ArrayLike) -> Array:
    """The derivative of igamma by a."""
    from weft.scipy.special.incomplete import gamma_slope

    a, x = _floats("igamma_grad_a", a, x)
    if x.dtype.bits < 32:  # 16-bit floats cannot count the terms
        return gamma_slope(a.astype(float32), x.astype(float32)).astype(x.dtype)
    return gamma_slope(a, x)


def random_gamma_grad(a: ArrayLike, x: ArrayLike) -> Array:
    """How a gamma number x moves with its shape parameter a, while it stays at its quantile."""
    a, x = _floats("random_gamma_grad", a, x)
    density = exp(sub(sub(mul(sub(a, _one(a)), log(x)), x), lgamma(a)))
    return neg(div(igamma_grad_a(a, x), density))


def _one(x: Array) -> Array:
    from weft.lax.base import constant

    return constant(1.0, (), x.dtype)


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """The regularised incomplete beta function."""
    from weft.scipy import special

    return special.betainc(*_floats("betainc", a, b, x))


def bessel_i0e(x: ArrayLike) -> Array:
    """exp(-|x|) times the modified Bessel function of order 0."""
    from weft.scipy.special import i0e

    return i0e(*_floats("bessel_i0e", x))


def bessel_i1e(x: ArrayLike) -> Array:
    """exp(-|x|) times the modified Bessel function of order 1."""
    from weft.scipy.special import i1e

    return i1e(*_floats("bessel_i1e", x))


def zeta(x: ArrayLike, q: ArrayLike) -> Array:
    """Hurwitz' zeta function."""
    from weft.scipy import special

    return special.zeta(*_floats("zeta", x, q))


def polygamma(m: ArrayLike, x: ArrayLike) -> Array:
    """The derivative of order m of digamma; m are whole numbers in x's dtype. NaN for others."""
    from weft.scipy import special

    m, x = _floats("polygamma", m, x)
    whole = eq(m, floor(m))
    return special.polygamma(select(whole, m, neg(full_like(m, 1))).astype("int32"), x)
