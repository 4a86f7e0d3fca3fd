"""An image: made from waves, blurred by a convolution, filtered in the frequency domain, resized, and its histogram."""


def main(jax):
    jnp, lax = jax.numpy, jax.lax
    y, x = jnp.meshgrid(jnp.linspace(0, 6, 24), jnp.linspace(0, 6, 32), indexing="ij")
    image = jnp.sin(x) * jnp.cos(y) + 0.3 * jax.random.normal(jax.random.key(3), x.shape)
    kernel = jnp.outer(jnp.array([1.0, 2, 1]), jnp.array([1.0, 2, 1])) / 16
    blurred = lax.conv_general_dilated(image[None, None], kernel[None, None], (1, 1), "SAME")[0, 0]
    spectrum = jnp.fft.rfft2(image)
    fy, fx = jnp.fft.fftfreq(image.shape[0])[:, None], jnp.fft.rfftfreq(image.shape[1])
    filtered = jnp.fft.irfft2(jnp.where(fy**2 + fx**2 < 0.02, spectrum, 0), s=image.shape)
    small = jax.image.resize(blurred, (12, 16), "bilinear")
    counts, edges = jnp.histogram(jnp.round(filtered * 64) / 64, bins=8, range=(-1.5, 1.5))
    power = jnp.abs(spectrum) ** 2
    return blurred, filtered, small, counts, edges, jnp.log1p(power).mean(axis=0)
