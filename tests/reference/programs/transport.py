"""Optimal transport by Sinkhorn's iteration until it stands still, a fixed point with a derivative of its own, and the gradient of the cost of moving by the places of the points."""

from functools import partial


def main(jax):
    jnp, lax = jax.numpy, jax.lax
    logsumexp = jax.nn.logsumexp
    x = jax.random.normal(jax.random.key(0), (6, 2))
    y = jax.random.normal(jax.random.key(1), (5, 2)) + 1

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def fixed_point(f, a, start):
        def going(state):
            old, new, count = state
            return (jnp.abs(new - old).max() > 1e-4) & (count < 200)

        return lax.while_loop(going, lambda s: (s[1], f(a, s[1]), s[2] + 1), (start - 1, start, 0))[1]

    def forward(f, a, start):
        found = fixed_point(f, a, start)
        return found, (a, found)

    def backward(f, kept, ct):
        a, found = kept
        _, by_point = jax.vjp(lambda v: f(a, v), found)
        total = lax.fori_loop(0, 100, lambda _, w: ct + by_point(w)[0], ct)
        return jax.vjp(lambda a: f(a, found), a)[1](total)[0], jnp.zeros_like(found)

    fixed_point.defvjp(forward, backward)

    def plan(costs):
        def once(costs, f):
            g = -logsumexp(f[:, None] - costs, axis=0) - jnp.log(5.0)
            f = -logsumexp(g - costs, axis=1) - jnp.log(6.0)
            return f - f.mean()  # of all that differ by a constant, one

        f = fixed_point(once, costs, jnp.zeros(6))
        g = -logsumexp(f[:, None] - costs, axis=0) - jnp.log(5.0)
        return jnp.exp(f[:, None] + g - costs)

    @partial(jax.value_and_grad, has_aux=True)
    def cost(x):
        costs = jnp.sum((x[:, None] - y) ** 2, -1)
        moved = plan(costs)
        return jnp.sum(moved * costs), moved.sum(0)

    (value, arriving), gradient = jax.jit(cost)(x)
    return value, arriving, gradient
