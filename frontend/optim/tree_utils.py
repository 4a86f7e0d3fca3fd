"""`weft.optim.tree` under the names that say so themselves, as in `optax.tree_utils`: `tree_add`, `tree_vdot`, …"""

# ruff: noqa: PLC0414

from weft.optim import tree
from weft.optim.tree import NamedTupleKey as NamedTupleKey

OPERATIONS = [
    "add",
    "add_scale",
    "allclose",
    "batch_shape",
    "bias_correction",
    "cast",
    "cast_like",
    "clip",
    "conj",
    "div",
    "dtype",
    "full_like",
    "get",
    "get_all_with_path",
    "map_params",
    "max",
    "min",
    "mul",
    "norm",
    "ones_like",
    "random_like",
    "real",
    "scale",
    "set",
    "size",
    "split_key_like",
    "sub",
    "sum",
    "unwrap_random_key_data",
    "update_infinity_moment",
    "update_moment",
    "update_moment_per_elem_norm",
    "vdot",
    "where",
    "zeros_like",
]

globals().update({f"tree_{name}": getattr(tree, name) for name in OPERATIONS})
