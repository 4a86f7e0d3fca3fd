"""A language model writes: rotary places, a cache of keys and values that is updated in place, numbers drawn by a key that the loop carries; the cached scores are those of the whole text."""


def main(jax):
    jnp, lax, nn, random = jax.numpy, jax.lax, jax.nn, jax.random
    width, heads, length, words = 8, 2, 6, 11

    def init(key):
        keys = random.split(key, 5)
        shapes = {
            "embed": (words, width),
            "qkv": (width, 3 * width),
            "out": (width, width),
            "up": (width, 16),
            "down": (16, width),
        }
        return {name: 0.3 * random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items(), strict=True)}

    def turned(x, places):
        half = x.shape[-1] // 2
        angles = places[:, None, None] * 100.0 ** -(jnp.arange(half) / half)
        a, b = jnp.split(x, 2, axis=-1)
        return jnp.concatenate(
            [a * jnp.cos(angles) - b * jnp.sin(angles), a * jnp.sin(angles) + b * jnp.cos(angles)], -1
        )

    def norm(x):
        return x * lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6)

    def attend(q, k, v, mask):
        scores = jnp.einsum("qhd,khd->hqk", q, k) * (width // heads) ** -0.5
        scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
        return jnp.einsum("hqk,khd->qhd", nn.softmax(scores), v)

    def layer(params, ids, places, attended):
        x = params["embed"][ids]
        q, k, v = jnp.split((norm(x) @ params["qkv"]).reshape(-1, 3 * heads, width // heads), 3, axis=1)
        mixed = attended(turned(q, places), turned(k, places), v)
        x = x + mixed.reshape(-1, width) @ params["out"]
        x = x + nn.gelu(norm(x) @ params["up"]) @ params["down"]
        return x @ params["embed"].T

    def whole(params, ids):
        places = jnp.arange(len(ids))
        mask = places[:, None] >= places
        return layer(params, ids, places, lambda q, k, v: attend(q, k, v, mask))

    @jax.jit
    def write(params, first, key):
        def step(carry, place):
            (keys, values), word, key = carry
            cache = []

            def attended(q, k, v):
                cache[:] = [lax.dynamic_update_slice_in_dim(c, n, place, 0) for c, n in ((keys, k), (values, v))]
                return attend(q, *cache, jnp.arange(length) <= place)

            logits = layer(params, word[None], place[None], attended)[0]
            key, use = random.split(key)
            new = random.categorical(use, logits / 0.7)
            return (tuple(cache), new, key), (new, logits)

        empty = jnp.zeros((length, heads, width // heads))
        return lax.scan(step, ((empty, empty), first, key), jnp.arange(length))

    params = init(random.key(0))
    (_, last, key), (text, logits) = write(params, jnp.int32(3), random.key(1))
    ids = jnp.append(3, text[:-1])
    return text, logits, jnp.abs(whole(params, ids) - logits).max() < 1e-5, last, random.key_data(key)
