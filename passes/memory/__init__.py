"""How kernel-plan-memory decides: `values` which arrays share a buffer (over the `steps` of a program), `kernels` which nests are the same, `places` where buffers lie."""
