"""Expressions that weft and JAX must agree on, and what JAX said of them.

`expressions/*.txt` hold Python expressions, one a line, over the operands below, `jax` and its modules jnp, lax, nn, random, four transforms, and whole `programs`. `python tests/reference/reference.py [NAME …]`
(in an environment with JAX; it is no dependency of weft) evaluates them there and writes `answers/NAME.json`: dtype, shape and up to 24 elements of each result, or the type of the error.
Files named `errors*` hold what JAX refuses; those named `*_x64` run with 64-bit types. `tests/unit/test_against_jax.py` holds weft against the answers.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import programs

HERE = Path(__file__).parent
SAMPLE = 24


def expressions() -> dict[str, list[str]]:
    """The expressions of each file, by its name."""
    return {
        path.stem: [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        for path in sorted((HERE / "expressions").glob("*.txt"))
    }


def answers() -> dict[str, dict[str, Any]]:
    """What JAX said of the expressions of each file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "answers").glob("*.json"))}


def names(jax: Any) -> dict[str, Any]:
    """What the expressions may name, of weft or of JAX."""
    modules = {"jax": jax, "jnp": jax.numpy, "lax": jax.lax, "nn": jax.nn, "random": jax.random, "np": np}
    modules["jsl"] = import_module(f"{jax.__name__}.scipy.linalg")
    transforms = {"grad": jax.grad, "jit": jax.jit, "vmap": jax.vmap, "jvp": jax.jvp}
    return operands(jax.numpy) | modules | transforms | libraries(jax)


LIBRARIES = (
    "flatten_util",
    "image",
    "ops",
    "scipy.cluster.vq",
    "scipy.fft",
    "scipy.interpolate",
    "scipy.special",
    "scipy.stats",
    "scipy.integrate",
    "scipy.ndimage",
    "scipy.signal",
    "scipy.sparse.linalg",
    "scipy.optimize",
    "experimental.checkify",
    "experimental.jet",
    "experimental.ode",
)


def libraries(jax: Any) -> dict[str, Any]:
    """Modules that are imported by name, and Optax (weft's is its own)."""
    for module in LIBRARIES:
        import_module(f"{jax.__name__}.{module}")
    optim = import_module("optax" if jax.__name__ == "jax" else "weft.optim")
    parts = {"optim": optim, "optimise": partial(optimise, jax, optim), "programs": programs}
    parts["minimise"] = partial(minimise, jax, optim)
    return parts | {"scipy": jax.scipy, "valley": partial(valley, jax)}


def optimise(jax: Any, optim: Any, optimizer: Any, steps: int = 4) -> list[Any]:
    """Parameters after some steps with gradients that are given, as NumPy arrays."""
    rng = np.random.default_rng(1)
    params = {"b": rng.normal(size=(3,)).astype(np.float32), "w": rng.normal(size=(3, 4)).astype(np.float32)}
    params = jax.tree_util.tree_map(jax.numpy.asarray, params)
    state = optimizer.init(params)

    @jax.jit
    def step(params: Any, state: Any, grads: Any) -> Any:
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    for _ in range(steps):
        grads = jax.tree_util.tree_map(lambda p: jax.numpy.asarray(rng.normal(size=p.shape).astype(np.float32)), params)
        params, state = step(params, state, grads)
    return [np.asarray(p) for p in jax.tree_util.tree_leaves(params)]


def valley(jax: Any, params: Any) -> Any:
    """A function with a long curved valley (H. Rosenbrock, 1960), and a bowl beside it."""
    a, b = params["a"], params["b"]
    return (10 * (a[1:] - a[:-1] ** 2) ** 2 + (1 - a[:-1]) ** 2).sum() + (b**2).sum()


def minimise(jax: Any, optim: Any, optimizer: Any, steps: int = 4, given: str = "value grad value_fn") -> list[Any]:
    """The value and the parameters after some steps down the valley, and what the state's last scalars are. `given` says what the optimiser's update wants beside gradients."""
    params = {"a": jax.numpy.array([-1.2, 1.0, 0.5]), "b": jax.numpy.array([3.0, 1.0])}
    function, state = partial(valley, jax), optimizer.init(params)

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        value, grad = jax.value_and_grad(function)(params)
        extra = {"value": value, "grad": grad, "value_fn": function, "obj_fn": function}
        updates, state = optimizer.update(grad, state, params, **{name: extra[name] for name in given.split()})
        return optim.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    scalars = [x for x in jax.tree_util.tree_leaves(state) if not x.shape]
    return [np.asarray(x) for x in (function(params), *jax.tree_util.tree_leaves(params), *scalars[-4:])]


