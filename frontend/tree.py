"""`weft.tree`: the common functions of `weft.tree_util` under short names."""

from weft.tree_util import broadcast_prefix, static
from weft.tree_util import tree_all as all
from weft.tree_util import tree_broadcast as broadcast
from weft.tree_util import tree_flatten as flatten
from weft.tree_util import tree_flatten_with_path as flatten_with_path
from weft.tree_util import tree_leaves as leaves
from weft.tree_util import tree_leaves_with_path as leaves_with_path
from weft.tree_util import tree_map as map
from weft.tree_util import tree_map_with_path as map_with_path
from weft.tree_util import tree_reduce as reduce
from weft.tree_util import tree_reduce_associative as reduce_associative
from weft.tree_util import tree_structure as structure
from weft.tree_util import tree_transpose as transpose
from weft.tree_util import tree_unflatten as unflatten

__all__ = [
    "all",
    "broadcast",
    "broadcast_prefix",
    "flatten",
    "flatten_with_path",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "reduce_associative",
    "static",
    "structure",
    "transpose",
    "unflatten",
]
