"""Grades weft against the libraries that it follows, and writes docs/compatibility.md.

    python tools/compatibility.py            the page, from the package and from what the tests said last
    python tools/compatibility.py record     first runs the expressions of tests/reference on every device, and writes down which of them disagree with JAX

A name is graded, device by device, by the expressions that name it: they agree with JAX in value, dtype, shape and weak type, or they do not. docs/reference holds the names of the
libraries (jax.json, numpy.json, array_api.json), what was left out on purpose and why (left_out.json), and what the tests said (results.json).
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGE = ROOT / "docs" / "compatibility.md"
DEVICES = ("cpu", "wasm", "webgpu")
# Parameters that are about sharding, or about XLA's compiler.
IGNORED = {"out_sharding", "sharding", "in_shardings", "out_shardings", "compiler_options", "accuracy", "_dot_general"}

sys.path.insert(0, str(ROOT / "tests" / "reference"))
import reference  # noqa: E402


def load(name: str) -> Any:
    """A file of docs/reference."""
    return json.loads((REFERENCE / f"{name}.json").read_text())


# -- what the tests say


def record() -> dict[str, Any]:
    """Runs every expression on every device. The files that ran ("ran"), and device → expression → what is wrong with it; those that agree are not in it."""
    import weft

    found: dict[str, Any] = {"ran": sorted(reference.answers())}
    for device in DEVICES:
        wrong = found[device] = {}
        for file, answers in reference.answers().items():
            with weft.default_device(device), reference.precision(weft, file):
                names = reference.names(weft)
                for expression, expected in answers.items():
                    try:
                        answer = reference.answer(expression, names)
                        if "error" in expected:
                            assert "error" in answer, "JAX refuses it"
                        else:
                            reference.check(expression, expected, answer, slack=3)
                    except Exception as error:
                        text = str(error).removeprefix(f"{expression}: ")
                        said = next(line for line in text.splitlines() if line)[:120]
                        # An expression may stand in a file of float64 as well: that it is refused there must not hide what is wrong with it.
                        if not is_refused(said) or is_refused(wrong.get(expression, said)):
                            wrong[expression] = said
    return found


# -- what the expressions name

PREFIXES = {"jax": "jax", "jnp": "jax.numpy", "jsl": "jax.scipy.linalg"} | {
    name: f"jax.{name}"
    for name in ("lax", "nn", "random", "grad", "jit", "vmap", "jvp", "scipy", "image", "ops", "flatten_util")
}
OWN = {"weft": "jax", "jax": "jax", "jnp": "jax.numpy"} | {
    name: f"jax.{name}" for name in ("lax", "nn", "random", "tree_util")
}
"""What weft's own tests call the modules."""


def named(source: str, prefixes: dict[str, str]) -> Iterator[str]:
    """The full names in a piece of Python: `jnp.linalg.inv(A).sum()` names jax.numpy.linalg.inv and jax.Array.sum."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in prefixes:
            yield prefixes[node.id]
        if isinstance(node, ast.Attribute):
            yield dotted(node, prefixes) or f"jax.Array.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("weft"):
            yield from (f"{node.module.replace('weft', 'jax', 1)}.{name.name}" for name in node.names)


def dotted(node: ast.AST, prefixes: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return prefixes.get(node.id)
    if isinstance(node, ast.Attribute) and (base := dotted(node.value, prefixes)):
        return f"{base}.{node.attr}"
    return None


@cache
def own_tests() -> dict[str, str]:
    """Names that weft's own tests use, and in which file."""
    found: dict[str, str] = {}
    for folder in ("unit", "rules", "backend"):
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py")):
            for name in named(path.read_text(), OWN):
                found.setdefault(name, f"tests/{folder}/{path.name}")
    return found


@cache
def expressions_by_name() -> dict[str, list[str]]:
    """The expressions that name each function, of the files that ran."""
    found: dict[str, list[str]] = {}
    ran = load("results")["ran"]
    for file, answers in reference.answers().items():
        for expression in answers:
            if file in ran and not file.startswith("errors"):
                for name in set(named(expression, PREFIXES)):
                    found.setdefault(name, []).append(expression)
    return found


# -- grades


class Grade(NamedTuple):
    """What became of a name: one of WORDS; per device how many tests agree; why."""

    word: str
    devices: tuple[str, ...] = ()
    why: str = ""