@contextmanager
def precision(jax: Any, file: str) -> Iterator[None]:
    """64-bit types for the files that want them."""
    jax.config.update("jax_enable_x64", file.endswith("_x64"))
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)


TYPES = "bool int8 int16 int32 uint8 uint16 uint32 float16 bfloat16 float32 complex64".split()  # noqa: SIM905


def operands(jnp: Any) -> dict[str, Any]:
    """The arrays that expressions name, the same on both sides; those that a device does not take are left out."""
    rng = np.random.default_rng(0)

    def uniform(*shape: int) -> Any:
        return rng.random(shape).astype(np.float32)

    host = {
        "A": uniform(2, 3),
        "B": uniform(2, 3),
        "V2": uniform(2),
        "V3": uniform(3),
        "T3": uniform(2, 2, 3),
        "SQ": uniform(3, 3),
        "X": uniform(2, 4, 6, 5),  # images, NCHW
        "XB": uniform(4, 4, 6, 5),
        "XH": uniform(2, 6, 5, 4),  # images, NHWC
        "W": uniform(6, 4, 3, 3),  # windows, OIHW
        "WG": uniform(6, 2, 3, 3),  # in two groups
        "WH": uniform(3, 3, 4, 6),  # HWIO
        "I": np.array([[0, 1, 2], [3, 4, 5]], np.int32),
        "J": np.array([[2, 0, 1], [3, 1, 2]], np.int32),
        "U": np.array([[0, 1, 2], [3, 4, 2**31 + 5]], np.uint32),
        "M": np.array([[1, 0, 1], [0, 0, 1]], bool),
        "N": np.array([[1, np.nan, 2], [np.inf, -np.inf, 0.5]], np.float32),
        "H": np.arange(6).reshape(2, 3).astype(np.float16),
        "Z": np.array([1 + 2j, -0.5 + 0.25j, 0.3 - 1.5j], np.complex64),
        "W3": np.array([0.5 - 1j, 2 + 0.1j, 0.3 + 0.7j], np.complex64),
        "ZM": (np.arange(9).reshape(3, 3) - 2 + 1j * np.arange(9)[::-1].reshape(3, 3)).astype(np.complex64),
    }
    found: dict[str, Any] = {"jnp_types": TYPES}
    for name, array in host.items():
        with suppress(TypeError):
            found[name] = jnp.asarray(array)
    return found


