"""Every primitive, every rule: derivatives against finite differences, batching against a loop, `reference` against
`infer`, lowering against `reference`.

Nothing here names an op: the ops come from the classes, their inputs from `sampling`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nest_machine import run_rule
from sampling import DIFFERENTIABLE, PRIMITIVES, Case, cases

from weft.backends.numpy.interpreter import evaluate
from weft.dialects.array import ops
from weft.dialects.array.graph import Graph, expand
from weft.dialects.array.node import Node, aval, leaf
from weft.dialects.array.op import COMPLEX, ArrayOp, Elementwise
from weft.dialects.array.stage import stage, unstage
from weft.dialects.array.walks import batch_call, jvp_call, vjp_call
from weft.passes.array_decompose import is_composite
from weft.passes.array_split_complex import split_complex

few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
each = pytest.mark.parametrize("op", PRIMITIVES, ids=lambda op: op.name)
each_differentiable = pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)


def bind(case: Case, *nodes: Node) -> list[Node]:
    return [case.bind(*nodes)]


def leaves(arrays) -> list[Node]:
    return [leaf(aval(a.shape, a.dtype.name)) for a in arrays]


def _direction(a: np.ndarray, random: np.random.Generator) -> np.ndarray | None:
    """A tangent for an operand; None if it has none."""
    if a.dtype.kind not in "fc":
        return None
    real, imaginary = random.standard_normal((2, *a.shape))
    return real + 1j * imaginary if a.dtype.kind == "c" else real


def in_memory(a: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs of real ones, on a last axis."""
    return np.stack([a.real, a.imag], -1) if a.dtype.kind == "c" else a


def as_complex(case: Case, found: np.ndarray) -> np.ndarray:
    """A result of a program without complex numbers as the case has it."""
    if case.infer().dtype.kind != "c":
        return found
    return np.ascontiguousarray(found).view(case.infer().dtype.name)[..., 0]


def tangents_of(case: Case, random: np.random.Generator) -> list[np.ndarray | None]:
    """Directions for the operands that have derivatives, one of them now and then without."""
    directions = [_direction(a, random) for a in case.arrays]
    places = [k for k, t in enumerate(directions) if t is not None]
    if len(places) > 1 and random.random() < 0.3:
        directions[random.choice(places)] = None
    return directions


@each
def test_no_rule_is_missing(op: type[ArrayOp]):
    needed = ["infer", "batch", "reference"]
    if not op.NOT_DIFFERENTIABLE:
        needed.append("jvp")
    missing = [rule for rule in needed if not op.has(rule)]
    assert not missing
    on_complex_only = issubclass(op, Elementwise) and (op is ops.ComplexOp or op.DTYPES == COMPLEX)
    assert op.has("to_kernel") or op.has("decompose") or on_complex_only, "neither to_kernel nor decompose"
    if issubclass(op, Elementwise) and op.DTYPES & COMPLEX and not op.has("decompose"):
        assert op.has("on_parts"), "no on_parts, though it takes complex numbers"


@each
@pytest.mark.parametrize("file", ["ops.mlir", "invalid.mlir"])
def test_filecheck_shows_the_op(op: type[ArrayOp], file: str):
    text = (Path(__file__).parents[2] / "filecheck/dialects/array" / file).read_text()
    assert f"= {op.name} " in text


@each
@few
@given(st.data())
def test_reference_agrees_with_infer(op: type[ArrayOp], data: st.DataObject):
    case = data.draw(cases(op))
    out, inferred = case.reference(), case.infer()
    assert (out.shape, out.dtype) == (inferred.shape, np.dtype(inferred.dtype.name))


@each
@few
@given(st.data())
def test_ir_keeps_the_parameters(op: type[ArrayOp], data: st.DataObject):
    case = data.draw(cases(op))
    ins = leaves(case.arrays)
    module = stage(Graph(ins, bind(case, *ins)))
    module.verify()
    again = unstage(next(iter(module.body.block.ops)))
    assert evaluate(again, *case.arrays)[0].tobytes() == case.reference().tobytes()


@each
@few
@given(st.data())
def test_lowering_agrees_with_reference(op: type[ArrayOp], data: st.DataObject):
    case = data.draw(cases(op))
    ins = leaves(case.arrays)
    if any(a.dtype.kind == "c" for a in (*case.avals, case.infer())):
        graph = expand(Graph(ins, bind(case, *ins)), is_composite)
        found = as_complex(case, evaluate(split_complex(graph), *map(in_memory, case.arrays))[0])
    elif op.has("decompose"):
        found = evaluate(Graph(ins, [case.seen(op.decompose(*ins, **case.params))]), *case.arrays)[0]
    else:
        found = run_rule(case)
    case.assert_close(found)


