"""The error function and its kin, and the normal distribution.

The tails are those of the scaled complement `erfcx`, a Chebyshev series in (x - 3.75) / (x + 3.75) (after M. Shepherd and J. Laframboise, Math. Comp. 36, 1981); the quantile is by
M. Wichura's rational approximations (algorithm AS 241, Applied Statistics 37, 1988).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.custom import custom_jvp
from weft.dialects.dtypes import complex64, complex128, float64
from weft.lax.base import constant
from weft.scipy.special import tables
from weft.scipy.special.base import chebyshev, polynomial, real, special, where_safe, wide

__all__ = ["dawsn", "erf", "erfc", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri", "owens_t", "wofz"]


def erf(x: Any) -> Array:
    """The error function."""
    (x,) = real("erf", x)
    return lax.erf(x)


def erfc(x: Any) -> Array:
    """1 - erf(x), exact in the tail."""
    (x,) = real("erfc", x)
    return lax.erfc(x)


def erfinv(x: Any) -> Array:
    """The inverse of erf."""
    (x,) = real("erfinv", x)
    return lax.erf_inv(x)


def erfcx(x: Any) -> Array:
    """exp(x²) erfc(x); of complex numbers by `wofz`."""
    x = wnp.asarray(x)
    return wofz(1j * x) if x.dtype.kind == "c" else _erfcx(x)


@special(lambda out, x: 2 * x * out - 2 / math.sqrt(math.pi))
def _erfcx(x: Array) -> Array:
    a = lax.abs(x)
    t = wnp.where(wnp.isinf(a), 1.0, (a - 3.75) / (where_safe(~wnp.isinf(a), a, 1.0) + 3.75))
    above = chebyshev(t.astype(x.dtype), tables.ERFCX) / (1 + 2 * a)
    return wnp.where(x < 0, 2 * lax.exp(x * x) - above, above)


@special(lambda out, x: 1 - 2 * x * out)
def dawsn(x: Array) -> Array:
    """Dawson's integral: exp(-x²) times the integral of exp(t²) up to x."""
    a = lax.abs(x)
    near, far = a < 3, a > 6
    small = where_safe(near, a, 1.0)
    middle = where_safe(~near & ~far, a, 4.0)
    large = where_safe(far, a, 7.0)
    found = small * chebyshev(small * small * (2 / 9) - 1, tables.DAWSON_NEAR)
    found = wnp.where(near, found, chebyshev(middle * (2 / 3) - 3, tables.DAWSON_MIDDLE) / middle)
    found = wnp.where(far, chebyshev(2 * (6 / large) ** 2 - 1, tables.DAWSON_FAR) / large, found)
    return wnp.where(wnp.isnan(x), x, lax.sign(x) * found)


def ndtr(x: Any) -> Array:
    """The distribution function of the standard normal distribution."""
    x = wide("ndtr", x)
    return constant(0.5, (), x.dtype) * lax.erfc(-x * math.sqrt(0.5))


def _density_over_distribution(x: Array) -> Array:
    """The derivative of log_ndtr, without a quotient of two numbers that vanish."""
    low = x < 0
    safe = where_safe(low, x, -1.0)
    tail = math.sqrt(2 / math.pi) / erfcx(-safe * math.sqrt(0.5))
    body = lax.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) / ndtr(where_safe(~low, x, 0.0))
    return wnp.where(low, tail, body)


@special(lambda out, x: _density_over_distribution(x))
def _log_ndtr(x: Array) -> Array:
    low = x < -1
    safe = where_safe(low, x, -2.0)
    tail = lax.log(0.5 * erfcx(-safe * math.sqrt(0.5))) - 0.5 * safe * safe
    upper = x > 1  # near 0: of the other tail
    body = wnp.where(
        upper,
        lax.log1p(-0.5 * lax.erfc(where_safe(upper, x, 2.0) * math.sqrt(0.5))),
        lax.log(0.5 * lax.erfc(-where_safe(~low, x, 0.0) * math.sqrt(0.5))),
    )
    return wnp.where(low, wnp.where(wnp.isinf(x), -wnp.inf, tail), body)


def log_ndtr(x: Any, series_order: int = 3) -> Array:
    """log(ndtr(x)), exact in both tails. `series_order`, of the method that JAX uses, is checked and has no effect here."""
    if not isinstance(series_order, int):
        raise TypeError("series_order must be a Python integer.")
    if not 0 <= series_order <= 30:
        raise ValueError("series_order must be non-negative and <= 30.")
    return _log_ndtr(wide("log_ndtr", x))


_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
     1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
    (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867, 5394.1960214247511077,
     687.18700749205790830, 42.313330701600911252, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 0.241780725177450611770, 1.27045825245236838258,
     3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 0.148103976427480074590,
     0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 0.136929880922735805310, 0.599832206555887937690, 1.0),
)  # fmt: skip


def ndtri(p: Any) -> Array:
    """The quantile of the standard normal distribution: the inverse of ndtr. Infinite at 0 and 1, NaN outside."""
    return _ndtri(wide("ndtri", p))


