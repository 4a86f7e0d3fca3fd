"""A convnet with running statistics: the state of training is a dataclass, which is donated, an optimiser of its own class, blocks that are computed again for their gradient."""

import dataclasses
from functools import partial


def main(jax):
    jnp, lax = jax.numpy, jax.lax

    @jax.tree_util.register_pytree_node_class
    class Momentum:
        def __init__(self, mean, decay):
            self.mean, self.decay = mean, decay

        def step(self, grads):
            return Momentum(jax.tree.map(lambda m, g: self.decay * m + g, self.mean, grads), self.decay)

        def tree_flatten(self):
            return (self.mean,), self.decay

        @classmethod
        def tree_unflatten(cls, decay, children):
            return cls(*children, decay)

    @partial(
        jax.tree_util.register_dataclass,
        data_fields=["params", "statistics", "momentum", "count"],
        meta_fields=["rate"],
    )
    @dataclasses.dataclass(frozen=True)
    class State:
        params: dict
        statistics: dict
        momentum: Momentum
        count: int
        rate: float = 0.1

    @partial(jax.checkpoint, policy=jax.checkpoint_policies.dots_with_no_batch_dims_saveable)
    def block(kernel, scale, x):
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return jax.nn.relu(scale * (x - mean) * lax.rsqrt(var + 1e-5)), {"mean": mean, "var": var}

    def loss(params, images, labels):
        x, seen = block(params["kernel"], params["scale"], images)
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        logits = x.mean((1, 2)) @ params["out"]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean(), seen

    @partial(jax.jit, donate_argnames="state")
    def step(state, images, labels):
        (value, seen), grads = jax.value_and_grad(loss, has_aux=True)(state.params, images, labels)
        momentum = state.momentum.step(grads)
        return value, dataclasses.replace(
            state,
            params=jax.tree.map(lambda p, m: p - state.rate * m, state.params, momentum.mean),
            statistics=jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, state.statistics, seen),
            momentum=momentum,
            count=state.count + 1,
        )

    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        "kernel": jax.nn.initializers.he_normal()(keys[0], (3, 3, 2, 4)),
        "scale": jnp.ones(4),
        "out": 0.3 * jax.random.normal(keys[1], (4, 3)),
    }
    state = State(
        params, {"mean": jnp.zeros(4), "var": jnp.ones(4)}, Momentum(jax.tree.map(jnp.zeros_like, params), 0.9), 0
    )
    kept = jax.tree.map(jnp.copy, params["out"])  # outlives the state, which is given away
    images, labels = jax.random.normal(keys[2], (6, 6, 6, 2)), jnp.arange(6) % 3
    losses = []
    for _ in range(4):
        value, state = step(state=state, images=images, labels=labels)
        losses.append(value)
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    known = names.index(".params['out']")
    return jnp.stack(losses), state.statistics["var"], state.count, kept - state.params["out"], known, len(names)
