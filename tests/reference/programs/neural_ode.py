"""A neural ODE: Runge-Kutta under `scan`, trained by the gradient through the solver, checkpointed."""


def main(jax):
    jnp, lax, random = jax.numpy, jax.lax, jax.random

    def field(params, y, t):
        return jnp.tanh(jnp.concatenate([y, t[None]]) @ params["w0"] + params["b0"]) @ params["w1"]

    def solve(params, start, times):
        def step(carry, dt):
            y, t = carry
            k1 = field(params, y, t)
            k2 = field(params, y + 0.5 * dt * k1, t + 0.5 * dt)
            k3 = field(params, y + 0.5 * dt * k2, t + 0.5 * dt)
            k4 = field(params, y + dt * k3, t + dt)
            y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            return (y, t + dt), y

        _, ys = lax.scan(jax.checkpoint(step), (start, times[0]), jnp.diff(times))
        return jnp.concatenate([start[None], ys])

    times = jnp.linspace(0.0, 2.0, 11)
    target = jnp.stack([jnp.cos(times), -jnp.sin(times)], axis=1)
    a, b = random.split(random.key(0))
    params = {"w0": 0.5 * random.normal(a, (3, 8)), "b0": jnp.zeros(8), "w1": 0.5 * random.normal(b, (8, 2))}

    def loss(params):
        return ((solve(params, target[0], times) - target) ** 2).mean()

    @jax.jit
    def descend(params):
        value, gradient = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), value

    losses = []
    for _ in range(6):
        params, value = descend(params)
        losses.append(value)
    sensitivity = jax.jacfwd(lambda y: solve(params, y, times)[-1])(target[0])
    return jnp.stack(losses), sensitivity