@special(lambda out, p: math.sqrt(2 * math.pi) * lax.exp(0.5 * out * out))
def _ndtri(p: Array) -> Array:
    q = p - 0.5
    central = lax.abs(q) <= 0.425
    inside = (p > 0) & (p < 1)
    r = 0.180625 - where_safe(central, q, 0.0) ** 2
    middle = q * polynomial(r, _CENTRE[0]) / polynomial(r, _CENTRE[1])
    side = where_safe(inside & ~central, wnp.minimum(p, 1 - p), 0.01)
    r = lax.sqrt(-lax.log(side))
    near, far = r - 1.6, r - 5
    tail = wnp.where(
        r <= 5,
        polynomial(near, _TAIL[0]) / polynomial(near, _TAIL[1]),
        polynomial(far, _FAR_TAIL[0]) / polynomial(far, _FAR_TAIL[1]),
    )
    found = wnp.where(central, middle, lax.sign(q) * tail)
    edge = wnp.where((p == 0) | (p == 1), lax.sign(q) * wnp.inf, wnp.nan)
    return wnp.where(inside, found, edge)


@cache
def _weideman() -> tuple[float, tuple[float, ...]]:
    """L, and the coefficients of a polynomial in (L + iz) / (L - iz), the highest first: J. Weideman, "Computation of the complex error function", SIAM J. Numer. Anal. 31, 1994."""
    terms, samples = 40, 160
    scale = math.sqrt(terms / math.sqrt(2))
    angles = [math.pi * k / (samples // 2) for k in range(1 - samples // 2, samples // 2)]
    points = [scale * math.tan(t / 2) for t in angles]
    values = [math.exp(-x * x) * (scale * scale + x * x) for x in points]
    return scale, tuple(
        math.fsum(v * math.cos(n * t) for v, t in zip(values, angles, strict=True)) / samples
        for n in range(terms, 0, -1)
    )


@custom_jvp
def _wofz(z: Array) -> Array:
    scale, coefficients = _weideman()
    above = z.imag >= 0
    upper = 1j * wnp.where(above, z, -z)
    below = 1 / (scale - upper)
    found = 2 * polynomial((scale + upper) * below, coefficients) * below * below + below / math.sqrt(math.pi)
    return wnp.where(above, found, 2 * lax.exp(-z * z) - found)


@_wofz.defjvp
def _(primals: Any, tangents: Any) -> Any:
    found = _wofz(*primals)
    return found, tangents[0] * (2j / math.sqrt(math.pi) - 2 * primals[0] * found)


def wofz(z: Any) -> Array:
    """Faddeeva's function exp(-z²) erfc(-iz), of complex numbers."""
    x = wnp.asarray(z)
    double = x.dtype in (float64, complex128) or (x.dtype.is_integer and x.dtype.bits == 64)
    return _wofz(x.astype(complex128 if double else complex64))


@cache
def _legendre(count: int) -> list[tuple[float, float]]:
    """Places and weights of Gauss' quadrature on [0, 1]: the zeros of a Legendre polynomial, by Newton's method."""
    found: list[tuple[float, float]] = []
    for k in range(count):
        x, slope = math.cos(math.pi * (k + 0.75) / (count + 0.5)), 1.0
        for _ in range(8):
            before, now = 1.0, x
            for n in range(1, count):
                before, now = now, ((2 * n + 1) * x * now - n * before) / (n + 1)
            slope = count * (x * now - before) / (x * x - 1)
            x -= now / slope
        found.append(((1 + x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return found


def _owens_by_h(out: Array, h: Array, a: Array) -> Array:
    return -lax.exp(-0.5 * h * h) * lax.erf(a * h / math.sqrt(2)) / (2 * math.sqrt(2 * math.pi))


def _owens_by_a(out: Array, h: Array, a: Array) -> Array:
    return lax.exp(-0.5 * (1 + a * a) * h * h) / (2 * math.pi * (1 + a * a))


@special(_owens_by_h, _owens_by_a)
def owens_t(h: Array, a: Array) -> Array:
    """Owen's T: the integral of exp(-h² (1 + t²) / 2) / (2 pi (1 + t²)) from 0 to a, by Gauss' quadrature; for |a| > 1 from its value at (ah, 1 / a)."""
    height, slope = lax.abs(h), lax.abs(a)
    steep = slope > 1
    x = wnp.where(steep, where_safe(height > 0, height, 1.0) * slope, height)
    upto = wnp.where(steep, 1 / where_safe(steep, slope, 1.0), slope)
    found = wnp.zeros_like(x * upto)
    for place, weight in _legendre(20):
        r = 1 + (upto * place) ** 2
        found = found + weight * lax.exp(-0.5 * x * x * r) / r
    found = upto * found / (2 * math.pi)
    p, q = lax.erfc(height / math.sqrt(2)), lax.erfc(x / math.sqrt(2))
    found = wnp.where(steep, (p + q - p * q) / 4 - found, found)
    found = lax.sign(a) * wnp.where(h == 0, wnp.arctan(slope) / (2 * math.pi), found)
    return wnp.where(wnp.isnan(a) | wnp.isnan(h), wnp.nan, found)
