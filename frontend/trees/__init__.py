"""The parts of pytrees: keys and paths, the registry of node types, structures and the code that they write for themselves. `weft.tree_util` is what users import."""
