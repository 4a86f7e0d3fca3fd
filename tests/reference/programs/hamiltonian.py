"""Hamiltonian Monte Carlo on a banana-shaped density: leapfrog steps in a loop, acceptance by `where`, chains under `vmap`."""


def main(jax):
    jnp, lax, random = jax.numpy, jax.lax, jax.random

    def energy(q):
        return 0.5 * q[0] ** 2 + 0.5 * (q[1] - 0.5 * q[0] ** 2) ** 2

    force = jax.grad(energy)

    def leapfrog(q, p, size, count):
        def body(_, state):
            q, p = state
            p = p - 0.5 * size * force(q)
            q = q + size * p
            return q, p - 0.5 * size * force(q)

        return lax.fori_loop(0, count, body, (q, p))

    def step(q, key):
        a, b = random.split(key)
        p = random.normal(a, q.shape)
        q2, p2 = leapfrog(q, p, 0.2, 6)
        log_ratio = energy(q) + 0.5 * p @ p - energy(q2) - 0.5 * p2 @ p2
        accept = jnp.log(random.uniform(b)) < log_ratio
        q = jnp.where(accept, q2, q)
        return q, (q, accept)

    @jax.jit
    def chain(key, q):
        return lax.scan(step, q, random.split(key, 8))

    starts = jnp.array([[0.0, 1.0], [1.0, -1.0], [-0.5, 0.3]])
    _, (samples, accepted) = jax.vmap(chain)(random.split(random.key(7), 3), starts)
    return samples, accepted.mean(axis=1)
