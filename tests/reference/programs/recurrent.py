"""A GRU on adding numbers: `scan` in the middle of `vmap` in the middle of `grad`, `custom_vjp` for clipping, a step with `lax.switch` as its schedule."""


def main(jax):
    jnp, lax, nn, random = jax.numpy, jax.lax, jax.nn, jax.random

    @jax.custom_vjp
    def clip_gradient(x):
        return x

    clip_gradient.defvjp(lambda x: (x, None), lambda _, g: (jnp.clip(g, -0.05, 0.05),))

    def cell(params, h, x):
        both = jnp.concatenate([h, x])
        z, r = jnp.split(nn.sigmoid(both @ params["zr"]), 2)
        new = jnp.tanh(jnp.concatenate([r * h, x]) @ params["h"])
        return clip_gradient((1 - z) * h + z * new)

    def predict(params, xs):
        h, _ = lax.scan(lambda h, x: (cell(params, h, x), None), jnp.zeros(6), xs)
        return h @ params["out"]

    a, b, c, d = random.split(random.key(4), 4)
    params = {
        "zr": 0.3 * random.normal(a, (8, 12)),
        "h": 0.3 * random.normal(b, (8, 6)),
        "out": 0.3 * random.normal(c, (6,)),
    }
    xs = random.uniform(d, (7, 9, 2))
    ys = (xs[..., 0] * (xs[..., 1] > 0.5)).sum(1)

    def loss(params):
        return jnp.mean((jax.vmap(predict, (None, 0))(params, xs) - ys) ** 2)

    @jax.jit
    def step(params, number):
        value, gradient = jax.value_and_grad(loss)(params)
        rate = lax.switch(number // 2, [lambda: 0.1, lambda: 0.05, lambda: 0.01])
        return jax.tree_util.tree_map(lambda p, g: p - rate * g, params, gradient), value

    losses = []
    for number in range(6):
        params, value = step(params, number)
        losses.append(value)
    return jnp.stack(losses), params["zr"]
