"""A Kalman filter under `scan`, a smoother backwards in time, and the gradient of the likelihood by the model's parameters."""


def main(jax):
    jnp, lax = jax.numpy, jax.lax
    times = jnp.arange(20)
    seen = jnp.stack([jnp.sin(0.3 * times), 0.1 * times], axis=1) + 0.2 * jax.random.normal(jax.random.key(1), (20, 2))

    def run(params):
        f = jnp.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
        h = jnp.eye(2, 4)
        q, r = params["q"] * jnp.eye(4), params["r"] * jnp.eye(2)

        def forward(carry, z):
            mean, cov, total = carry
            ahead, spread = f @ mean, f @ cov @ f.T + q
            error, s = z - h @ ahead, h @ spread @ h.T + r
            gain = jnp.linalg.solve(s, h @ spread).T
            mean = ahead + gain @ error
            cov = spread - gain @ h @ spread
            _, logdet = jnp.linalg.slogdet(s)
            total = total - 0.5 * (error @ jnp.linalg.solve(s, error) + logdet)
            return (mean, cov, total), (mean, cov, ahead, spread)

        (_, _, total), trail = lax.scan(forward, (jnp.zeros(4), jnp.eye(4), 0.0), seen)
        return total, trail

    def smooth(trail):
        means, covs, aheads, spreads = trail

        def backward(carry, now):
            mean, cov, ahead, spread = now
            f = jnp.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
            gain = jnp.linalg.solve(spread, f @ cov).T
            mean = mean + gain @ (carry - ahead)
            return mean, mean

        _, smoothed = lax.scan(backward, means[-1], (means[:-1], covs[:-1], aheads[1:], spreads[1:]), reverse=True)
        return smoothed

    params = {"q": jnp.float32(0.01), "r": jnp.float32(0.05)}
    (total, trail), gradient = jax.jit(jax.value_and_grad(run, has_aux=True))(params)
    return total, trail[0], smooth(trail), gradient["q"], gradient["r"]