def there(name: str) -> Any:
    """weft's counterpart of `jax.x.y` or `numpy.y`. Raises AttributeError or ImportError if there is none."""
    module, _, last = name.rpartition(".")
    if module == "jax.Array":
        import weft.numpy

        array = weft.Array
        weft.numpy.ones(1).T  # noqa: B018  (methods are installed at first use)
        return getattr(array, last)
    module = module.replace("jax", "weft", 1) if module.startswith("jax") else f"weft.{module}"
    try:
        return getattr(import_module(module), last)
    except ModuleNotFoundError:  # a distribution is a module of JAX's
        parent, _, name = module.rpartition(".")
        return getattr(getattr(import_module(parent), name), last)


def grade(name: str, parameters: list[str] | None, results: dict[str, Any], left_out: dict[str, str]) -> Grade:
    """The grade of a name of JAX."""
    reason = next((why for pattern, why in left_out.items() if re.fullmatch(pattern, name)), "")
    try:
        value = there(name)
    except (AttributeError, ImportError):
        return Grade("left out", why=reason) if reason else Grade("missing")
    lacking = [p for p in parameters or () if p not in IGNORED and p not in own_parameters(value, parameters or [])]
    tests = expressions_by_name().get(name, [])
    why = "; ".join(dict.fromkeys(reference.DIFFERENT[e] for e in tests if e in reference.DIFFERENT))
    if lacking:
        why = "; ".join(filter(None, [why, f"no argument {', '.join(f'`{p}`' for p in lacking)}"]))
    counts, failing = [], False
    for device in DEVICES:
        wrong = results[device]
        ran = [e for e in tests if e not in reference.DIFFERENT and not is_refused(wrong.get(e, ""))]
        agree = [e for e in ran if e not in wrong]
        counts.append(f"{len(agree)}/{len(ran)}" if ran else "")
        failing = failing or len(agree) < len(ran)
    if failing or why:
        return Grade("differs", tuple(counts), why)
    if not tests and name in own_tests():
        return Grade("own tests", why=own_tests()[name])
    return Grade("same" if tests else "untested", tuple(counts))


def is_refused(message: str) -> bool:
    """Whether a device has said, of an expression in float64, that it has no such type: WebGPU has not, whatever the function."""
    return re.search(r"device has no (float64|complex128) arrays", message) is not None


def own_parameters(value: Any, wanted: list[str]) -> set[str]:
    """The names of a function's parameters; those that are wanted if it takes any names, or does not say."""
    import inspect

    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return set(wanted)
    if any(p.kind is p.VAR_KEYWORD for p in found) or isinstance(value, type):
        return set(wanted)
    return {p.name for p in found}


# -- the page

HEAD = """# What weft has of JAX, NumPy and the array API standard

Written by `make docs` (tools/compatibility.py), not by hand; a test fails when it is stale. A name is graded by the tests that ran: the expressions of `tests/reference` that name it, each
held against JAX 0.10's answer (value, dtype, shape, weak type) on each device.

- **same**: its expressions agree on cpu, wasm and webgpu (where float64 and complex128 are refused, whatever the function).
- **own tests**: it has no such expression, because what it does is not an array's value; a test of weft's own uses it, which the table names. **untested**: it is there, and no test names it.
- **differs**: the table says where and why. A count such as 3/4 is tests that agree of tests that ran.
- **left out**: on purpose, with the reason. **missing**: not there yet.
"""


def page() -> str:
    """The whole page."""
    results, left_out = load("results"), load("left_out")
    modules = {
        module: {name: grade(f"{module}.{name}", parameters, results, left_out) for name, parameters in names.items()}
        for module, names in load("jax").items()
        if names
    }
    parts = [HEAD, "\n".join(totals(modules))]
    for module, grades in modules.items():
        parts.append("\n".join(section(module, grades)))
    parts.append("\n".join(numpy_section(left_out)))
    parts.append("\n".join(array_api_section()))
    return "\n\n".join(part.strip() for part in parts) + "\n"


WORDS = ("same", "own tests", "untested", "differs", "missing", "left out")


