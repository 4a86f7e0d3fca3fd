"""Complex numbers: how fast points leave under z -> z^2 + c, roots of a polynomial by Newton, and a contour integral."""


def main(jax):
    jnp, lax = jax.numpy, jax.lax
    re, im = jnp.linspace(-2, 1, 12), jnp.linspace(-1.2, 1.2, 9)
    c = re + 1j * im[:, None]

    def body(_, state):
        z, count = state
        inside = jnp.abs(z) < 2
        return jnp.where(inside, z * z + c, z), count + inside

    _, count = jax.jit(lambda: lax.fori_loop(0, 20, body, (jnp.zeros_like(c), jnp.zeros(c.shape, jnp.int32))))()

    f = lambda z: z**3 - 1  # noqa: E731
    newton = jax.jit(lambda z: z - f(z) / jax.vmap(jax.grad(f, holomorphic=True))(z))
    roots = jnp.array([1 + 1j, -1 + 1j, -1 - 1j], jnp.complex64)
    for _ in range(8):
        roots = newton(roots)
    turn = jnp.exp(2j * jnp.pi * jnp.arange(64) / 64)
    integral = (jnp.exp(turn) / turn**2 * 1j * turn).mean() * 2 * jnp.pi
    return count, roots, integral, jnp.angle(roots), jnp.conj(turn[:5]) @ turn[:5]
