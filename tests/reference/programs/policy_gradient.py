"""Reinforcement learning: a cart with a pole, many at once, advantages by a backward `scan`, a clipped policy gradient."""


def main(jax):
    jnp, lax, nn, random = jax.numpy, jax.lax, jax.nn, jax.random

    def physics(s, push):
        x, v, angle, spin = s
        force = jnp.where(push == 1, 10.0, -10.0)
        common = (force + 0.05 * spin**2 * jnp.sin(angle)) / 1.1
        turn = (9.8 * jnp.sin(angle) - jnp.cos(angle) * common) / (0.5 * (4 / 3 - 0.1 * jnp.cos(angle) ** 2 / 1.1))
        push = common - 0.05 * turn * jnp.cos(angle) / 1.1
        s = jnp.stack([x + 0.02 * v, v + 0.02 * push, angle + 0.02 * spin, spin + 0.02 * turn])
        return s, (jnp.abs(s[0]) > 2.4) | (jnp.abs(s[2]) > 0.21)

    def policy(params, s):
        return nn.log_softmax(jnp.tanh(s @ params["w0"]) @ params["w1"])

    def rollout(params, key, s):
        def step(carry, key):
            s, alive = carry
            action = random.categorical(key, policy(params, s))
            s2, fell = physics(s, action)
            alive2 = lax.cond(fell, lambda a: jnp.zeros_like(a), lambda a: a, alive)
            return (jnp.where(alive, s2, s), alive2), (s, action, alive.astype(jnp.float32))

        _, trail = lax.scan(step, (s, jnp.bool_(True)), random.split(key, 15))
        return trail

    def returns(rewards):
        def back(total, reward):
            total = reward + 0.95 * total
            return total, total

        return lax.scan(back, 0.0, rewards, reverse=True)[1]

    a, b, c, d = random.split(random.PRNGKey(11), 4)
    params = {"w0": random.normal(a, (4, 6)) * 0.5, "w1": random.normal(b, (6, 2)) * 0.5}
    starts = random.uniform(c, (5, 4), minval=-0.05, maxval=0.05)
    states, actions, rewards = jax.jit(jax.vmap(rollout, in_axes=(None, 0, 0)))(params, random.split(d, 5), starts)
    gains = jax.vmap(returns)(rewards)
    gains = (gains - gains.mean()) / (gains.std() + 1e-6)
    old = jax.vmap(jax.vmap(policy, (None, 0)), (None, 0))(params, states)

    def objective(params):
        logp = policy(params, states)
        ratio = jnp.exp(jnp.take_along_axis(logp - lax.stop_gradient(old), actions[..., None], -1)[..., 0])
        return -jnp.minimum(ratio * gains, jnp.clip(ratio, 0.8, 1.2) * gains).mean()

    gradient = jax.grad(objective)(params)
    return actions, rewards.sum(1), gains, gradient["w0"], gradient["w1"]
