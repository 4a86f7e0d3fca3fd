"""Factorisations and solves, seen by what is unique in their results."""

from __future__ import annotations

from operator import itemgetter

import numpy as np

from sampling.draw import Draw, samples
from weft.dialects.array import ops
from weft.dialects.array.node import Node
from weft.dialects.array.ops import algebra, matrices


def _matrices(d: Draw, lead: tuple[int, ...], n: int, m: int) -> np.ndarray:
    """Matrices far from singular: ones of the diagonal's size apart from it, in a random order of rows. Real or complex."""
    x = d.random.uniform(-0.4, 0.4, (*lead, n, m))
    dtype = np.dtype(d.dtype("fc").name)
    dtype = dtype if dtype.name in ("float64", "complex128", "complex64") else np.dtype("float32")
    if dtype.kind == "c":
        x = x + 1j * d.random.uniform(-0.4, 0.4, x.shape)
    x[..., range(min(n, m)), range(min(n, m))] += d.random.uniform(1, 2, min(n, m)) * d.of(1, -1)
    return x[..., d.random.permutation(n), :].astype(dtype)


def _lead(d: Draw) -> tuple[int, ...]:
    return d.of((), (), (2,), (2, 1)) if d.smooth else d.of((), (), (3,), (2, 1), (0,))


@samples(ops.TriangularSolveOp)
def _triangular_solve(d: Draw):
    lead, n, m = _lead(d), d.int(d.smooth, 4), d.int(d.smooth, 3)
    flags = ("left_side", "lower", "transpose_a", "conjugate_a", "unit_diagonal")
    params = {name: d.of(True, False) for name in flags}
    b = _matrices(d, lead, *((n, m) if params["left_side"] else (m, n)))
    a = d.random.uniform(-1, 1, (*lead, n, n)).astype(b.dtype)
    if b.dtype.kind == "c":
        a.imag = d.random.uniform(-1, 1, a.shape)
    a[..., range(n), range(n)] = d.random.uniform(1, 3, n)
    return (a, b), params


@samples(ops.CholeskyOp)
def _cholesky(d: Draw):
    lead, n = _lead(d), d.int(d.smooth, 5)
    x = _matrices(d, lead, n, n)
    definite = d.smooth or d.int(0, 3)
    return ((x @ x.swapaxes(-1, -2).conj()) * (1 if definite else -1),), {}


@samples(ops.LuOp)
def _lu(d: Draw):
    return (
        (_matrices(d, _lead(d), d.int(d.smooth, 4), d.int(d.smooth, 4)),),
        {},
        itemgetter(0 if d.smooth else d.int(0, 2)),
    )


@samples(ops.QrOp)
def _qr(d: Draw):
    n, m = d.int(d.smooth, 4), d.int(d.smooth, 4)
    full = d.of(True, False) if n <= m or not d.smooth else False  # columns beyond the range may turn as they like
    return (_matrices(d, _lead(d), n, m),), {"full_matrices": full}, itemgetter(d.int(0, 1))


def _adjoint(x: Node) -> Node:
    return matrices.adjoint(x)


def _scaled(x: Node, by: Node) -> Node:
    """Columns times real factors."""
    return algebra.mul(x, matrices.like(matrices.spread(matrices.row_of(by), x), x))


@samples(ops.EighOp)
def _eigh(d: Draw):
    """Seen by what is unique: the eigenvalues, and functions of the matrix (the square, the identity)."""
    lead, n = _lead(d), d.int(d.smooth, 4)
    x = _matrices(d, lead, n, n)
    views = (
        lambda out: out[1],
        lambda out: matrices.matmul(_scaled(out[0], algebra.mul(out[1], out[1])), _adjoint(out[0])),
        lambda out: matrices.matmul(_adjoint(out[0]), out[0]),
    )
    return (x + x.swapaxes(-1, -2).conj() + np.diag(3 * np.arange(n)).astype(x.dtype),), {}, d.of(*views)


@samples(ops.SvdOp)
def _svd(d: Draw):
    """Seen by what is unique: the singular values, and (with vectors) x times its adjoint times x, u u*, v v*."""
    lead, n, m = _lead(d), d.int(d.smooth, 4), d.int(d.smooth, 4)
    x = _matrices(d, lead, n, m)
    full = d.of(True, False) if n == m or not d.smooth else False
    uv = d.of(True, False)
    k = min(n, m)
    views = [lambda out: out[0]]
    if uv:
        views += [
            lambda out: matrices.matmul(
                _scaled(matrices.columns(out[1], 0, k), algebra.integer_pow(out[0], 3)), matrices.rows(out[2], 0, k)
            ),
            lambda out: matrices.matmul(out[1], _adjoint(out[1])),
            lambda out: matrices.matmul(_adjoint(out[2]), out[2]),
        ]
    return (x,), {"full_matrices": full, "compute_uv": uv}, d.of(*views)