def evaluate(code: str | CodeType, names: dict[str, Any]) -> Any:
    """The value of an expression, without the warnings that it is meant to give: `tests/unit/test_warnings.py` holds weft to those."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(code, dict(names))


def answer(expression: str, names: dict[str, Any]) -> dict[str, Any]:
    """What an expression gives, as JSON: the type of an array, and some of its elements; of several results, all."""
    try:
        value = evaluate(expression, names)
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}
    parts = [describe(v) for v in value] if isinstance(value, (tuple, list)) else [describe(value)]
    return {"type": [p[0] for p in parts], "values": [p[1] for p in parts]}


def describe(value: Any) -> tuple[str, list[Any]]:
    """`float32[2,3]` (with `~` if the type is weak), and elements."""
    if not hasattr(value, "dtype"):
        return type(value).__name__, [value if isinstance(value, (int, float, str)) else str(value)]
    found = np.asarray(value)
    flat = found.reshape(-1)[:: max(1, found.size // SAMPLE)]
    weak = "~" if getattr(value, "weak_type", False) and found.dtype.kind != "b" else ""
    if found.dtype.kind == "c":
        flat = np.stack([flat.real, flat.imag], axis=-1).reshape(-1)
    exact = found.dtype.kind in "biu"
    digits = 17 if found.dtype.itemsize > (8 if found.dtype.kind == "c" else 4) else 8
    elements = [int(v) if exact else float(f"{float(v):.{digits}g}") for v in flat.tolist()]
    return f"{value.dtype}[{','.join(map(str, found.shape))}]{weak}", elements


# Other answers than JAX's, and why.
DIFFERENT = {
    "optimise(optim.rprop(0.1))": "Optax 0.2.8 gives the step before the last; ours takes the step that the paper takes",
}
PUBLIC = frozenset(
    [
        "TypeError",
        "ValueError",
        "IndexError",
        "NotImplementedError",
        "OverflowError",
        "ZeroDivisionError",
        "FloatingPointError",
        "StopIteration",
        "ConcretizationTypeError",
        "NonConcreteBooleanIndexError",
        "TracerArrayConversionError",
        "TracerBoolConversionError",
        "TracerIntegerConversionError",
        "UnexpectedTracerError",
        "TypePromotionError",
        "KeyReuseError",
    ]
)
"""What a refusal may be. Where JAX raises something else (AssertionError, KeyError, AttributeError, errors of XLA and MLIR), weft chooses from these."""

# Refusals of another type than JAX's, and why.
OTHER_TYPES = {
    "jit(lambda v: scipy.special.bessel_jn(A, v=v))(1)": "JAX cannot hash what is static inside",
    "jnp.add.reduce(A, out=A)": "JAX cannot hash what is static inside; its other functions refuse `out` as weft does",
    "jnp.histogram(A, bins='auto')": "JAX takes the string for an array; its histogram_bin_edges refuses it as weft does",
    "lax.cumlogsumexp(I)": "JAX converts an infinity to an integer",
    "lax.linalg.qdwh(V3)": "JAX unpacks a shape that is too short",
    "optim.contrib.momo(0.1).update(A, optim.contrib.momo(0.1).init(A), value=1.0)": "Optax adds None",
    "optim.losses.triplet_margin_loss(I, A, B)": "Optax fails within; its other losses refuse integers as weft does",
    "optim.per_example_layer_norm_clip([V3[0]], 1.0)": "Optax takes the shape of a scalar to be longer",
    "random.uniform(random.key(0), (2,), minval=V3)": "in JAX an operation within fails",
}
TOLERANCE = {
    "bfloat16": 1.6e-2,
    "float16": 2e-3,
    "float32": 4e-6,
    "complex64": 4e-6,
    "float64": 1e-12,
    "complex128": 1e-12,
}


SLACK = {"programs": 10}
"""Files whose expressions round often."""


def check(expression: str, expected: dict[str, Any], found: dict[str, Any], slack: float = 1) -> None:
    """Raises AssertionError unless an answer agrees with JAX's: the types, and the values within `slack` times the tolerance of their dtype."""
    assert "error" not in found, f"{expression}: {found['error']}: {found['message']}"
    assert found["type"] == expected["type"], f"{expression}: expected {expected['type']}, got {found['type']}"
    for kind, want, got in zip(expected["type"], expected["values"], found["values"], strict=True):
        if isinstance(want[0] if want else 0, str):
            assert got == want, expression
            continue
        tolerance = slack * TOLERANCE.get(kind.partition("[")[0], 0)
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance, err_msg=expression)


def check_refusal(expression: str, expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Raises AssertionError unless an answer is a refusal with a message, of JAX's type unless there is a reason."""
    assert "error" in found, f"{expression}: JAX raises {expected['error']}"
    kind = found["error"]
    assert found["message"], f"{expression}: {kind} does not say what is wrong"
    if expected["error"] in PUBLIC and expression not in OTHER_TYPES:
        assert kind == expected["error"], (
            f"{expression}: JAX raises {expected['error']}, got {kind}: {found['message']}"
        )
    else:
        assert kind in PUBLIC | {"RuntimeError", "JaxRuntimeError", "ImportError"}, (
            f"{expression}: {kind}: {found['message']}"
        )


def write(files: Iterable[str]) -> None:
    """Asks JAX, and writes down its answers. Prints where it refuses what it should not, or the other way round."""
    import jax

    warnings.simplefilter("ignore")
    every = expressions()
    for file in files:
        with precision(jax, file):
            known = names(jax)
            found = {e: answer(e, known) for e in every[file]}
        for e, a in found.items():
            a.pop("message", None)
            if ("error" in a) != file.startswith("errors"):
                print(f"{file}: {e}: {a}")
        lines = ",\n".join(f"{json.dumps(e)}: {json.dumps(a)}" for e, a in found.items())
        (HERE / "answers" / f"{file}.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    write(sys.argv[1:] or expressions())
