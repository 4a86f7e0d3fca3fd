"""Second derivatives: Newton's method with `hessian`, logistic regression, Gauss-Newton by `jacrev`, Hessian-vector products, a Laplacian by nested `jvp`."""


def main(jax):
    jnp, nn = jax.numpy, jax.nn
    x = jax.random.normal(jax.random.key(2), (30, 3))
    labels = (x @ jnp.array([1.0, -2.0, 0.5]) + 0.3 > 0).astype(jnp.float32)

    def loss(w):
        logits = x @ w[:3] + w[3]
        return -(labels * nn.log_sigmoid(logits) + (1 - labels) * nn.log_sigmoid(-logits)).mean() + 0.05 * w @ w

    @jax.jit
    def newton(w):
        return w - jnp.linalg.solve(jax.hessian(loss)(w), jax.grad(loss)(w))

    w = jnp.zeros(4)
    for _ in range(5):
        w = newton(w)

    def residuals(p):
        t = jnp.linspace(0, 1, 8)
        return p[0] * jnp.exp(-p[1] * t) - 2 * jnp.exp(-1.5 * t)

    p = jnp.array([1.5, 1.0])
    for _ in range(6):
        jacobian = jax.jacrev(residuals)(p)
        p = p - jnp.linalg.lstsq(jacobian, residuals(p))[0]

    def laplacian(f, at):
        second = lambda v: jax.jvp(lambda y: jax.jvp(f, (y,), (v,))[1], (at,), (v,))[1]  # noqa: E731
        return jax.vmap(second)(jnp.eye(len(at))).sum()

    hvp = jax.jvp(jax.grad(loss), (w,), (jnp.ones(4),))[1]
    wave = lambda y: jnp.sin(y[0]) * jnp.exp(y[1])  # noqa: E731
    return w, loss(w), p, hvp, laplacian(wave, jnp.array([0.4, 0.2])), jax.grad(loss)(w)
