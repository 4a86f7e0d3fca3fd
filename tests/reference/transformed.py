"""What the transforms make of the expressions: JAX's answers to each of them under `vmap`, `jvp` and `grad`, its operands as arguments.

An expression such as `jnp.hypot(A, B)` is a function of the operands that it names. Here it is mapped over two of each (the operand, and its elements in reverse order), its derivative
is taken along one direction, and the gradient of a weighted sum of its results with respect to every operand that is a float. Under `jit` it must give what the expression gives, if JAX
compiles it (it refuses what depends on values). `python tests/reference/transformed.py [NAME …]` asks JAX, and writes `transformed/NAME.json`; what JAX refuses is not written down.
"""

from __future__ import annotations

import ast
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import reference

HERE = Path(__file__).parent / "transformed"
MODES = ("vmap", "jvp", "grad")
LEFT_OUT = {"programs": "whole programs, which transform what they need"}
SAMPLE = 4
DIGITS = 6

DIFFERENT = (
    {
        ("jvp", "lax.cumlogsumexp(N, 1, reverse=True)"): "where an element is infinite, weft gives the limit",
        ("grad", "lax.cumlogsumexp(N, 1, reverse=True)"): "where an element is infinite, weft gives the limit",
        (
            "grad",
            "grad(lambda x: jnp.sum(jnp.sinc(x)))(A)",
        ): "JAX loses four digits; weft agrees with the formula in float64",
        ("grad", "jnp.var(A, axis=0, ddof=2)"): "the variance of too few elements is a constant NaN in weft",
        (
            "grad",
            "random.truncated_normal(random.PRNGKey(4), -1.0, V3)",
        ): "a last bit decides whether a draw is clamped",
        ("jvp", "scipy.stats.expon.logcdf(A * 4 - 2, -0.5, 1.5)"): "JAX gives NaN outside of the support",
        ("jvp", "scipy.stats.gamma.logcdf(A * 4, 2.5, 0.1, 1.5)"): "JAX gives NaN outside of the support",
        ("grad", "grad(lambda a: (a[jnp.array([7, -1])] * B).sum())(A)"): "what was dropped has no derivative either",
        ("grad", "jsl.expm(SQ * 1e7)"): "NaN, as the value is",
        ("grad", "scipy.stats.pareto.cdf(A * 4, 2.5, 0.1, 0.5)"): "JAX gives NaN outside of the support",
        ("grad", "scipy.stats.gamma.sf(A * 4, 2.5, 0.1, 1.5)"): "JAX gives NaN outside of the support",
        ("grad", "scipy.stats.gamma.logsf(A * 4, 2.5, 0.1, 1.5)"): "JAX gives NaN outside of the support",
        (
            "jvp",
            "grad(lambda a, b, c, x: scipy.special.hyp2f1(a, b, c, x).sum(), (0, 1, 2, 3))(A, B, A + 1, B / 2)",
        ): "JAX loses two digits; weft agrees with JAX in float64",
        ("grad", 'lax.mul(A, B, out_dtype="float16")'): "the factors are rounded to float16 before, in weft",
        ("grad", "jnp.linalg.svd(ZM, compute_uv=False)"): "of a singular value that is 0, any vectors will do",
        ("grad", "jnp.linalg.norm(ZM, 'nuc')"): "of a singular value that is 0, any vectors will do",
        (
            "grad",
            "optim.ctc_loss_with_forward_probs(X[0], jnp.zeros((4, 6)), jnp.array([[1, 2], [3, 3], [4, 1], [2, 2]]), jnp.zeros((4, 2)))",
        ): "logarithms of 0 are -1e5, beside which a digit is lost",
    }
    | {
        (mode, expression): reason
        for mode in ("jvp", "grad")
        for expression, reason in {
            "jnp.unique(A, return_index=True)": "JAX gives 0 if the places are asked for, too",
            "grad(lambda x: scipy.special.log_ndtr(x).sum())(A * 12 - 9)": "JAX loses a digit more of the second derivative",
            "jsl.eigh_tridiagonal(V3, V2, eigvals_only=True)": "JAX differentiates through its bisection",
            "jsl.eigh_tridiagonal(V3, V2, eigvals_only=True, select='i', select_range=(1, 2))": "JAX differentiates through its bisection",
        }.items()
    }
    | {
        (
            mode,
            expression,
        ): "the derivative with respect to the triangle that is read; JAX's takes the matrix for symmetric"
        for mode in ("jvp", "grad")
        for expression in (
            "jnp.linalg.cholesky(SQ + 3 * jnp.eye(3), symmetrize_input=False)",
            "jnp.linalg.eigvalsh(SQ, UPLO='U', symmetrize_input=False)",
            "jnp.linalg.eigh(SQ, UPLO='L', symmetrize_input=False)[0]",
        )
    }
)
"""Where weft's answer is another, and why."""


