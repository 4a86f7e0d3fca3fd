"""array-hoist-sums: a sum of products that a scan adds up round by round becomes one contraction after it.

The gradient of a recurrent network's weights is such a sum: each round adds an outer product of two vectors to a matrix, which is read and written for it. A sum of contractions is a
contraction: if the scan stacks the factors, a dot that contracts the rounds too gives the sum at once, as a matmul that runs at the machine's full rate. Worth it where the factors
of a round have no more elements than what they are added to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from weft.dialects.array.control import end_of
from weft.dialects.array.ops import AddOp, DotOp, NegOp, ScanOp, TransposeOp
from weft.dialects.array.params import aval_of, encode, tensor_type
from weft.dialects.array.walks import with_axis
from weft.passes.array_prune import prune

LINEAR = (AddOp, NegOp, TransposeOp)
"""Operations that give, of sums over the rounds, the sum over the rounds."""

STACKED = 1 << 26
"""Elements that all rounds may stack for one sum."""


@dataclass(frozen=True)
class ArrayHoistSumsPass(ModulePass):
    """Takes sums of `array.dot` out of the scans that carry them and use them for nothing else, inner scans first: what is left of one may be a term of a sum around it."""

    name = "array-hoist-sums"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for func in op.body.block.ops:
            if isinstance(func, FuncOp) and not func.is_declaration:
                for scan in reversed([o for o in func.walk() if isinstance(o, ScanOp)]):
                    _hoist(scan)


def _hoist(scan: ScanOp) -> None:
    """Writes one scan without the sums that are better made after it."""
    body, count = scan.body.block, len(scan.carry)
    sums = {k: terms for k in range(count) if (terms := _terms(body, k)) and _worth(scan, k, terms)}
    if not sums:
        return
    end, length = end_of(scan.body), scan.length.value.data  # type: ignore[attr-defined]
    kept = [k for k in range(count) if k not in sums]
    given = list(end.operands)
    factors = list(dict.fromkeys(f for terms in sums.values() for f in _factors(terms)))
    added = [f for f in factors if f not in body.args[count:] and f not in given[count:]]
    end.operands = [*(given[k] for k in kept), *given[count:], *added]
    new = ScanOp.create(
        operands=[*(scan.carry[k] for k in kept), *scan.xs],
        result_types=[
            *(scan.results[k].type for k in kept),
            *(r.type for r in scan.results[count:]),
            *(tensor_type(with_axis(aval_of(f.type), 0, length)) for f in added),
        ],
        properties={**scan.properties, **ScanOp.segments(len(kept) + len(scan.xs), carries=len(kept))},
        attributes=scan.attributes,
        regions=[scan.detach_region(0)],
        location=scan.location,
    )
    block = scan.parent
    assert block is not None
    block.insert_op_before(new, scan)
    stacks: dict[SSAValue, SSAValue] = dict(zip([*given[count:], *added], new.results[len(kept) :], strict=True))
    stacks |= zip(body.args[count:], scan.xs, strict=True)
    totals = _Totals(scan, stacks)
    results = [*(scan.results[k] for k in kept), *scan.results[count:]]
    for old, made in zip(results, new.results, strict=False):
        old.replace_all_uses_with(made)
    for k, terms in sums.items():
        total = scan.carry[k]
        for term in terms:
            total = totals.insert(AddOp.create(operands=[total, totals.of(term)], result_types=[total.type]))
        scan.results[k].replace_all_uses_with(total)
    block.detach_op(scan)
    scan.erase()
    prune(body)
    for k in sorted(sums, reverse=True):
        body.erase_arg(body.args[k])
    if not new.results:  # there was nothing in it but sums
        block.detach_op(new)
        new.erase()


@dataclass
class _Totals:
    """The sums over all rounds of values of a scan's body, written before the scan; `stacks` are what their factors are stacked in."""

    scan: ScanOp
    stacks: dict[SSAValue, SSAValue]

    def insert(self, op: Operation) -> SSAValue:
        assert self.scan.parent is not None
        self.scan.parent.insert_op_before(op, self.scan)
        return op.results[0]

    def of(self, value: SSAValue) -> SSAValue:
        op = value.owner
        assert isinstance(op, (DotOp, *LINEAR))
        if not isinstance(op, DotOp):
            return self.insert(op.clone({v: self.of(v) for v in op.operands}))
        params = DotOp.params_of(op)
        contract, batch = (
            tuple((*first, *(d + 1 for d in dims)) for dims in params[name])
            for name, first in (("contract", (0,)), ("batch", ()))
        )
        properties = {**op.properties, "contract": encode(contract), "batch": encode(batch)}
        factors = [self.stacks[v] for v in op.operands]
        return self.insert(
            DotOp.create(operands=factors, result_types=[value.type], properties=properties, location=op.location)
        )


def _terms(body: Block, k: int) -> list[SSAValue]:
    """What a round adds to carry k, if that is all that is done with it, and all of it sums of products; nothing otherwise."""
    terms: list[SSAValue] = []
    value: SSAValue = body.args[k]
    while (use := value.get_unique_use()) is not None:
        op = use.operation
        if op is body.last_op:
            return terms if use.index == k else []
        if not isinstance(op, AddOp) or not _is_sum(op.operands[1 - use.index], body):
            return []
        terms.append(op.operands[1 - use.index])
        value = op.results[0]
        if any(v.type != value.type for v in op.operands):
            return []
    return []


def _is_sum(value: SSAValue, body: Block) -> bool:
    """Whether a value is computed, by linear operations, from products of what differs from round to round."""
    op = value.owner
    if not isinstance(op, Operation) or op.parent is not body:
        return False
    if isinstance(op, DotOp):
        return all(_differs(v, body) for v in op.operands)
    return isinstance(op, LINEAR) and all(_is_sum(v, body) for v in op.operands)


def _differs(value: SSAValue, body: Block) -> bool:
    """Whether a value is an argument of the body or computed in it from something: neither a constant nor from outside."""
    owner = value.owner
    return owner is body or (isinstance(owner, Operation) and owner.parent is body and len(owner.operands) > 0)


def _factors(terms: Iterable[SSAValue]) -> list[SSAValue]:
    """The operands of the products that sums are made of."""
    found: list[SSAValue] = []
    for value in terms:
        op = value.owner
        assert isinstance(op, Operation)
        found += op.operands if isinstance(op, DotOp) else _factors(op.operands)
    return found


def _worth(scan: ScanOp, k: int, terms: list[SSAValue]) -> bool:
    """Whether the factors of a round have no more elements than what is carried for their sum, as far as they are not stacked already."""
    body, count = scan.body.block, len(scan.carry)
    stacked = {*body.args[count:], *end_of(scan.body).operands[count:]}
    added = sum(_elements(f) for f in dict.fromkeys(_factors(terms)) if f not in stacked)
    return added <= _elements(scan.carry[k]) and added * scan.length.value.data <= STACKED  # type: ignore[attr-defined]


def _elements(value: SSAValue) -> int:
    type = value.type
    assert isinstance(type, TensorType)
    return prod(type.get_shape())
