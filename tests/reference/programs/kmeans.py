"""k-means: assignment by `argmin`, centres by `segment_sum`, repeated by `while_loop` until nothing moves."""


def main(jax):
    jnp, lax = jax.numpy, jax.lax
    corners = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    points = (corners[:, None] + jax.random.normal(jax.random.key(5), (3, 15, 2))).reshape(-1, 2)

    def assign(centres):
        return jnp.argmin(((points[:, None] - centres) ** 2).sum(-1), axis=1)

    def body(state):
        centres, _, count = state
        labels = assign(centres)
        sums = jax.ops.segment_sum(points, labels, num_segments=3)
        sizes = jax.ops.segment_sum(jnp.ones(len(points)), labels, num_segments=3)
        new = sums / jnp.maximum(sizes, 1)[:, None]
        return new, jnp.abs(new - centres).max(), count + 1

    @jax.jit
    def fit(start):
        return lax.while_loop(lambda s: (s[1] > 1e-6) & (s[2] < 50), body, (start, jnp.float32(jnp.inf), 0))

    centres, moved, count = fit(points[jnp.array([0, 16, 44])])
    sizes = jnp.bincount(assign(centres), length=3)
    return centres, moved, count, sizes
