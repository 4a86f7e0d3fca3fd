"""Canonicalisations of the gpu dialect."""

from __future__ import annotations

from xdsl.dialects import memref, vector
from xdsl.dialects.builtin import VectorType
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from weft.dialects.gpu.ops import LanesOp, VarOp


class RemoveUnreadVar(RewritePattern):
    """A variable that is only written goes, with the stores to it."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: VarOp, rewriter: PatternRewriter) -> None:
        users = [use.operation for use in op.result.uses]
        if all(isinstance(user, memref.StoreOp) for user in users):
            for user in users:
                rewriter.erase(user)
            rewriter.erase(op)


class LanesOfOneValue(RewritePattern):
    """Lanes that are all the same value are a broadcast."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: LanesOp, rewriter: PatternRewriter) -> None:
        if len(set(op.values)) == 1:
            rewriter.replace(op, vector.BroadcastOp.create(operands=[op.values[0]], result_types=[op.result.type]))


class LanesOfOneVector(RewritePattern):
    """All lanes of a vector, in order, put together again are that vector."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: LanesOp, rewriter: PatternRewriter) -> None:
        sources: set[SSAValue] = set()
        for k, value in enumerate(op.values):
            owner = value.owner
            if not isinstance(owner, vector.ExtractOp) or owner.static_position.get_values() != (k,):
                return
            sources.add(owner.vector)
        if len(sources) == 1:
            (source,) = sources
            if isinstance(source.type, VectorType) and source.type == op.result.type:
                rewriter.replace(op, [], [source])
