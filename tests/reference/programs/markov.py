"""A hidden Markov model: forward and backward by logarithms, the derivative of the likelihood as expected counts, the likeliest path."""


def main(jax):
    jnp, lax, nn = jax.numpy, jax.lax, jax.nn
    logsumexp = jax.scipy.special.logsumexp
    keys = jax.random.split(jax.random.key(0), 3)
    moves = nn.log_softmax(jax.random.normal(keys[0], (4, 4)))
    shows = nn.log_softmax(jax.random.normal(keys[1], (4, 5)))
    seen = jax.random.randint(keys[2], (15,), 0, 5)
    start = jnp.full(4, -jnp.log(4.0))

    def forward(moves, shows):
        def step(a, symbol):
            a = logsumexp(a[:, None] + moves, axis=0) + shows[:, symbol]
            return a, a

        return lax.scan(step, start + shows[:, seen[0]], seen[1:])

    def backward(moves, shows):
        def step(b, symbol):
            b = logsumexp(moves + shows[:, symbol] + b, axis=1)
            return b, b

        return lax.scan(step, jnp.zeros(4), seen[1:], reverse=True)[1]

    @jax.jit
    def path():
        def step(best, symbol):
            ways = best[:, None] + moves
            return ways.max(0) + shows[:, symbol], ways.argmax(0)

        best, came_from = lax.scan(step, start + shows[:, seen[0]], seen[1:])
        last = best.argmax()
        return jnp.append(lax.scan(lambda s, row: (row[s], row[s]), last, came_from, reverse=True)[1], last)

    likelihood = lambda moves, shows: logsumexp(forward(moves, shows)[0])  # noqa: E731
    value, counts = jax.jit(jax.value_and_grad(likelihood, argnums=(0, 1)))(moves, shows)
    where = nn.softmax(forward(moves, shows)[1][:-1] + backward(moves, shows)[1:])
    return value, counts[0], counts[1], where, path()
