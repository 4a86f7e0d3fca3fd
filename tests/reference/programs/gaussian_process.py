"""Gaussian process regression: marginal likelihood by Cholesky, its gradient, a few steps of descent, the posterior."""


def main(jax):
    jnp, scipy = jax.numpy, jax.scipy
    x = jnp.linspace(-3, 3, 12)
    y = jnp.sin(2 * x) + 0.1 * jnp.cos(9 * x)

    def kernel(log, a, b):
        return jnp.exp(log["amplitude"]) * jnp.exp(-0.5 * ((a[:, None] - b) / jnp.exp(log["length"])) ** 2)

    def factor(log):
        return jnp.linalg.cholesky(kernel(log, x, x) + (jnp.exp(log["noise"]) + 1e-4) * jnp.eye(len(x)))

    def likelihood(log):
        lower = factor(log)
        weights = scipy.linalg.cho_solve((lower, True), y)
        return 0.5 * y @ weights + jnp.log(jnp.diagonal(lower)).sum()

    log = {"amplitude": jnp.float32(0.0), "length": jnp.float32(-0.5), "noise": jnp.float32(-3.0)}
    descend = jax.jit(lambda p: jax.tree.map(lambda v, g: v - 0.02 * g, p, jax.grad(likelihood)(p)))
    values = []
    for _ in range(5):
        values.append(likelihood(log))
        log = descend(log)
    at = jnp.linspace(-2, 2, 5)
    lower = factor(log)
    cross = scipy.linalg.solve_triangular(lower, kernel(log, x, at), lower=True)
    mean = cross.T @ scipy.linalg.solve_triangular(lower, y, lower=True)
    variance = jnp.exp(log["amplitude"]) - (cross**2).sum(0)
    return jnp.stack(values), mean, variance