@each_differentiable
@few
@given(st.data(), st.integers(0, 2**32 - 1))
def test_jvp_against_finite_differences(op: type[ArrayOp], data: st.DataObject, seed: int):
    case = data.draw(cases(op, smooth=True))
    directions = tangents_of(case, np.random.default_rng(seed))
    if all(t is None for t in directions):
        return
    primals = leaves(case.arrays)
    tangents = [None if t is None else leaf(aval(t.shape, t.dtype.name)) for t in directions]
    outs, found = jvp_call(lambda *xs: bind(case, *xs), primals, tangents)
    graph = Graph([*primals, *(t for t in tangents if t is not None)], [outs[0], *(t for t in found if t is not None)])
    value, *slope = evaluate(graph, *case.arrays, *(t for t in directions if t is not None))

    def moved(step: float) -> np.ndarray:
        arrays = [a if t is None else a + step * t for a, t in zip(case.arrays, directions, strict=True)]
        return case._replace(arrays=tuple(arrays)).reference()

    expected = (moved(1e-6) - moved(-1e-6)) / 2e-6
    np.testing.assert_array_equal(value, case.reference())
    np.testing.assert_allclose(slope[0] if slope else np.zeros_like(expected), expected, rtol=2e-5, atol=1e-6)


@each_differentiable
@few
@given(st.data(), st.integers(0, 2**32 - 1))
def test_vjp_is_the_transpose_of_jvp(op: type[ArrayOp], data: st.DataObject, seed: int):
    """<ct, J t> = <J' ct, t>, the real parts of the sums of products; and with the jvp held against finite differences, the vjp is."""
    case = data.draw(cases(op, smooth=True))
    random = np.random.default_rng(seed)
    directions = [_direction(a, random) for a in case.arrays]
    ct = _direction(np.empty(case.infer().shape, case.infer().dtype.name), random)
    assert ct is not None
    primals = leaves(case.arrays)
    tangents = [None if t is None else leaf(aval(t.shape, t.dtype.name)) for t in directions]
    given_ct = leaf(aval(ct.shape, ct.dtype.name))
    _, (forward,) = jvp_call(lambda *xs: bind(case, *xs), primals, tangents)
    _, pull_back = vjp_call(lambda *xs: bind(case, *xs), primals)
    backward = pull_back([given_ct])
    for primal, back in zip(primals, backward, strict=True):
        assert back is None or back.aval.shape == primal.aval.shape
    wanted = [b for b in (forward, *backward) if b is not None]
    graph = Graph([*primals, *(t for t in tangents if t is not None), given_ct], wanted)
    values = iter(evaluate(graph, *case.arrays, *(t for t in directions if t is not None), ct))
    left = 0.0 if forward is None else float(np.sum(ct * next(values)).real)
    right = sum(
        float(np.sum(next(values) * t).real) for b, t in zip(backward, directions, strict=True) if b is not None
    )
    assert left == pytest.approx(right, rel=1e-8, abs=1e-8)


@each
@few
@given(st.data(), st.integers(0, 2**32 - 1))
def test_vmap_against_a_loop(op: type[ArrayOp], data: st.DataObject, seed: int):
    case = data.draw(cases(op))
    random = np.random.default_rng(seed)
    size = 3
    dims = [int(random.integers(0, a.ndim + 1)) if random.random() < 0.7 else None for a in case.arrays]
    if not dims or all(d is None for d in dims):
        return
    random_copies = [
        a if d is None else np.stack([random.permutation(a.ravel()).reshape(a.shape) for _ in range(size)], d)
        for a, d in zip(case.arrays, dims, strict=True)
    ]
    nodes = leaves(random_copies)
    ((out, dim),) = batch_call(lambda *xs: bind(case, *xs), size, nodes, dims)
    found = evaluate(Graph(nodes, [out]), *random_copies)[0]
    found = np.broadcast_to(found, (size, *found.shape)) if dim is None else np.moveaxis(found, dim, 0)
    for k in range(size):
        arrays = tuple(a if d is None else np.take(a, k, d) for a, d in zip(random_copies, dims, strict=True))
        case._replace(arrays=arrays).assert_close(found[k])