class Function:
    """An expression as a function of the operands that it names."""

    def __init__(self, jax: Any, expression: str, names: dict[str, Any], operands: Sequence[str]):
        tree = ast.parse(expression, mode="eval")
        self.jax, self.names, self.code = jax, names, compile(tree, expression, "eval")
        self.used = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & set(operands))
        self.arguments = [names[n] for n in self.used]
        self.floats = [k for k, x in enumerate(self.arguments) if is_float(jax, x)]

    def __call__(self, *arguments: Any) -> Any:
        return reference.evaluate(self.code, self.names | dict(zip(self.used, arguments, strict=True)))

    def of_floats(self, *floats: Any) -> Any:
        """The function with all but the floats as they are."""
        arguments = list(self.arguments)
        for k, value in zip(self.floats, floats, strict=True):
            arguments[k] = value
        return self(*arguments)

    def jit(self) -> Any:
        """The value, of compiled code."""
        return self.jax.jit(self)(*self.arguments)

    def vmap(self) -> Any:
        """The values of two sets of operands."""
        stack = self.jax.numpy.stack
        return self.jax.vmap(self)(*[stack([x, x.reshape(-1)[::-1].reshape(x.shape)]) for x in self.arguments])

    def jvp(self) -> Any:
        """The derivative of each float result along one direction."""
        primals = tuple(self.arguments[k] for k in self.floats)
        tangents = tuple(weights(self.jax, p, 3) - 0.5 for p in primals)
        found = self.jax.jvp(self.of_floats, primals, tangents)[1]
        return [t for t in self.jax.tree_util.tree_leaves(found) if is_float(self.jax, t)]

    def grad(self) -> Any:
        """The gradient of a sum of the float results, each element with a weight of its own."""

        def total(*floats: Any) -> Any:
            found = 0.0
            for x in self.jax.tree_util.tree_leaves(self.of_floats(*floats)):
                if is_float(self.jax, x):
                    weighted = self.jax.numpy.asarray(x) * weights(self.jax, x, 2)
                    found = found + self.jax.numpy.real(weighted).astype("float32").sum()
            return found

        wanted = tuple(range(len(self.floats)))
        return self.jax.grad(total, argnums=wanted)(*[self.arguments[k] for k in self.floats])


def is_float(jax: Any, x: Any) -> bool:
    """Whether something is an array that has derivatives."""
    return hasattr(x, "dtype") and jax.numpy.issubdtype(x.dtype, jax.numpy.inexact)


def weights(jax: Any, like: Any, period: int) -> Any:
    """Small numbers in the shape and dtype of an array."""
    numbers = 1 + np.arange(np.prod(like.shape, dtype=int)).reshape(like.shape) % period
    return jax.numpy.asarray(numbers.astype(np.float32)).astype(like.dtype)


def functions(jax: Any, file: str, expressions: Sequence[str]) -> dict[str, Function]:
    """The expressions of a file that name operands."""
    names = reference.names(jax)
    operands = [n for n in reference.operands(jax.numpy) if n != "jnp_types"]
    found = {e: Function(jax, e, names, operands) for e in expressions}
    return {e: f for e, f in found.items() if f.used}


def compiles(jax: Any, f: Function) -> bool:
    """Whether JAX traces a function whose results are arrays."""
    try:
        jax.eval_shape(f, *f.arguments)
    except Exception:
        return False
    leaves = jax.tree_util.tree_leaves(f(*f.arguments))
    return bool(leaves) and all(hasattr(x, "dtype") for x in leaves)


def answer(jax: Any, f: Callable[[], Any]) -> dict[str, Any] | None:
    """The types and some elements of the arrays that a function gives. None if it gives none, or something else beside."""
    leaves = jax.tree_util.tree_leaves(f())
    if not leaves or not all(hasattr(x, "dtype") for x in leaves):
        return None
    parts = [reference.describe(x) for x in leaves]
    return {"type": [p[0].rstrip("~") for p in parts], "values": [sample(p[1]) for p in parts]}


def sample(elements: list[Any]) -> list[Any]:
    """A few of the elements, with a few digits: enough to tell a wrong derivative."""
    few = elements[:: max(1, len(elements) // SAMPLE)][:SAMPLE]
    return [float(f"{v:.{DIGITS}g}") if isinstance(v, float) else v for v in few]


def write(files: Sequence[str]) -> None:
    """Asks JAX, and writes down its answers."""
    import jax

    warnings.simplefilter("ignore")
    HERE.mkdir(exist_ok=True)
    every = reference.expressions()
    for file in files:
        found: dict[str, Any] = {}
        with reference.precision(jax, file):
            for expression, f in functions(jax, file, every[file]).items():
                if compiles(jax, f):
                    found[expression] = {"jit": True}
                for mode in MODES:
                    if mode == "vmap" or f.floats:
                        try:
                            here = answer(jax, getattr(f, mode))
                        except Exception:  # what JAX refuses, weft may do
                            continue
                        if here is not None:
                            found.setdefault(expression, {})[mode] = here
        if found:
            lines = ",\n".join(f"{json.dumps(e)}: {json.dumps(a, separators=(',', ':'))}" for e, a in found.items())
            (HERE / f"{file}.json").write_text(f"{{\n{lines}\n}}\n")
        print(f"{file}: {len(found)}")


def answers() -> dict[str, dict[str, Any]]:
    """What JAX said, by file, expression and mode."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(HERE.glob("*.json"))}


if __name__ == "__main__":
    write(sys.argv[1:] or [f for f in reference.expressions() if not f.startswith("errors") and f not in LEFT_OUT])
