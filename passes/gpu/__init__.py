"""Lowering nests to gpu kernels: the emitter, the tiles it stages, and how axes lie on the grid."""
