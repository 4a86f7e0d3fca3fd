"""Beam search with `top_k`, edit distance by a `scan` in a `fori_loop`, sorting and unique values, a running maximum by `associative_scan`."""


def main(jax):
    jnp, lax, random = jax.numpy, jax.lax, jax.random
    table = jax.nn.log_softmax(random.normal(random.key(9), (6, 6)))

    def expand(state, _):
        scores, sequences, place = state
        last = lax.dynamic_index_in_dim(sequences, place, axis=1, keepdims=False)
        total = (scores[:, None] + table[last]).reshape(-1)
        scores, chosen = lax.top_k(total, 3)
        sequences = lax.dynamic_update_slice(sequences[chosen // 6], (chosen % 6)[:, None], (0, place + 1))
        return (scores, sequences, place + 1), scores[0]

    start = (jnp.array([0.0, -1e9, -1e9]), jnp.zeros((3, 6), jnp.int32), 0)
    (scores, sequences, _), best = jax.jit(lambda s: lax.scan(expand, s, None, length=5))(start)

    a, b = jnp.array([3, 1, 4, 1, 5, 9, 2, 6]), jnp.array([2, 7, 1, 8, 2, 8, 1])

    def row(i, costs):
        def column(left, inputs):
            above, diagonal, letter = inputs
            cost = jnp.minimum(jnp.minimum(left, above) + 1, diagonal + (a[i] != letter))
            return cost, cost

        first = costs[0] + 1
        _, rest = lax.scan(column, first, (costs[1:], costs[:-1], b))
        return jnp.concatenate([first[None], rest])

    distance = lax.fori_loop(0, len(a), row, jnp.arange(len(b) + 1))[-1]
    values, counts = jnp.unique(jnp.concatenate([a, b]), return_counts=True)
    running = lax.associative_scan(jnp.maximum, jnp.array([1.0, 3.0, 2.0, 5.0, 4.0]))
    order = jnp.argsort(jnp.array([2.0, jnp.nan, 1.0, -1.0]))
    return scores, sequences, best, distance, values, counts, running, order