def totals(modules: dict[str, dict[str, Grade]]) -> Iterator[str]:
    yield f"| module | names | {' | '.join(WORDS)} | there |"
    yield "|---" * (len(WORDS) + 3) + "|"
    rows = {module: [sum(g.word == w for g in grades.values()) for w in WORDS] for module, grades in modules.items()}
    for name, counts in [*rows.items(), ("**all**", [sum(c) for c in zip(*rows.values(), strict=True)])]:
        meant = sum(counts[:5])
        share = f"{100 * sum(counts[:4]) / meant:.1f} %" if meant else ""
        yield f"| {name} | {sum(counts)} | {' | '.join(str(c or '') for c in counts)} | {share} |"
    yield ""
    yield "*there*: of the names that were not left out on purpose, those that weft has."


def section(module: str, grades: dict[str, Grade]) -> Iterator[str]:
    yield f"## {module}\n"
    for word in ("same", "untested", "missing"):
        names = [f"`{name}`" for name, g in grades.items() if g.word == word]
        if names:
            yield f"**{word}** ({len(names)}): {', '.join(names)}\n"
    if differing := [(name, g) for name, g in grades.items() if g.word == "differs"]:
        yield f"| differs | {' | '.join(DEVICES)} | why |"
        yield "|---" * (len(DEVICES) + 2) + "|"
        for name, g in differing:
            yield f"| `{name}` | {' | '.join(g.devices)} | {g.why} |"
        yield ""
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, g in grades.items():
        if g.word in ("own tests", "left out"):
            reasons.setdefault((g.word, g.why), []).append(f"`{name}`")
    for (word, why), names in sorted(reasons.items(), reverse=True):
        yield f"**{word}** ({why}): {', '.join(names)}\n"


def numpy_section(left_out: dict[str, str]) -> Iterator[str]:
    names = load("numpy")["numpy"]
    lacking: dict[str, list[str]] = {}
    for name in names:
        try:
            there(f"numpy.{name}")
        except (AttributeError, ImportError):
            why = next((why for pattern, why in left_out.items() if re.fullmatch(pattern, f"numpy.{name}")), "missing")
            lacking.setdefault(why, []).append(f"`{name}`")
    yield "## NumPy 2\n"
    yield f"`weft.numpy` has {len(names) - sum(map(len, lacking.values()))} of the {len(names)} names of NumPy's main namespace, with JAX's semantics where they differ.\n"
    for why, missing in lacking.items():
        yield f"**{why}**: {', '.join(missing)}\n"


ARRAY_API = """Names, signatures and promotions are held against the standard by tests/unit/test_array_api.py, calls against array-api-strict by tests/unit/test_array_api_strict.py,
values at the edges (zeros, infinities, NaN), on every device, by tests/backend/test_special_cases.py. Where JAX parts from the standard, `weft.numpy` goes with JAX:

- arrays never change: `x[i] = y` raises TypeError, `x += y` makes a new array
- `searchsorted` gives int32, `cumulative_prod` keeps the dtype, the `rtol` of `linalg.matrix_rank` is absolute, `expand_dims` has no default axis, `asarray` with `copy=False` converts
- an axis out of range raises ValueError, an index out of range reads the nearest element
- zeros of `floor_divide`, `remainder` and `sign` may have the other sign; `floor_divide` of infinity is NaN, and of a small number by an infinite one of the other sign -1

Complex functions keep to C99 where the standard has another value (`tanh(inf + 2j)`, `sqrt(inf + 1j)`). 64-bit dtypes need `enable_x64`, and WebGPU has no float64 and complex128:
`__array_namespace_info__().dtypes(device=...)` says what there is."""


def array_api_section() -> Iterator[str]:
    yield "## Array API 2024.12\n"
    yield f"{ARRAY_API}\n"
    for module, names in load("array_api").items():
        lacking = []
        for name in names:
            try:
                there(f"{module}.{name}")
            except (AttributeError, ImportError):
                lacking.append(f"`{name}`")
        rest = f"; missing: {', '.join(lacking)}" if lacking else ""
        yield f"- {module}: {len(names) - len(lacking)} of {len(names)}{rest}"


if __name__ == "__main__":
    if "record" in sys.argv[1:]:
        (REFERENCE / "results.json").write_text(json.dumps(record(), indent=0) + "\n")
    PAGE.write_text(page())
