"""A small classifier of digit images, in plain functions: two networks, their loss, and one training step.

Parameters are a pytree (a dict of arrays); a network is a function of parameters and images. `train` compiles one step, `jit(value_and_grad(loss))` and Adam's
update together, and runs it over shuffled batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

import weft
import weft.numpy as wnp
from weft import lax, nn, optim, random

Params = dict[str, weft.Array]
Network = Callable[[Params, weft.Array], weft.Array]


def init_mlp(key: weft.Array, pixels: int, hidden: int = 128, classes: int = 10) -> Params:
    """He-initialised weights of pixels -> hidden -> hidden -> classes."""
    keys = random.split(key, 3)
    he = nn.initializers.he_normal()
    sizes = [(pixels, hidden), (hidden, hidden), (hidden, classes)]
    weights = {f"w{i}": he(k, size) for i, (k, size) in enumerate(zip(keys, sizes, strict=True))}
    return weights | {f"b{i}": wnp.zeros(size[1]) for i, size in enumerate(sizes)}


def mlp(params: Params, images: weft.Array) -> weft.Array:
    """Logits (batch, classes) of images (batch, height, width)."""
    x = images.reshape(images.shape[0], -1)
    x = nn.relu(x @ params["w0"] + params["b0"])
    x = nn.relu(x @ params["w1"] + params["b1"])
    return x @ params["w2"] + params["b2"]


def init_convnet(
    key: weft.Array, size: int, channels: tuple[int, int] = (16, 32), hidden: int = 128, classes: int = 10
) -> Params:
    """Weights for images of size x size pixels: two convolutions, each followed by a 2x2 max pool, and two dense layers.

    The last layer starts small, so that every class is about as likely at first: training from confident mistakes begins with leaps that amplify each rounding.
    """
    keys = random.split(key, 4)
    dense = nn.initializers.he_normal()
    conv = nn.initializers.he_normal(in_axis=1, out_axis=0)
    features = channels[1] * (size // 4) ** 2
    return {
        "w0": conv(keys[0], (channels[0], 1, 3, 3)),
        "b0": wnp.zeros(channels[0]),
        "w1": conv(keys[1], (channels[1], channels[0], 3, 3)),
        "b1": wnp.zeros(channels[1]),
        "w2": dense(keys[2], (features, hidden)),
        "b2": wnp.zeros(hidden),
        "w3": 0.1 * dense(keys[3], (hidden, classes)),
        "b3": wnp.zeros(classes),
    }


def _conv(x: weft.Array, w: weft.Array, b: weft.Array) -> weft.Array:
    """3x3 convolution, relu, 2x2 max pool on (batch, channel, height, width)."""
    x = lax.conv_general_dilated(x, w, (1, 1), "SAME") + b[:, None, None]
    return lax.reduce_window(nn.relu(x), -wnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def convnet(params: Params, images: weft.Array) -> weft.Array:
    """Logits (batch, classes) of images (batch, height, width)."""
    x = _conv(images[:, None], params["w0"], params["b0"])
    x = _conv(x, params["w1"], params["b1"])
    x = nn.relu(x.reshape(x.shape[0], -1) @ params["w2"] + params["b2"])
    return x @ params["w3"] + params["b3"]


def cross_entropy(network: Network, params: Params, images: weft.Array, labels: weft.Array) -> weft.Array:
    """Mean negative log-likelihood of the labels (batch,)."""
    logits = network(params, images)
    return -wnp.mean(wnp.sum(nn.log_softmax(logits) * nn.one_hot(labels, logits.shape[1]), axis=1))


@dataclass
class Training:
    """A network under training: parameters and optimiser state on the device, and what happened so far."""

    network: Network
    params: Params
    optimizer: optim.GradientTransformation
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.optimizer.init(self.params)
        self.step = weft.jit(self._step)
        self.predict = weft.jit(lambda params, images: wnp.argmax(self.network(params, images), axis=1))

    def _step(
        self, params: Params, state: Any, images: weft.Array, labels: weft.Array
    ) -> tuple[Params, Any, weft.Array]:
        loss, gradient = weft.value_and_grad(partial(cross_entropy, self.network))(params, images, labels)
        updates, state = self.optimizer.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, loss

    def run(self, images: np.ndarray, labels: np.ndarray) -> float:
        """One step on a batch; its loss."""
        self.params, self.state, loss = self.step(self.params, self.state, images, labels)
        self.losses.append(float(loss))
        return self.losses[-1]

    def classify(self, images: np.ndarray, batch: int) -> np.ndarray:
        """Predicted labels. Every batch has one shape, so that one program serves them all: the last is filled up with zeros."""
        found = []
        for start in range(0, len(images), batch):
            chunk = images[start : start + batch]
            full = np.concatenate([chunk, np.zeros((batch - len(chunk), *chunk.shape[1:]), chunk.dtype)])
            found.append(np.asarray(self.predict(self.params, full))[: len(chunk)])
        return np.concatenate(found)


def batches(rng: np.random.Generator, size: int, count: int) -> Iterator[np.ndarray]:
    """Indices of shuffled full batches, one epoch of them."""
    order = rng.permutation(count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def train(
    training: Training,
    data: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    *,
    epochs: int,
    batch: int,
    seed: int = 0,
    steps: int | None = None,
    label: str = "",
) -> float:
    """Trains over (train images, train labels, test images, test labels), with a progress bar; the test accuracy in [0, 1] after the last epoch.

    `steps` stops early, after that many steps in all.
    """
    train_images, train_labels, test_images, test_labels = data
    rng = np.random.default_rng(seed)
    accuracy = 0.0
    for epoch in range(epochs):
        rounds = list(batches(rng, batch, len(train_images)))
        with tqdm(rounds, desc=f"{label} epoch {epoch + 1}/{epochs}", unit="step", mininterval=0.2) as bar:
            for index in bar:
                loss = training.run(train_images[index], train_labels[index])
                if len(training.losses) % 10 == 0:
                    bar.set_postfix(loss=f"{loss:.4f}")
                if steps is not None and len(training.losses) >= steps:
                    return accuracy
        accuracy = float(np.mean(training.classify(test_images, batch) == test_labels))
        training.accuracies.append(accuracy)
        tqdm.write(
            f"{label} epoch {epoch + 1}: loss {np.mean(training.losses[-len(rounds) :]):.4f}, test accuracy {accuracy:.2%}"
        )
    return accuracy
