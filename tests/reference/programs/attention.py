"""A transformer over characters: layers under `scan`, dropout, causal attention, Adam by hand; a few steps of training."""


def main(jax):
    jnp, lax, nn, random = jax.numpy, jax.lax, jax.nn, jax.random
    text = "the quick brown fox jumps over the lazy dog. "
    vocabulary = sorted(set(text))
    tokens = jnp.array([vocabulary.index(c) for c in text * 2])
    width, heads, layers, context = 16, 2, 2, 12

    def init(key):
        keys = random.split(key, 7)
        normal = nn.initializers.normal(0.1)
        return {
            "embed": normal(keys[0], (len(vocabulary), width)),
            "place": normal(keys[1], (context, width)),
            "layers": {
                "qkv": normal(keys[2], (layers, width, 3 * width)),
                "out": normal(keys[3], (layers, width, width)),
                "up": normal(keys[4], (layers, width, 4 * width)),
                "down": normal(keys[5], (layers, 4 * width, width)),
                "scale": jnp.ones((layers, 2, width)),
            },
        }

    def norm(x, scale):
        return scale * (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)

    def attend(x, qkv, out):
        q, k, v = jnp.split(x @ qkv, 3, axis=-1)
        split = lambda t: t.reshape(context, heads, -1).transpose(1, 0, 2)  # noqa: E731
        scores = jnp.einsum("hqd,hkd->hqk", split(q), split(k)) / jnp.sqrt(width / heads)
        mask = jnp.tril(jnp.ones((context, context), bool))
        weights = nn.softmax(jnp.where(mask, scores, -jnp.inf), axis=-1)
        return jnp.einsum("hqk,hkd->hqd", weights, split(v)).transpose(1, 0, 2).reshape(context, width) @ out

    def forward(params, key, ids):
        def layer(carry, weights):
            x, key = carry
            key, use = random.split(key)
            x = x + attend(norm(x, weights["scale"][0]), weights["qkv"], weights["out"])
            hidden = nn.gelu(norm(x, weights["scale"][1]) @ weights["up"])
            keep = random.bernoulli(use, 0.9, hidden.shape)
            x = x + jnp.where(keep, hidden / 0.9, 0) @ weights["down"]
            return (x, key), jnp.abs(x).mean()

        x = params["embed"][ids] + params["place"]
        (x, _), sizes = lax.scan(layer, (x, key), params["layers"])
        return x @ params["embed"].T, sizes

    def loss(params, key, batch):
        keys = random.split(key, batch.shape[0])
        logits, sizes = jax.vmap(forward, in_axes=(None, 0, 0))(params, keys, batch[:, :-1])
        logp = nn.log_softmax(logits)
        picked = jnp.take_along_axis(logp, batch[:, 1:, None], axis=-1)
        return -picked.mean(), sizes.mean(0)

    @jax.jit
    def step(params, state, key, number):
        key, a, b = random.split(key, 3)
        starts = random.randint(a, (4,), 0, len(tokens) - context)
        batch = jax.vmap(lambda s: lax.dynamic_slice(tokens, (s,), (context + 1,)))(starts)
        (value, sizes), grads = jax.value_and_grad(loss, has_aux=True)(params, b, batch)
        m, v = state
        m = jax.tree_util.tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree_util.tree_map(lambda v, g: 0.99 * v + 0.01 * g * g, v, grads)
        rate = 1e-2 * jnp.sqrt(1 - 0.99**number) / (1 - 0.9**number)
        params = jax.tree_util.tree_map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return params, (m, v), key, value, sizes

    key = random.PRNGKey(0)
    params = init(key)
    state = (jax.tree_util.tree_map(jnp.zeros_like, params),) * 2
    losses = []
    for number in range(1, 6):
        params, state, key, value, sizes = step(params, state, key, jnp.float32(number))
        losses.append(value)
    return jnp.stack(losses), sizes
