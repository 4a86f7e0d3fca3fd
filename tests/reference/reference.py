"""Expressions that weft and JAX must agree on, and what JAX said of them.

`expressions/*.txt` hold Python expressions, one a line, over the operands below and the modules jnp, lax, nn, random and transforms. `python tests/reference/reference.py` (in an environment
with JAX; it is no dependency of weft) evaluates them there and writes `jax.json`: dtype, shape and up to 24 elements of each result, or the type of the error.
`tests/unit/test_against_jax.py` holds weft against that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ANSWERS = HERE / "jax.json"
SAMPLE = 24


def expressions() -> dict[str, list[str]]:
    """The expressions of each file, by its name."""
    return {
        path.stem: [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        for path in sorted((HERE / "expressions").glob("*.txt"))
    }


def operands(jnp: Any) -> dict[str, Any]:
    """The arrays that expressions name, the same on both sides."""
    rng = np.random.default_rng(0)

    def uniform(*shape: int) -> Any:
        return jnp.asarray(rng.random(shape).astype(np.float32))

    return {
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
        "I": jnp.asarray(np.array([[0, 1, 2], [3, 4, 5]], np.int32)),
        "J": jnp.asarray(np.array([[2, 0, 1], [3, 1, 2]], np.int32)),
        "U": jnp.asarray(np.array([[0, 1, 2], [3, 4, 2**31 + 5]], np.uint32)),
        "M": jnp.asarray(np.array([[1, 0, 1], [0, 0, 1]], bool)),
        "N": jnp.asarray(np.array([[1, np.nan, 2], [np.inf, -np.inf, 0.5]], np.float32)),
        "H": jnp.asarray(np.arange(6).reshape(2, 3).astype(np.float16)),
    }


def answer(expression: str, names: dict[str, Any]) -> dict[str, Any]:
    """What an expression gives, as JSON: the type of an array, and some of its elements; of several results, all."""
    try:
        value = eval(expression, dict(names))
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
    elements = [float(f"{v:.8g}") if found.dtype.kind == "f" else int(v) for v in flat.tolist()]
    return f"{value.dtype}[{','.join(map(str, found.shape))}]{weak}", elements


# Other answers than JAX's, and why.
DIFFERENT = {
    "jnp.bitwise_count(I)": "counts are of the operand's dtype: the devices have no uint8 yet",
}
TOLERANCE = {"float16": 2e-3, "float32": 4e-6}


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


if __name__ == "__main__":
    import warnings

    import jax
    import jax.numpy as jnp
    from jax import lax, nn, random

    warnings.simplefilter("ignore")
    names = operands(jnp) | {"jnp": jnp, "lax": lax, "nn": nn, "random": random, "np": np}
    names |= {"grad": jax.grad, "jit": jax.jit, "vmap": jax.vmap, "jvp": jax.jvp}
    answers = {file: {e: answer(e, names) for e in lines} for file, lines in expressions().items()}
    for file, found in answers.items():
        for e, a in found.items():
            a.pop("message", None)
            if ("error" in a) != (file == "errors"):
                print(f"{file}: {e}: {a}")
    ANSWERS.write_text(
        "{\n"
        + ",\n".join(
            f"{json.dumps(f)}: {{\n" + ",\n".join(f"{json.dumps(e)}: {json.dumps(a)}" for e, a in found.items()) + "\n}"
            for f, found in answers.items()
        )
        + "\n}\n"
    )
