"""The demo: learn to read handwritten digits, on a machine without a GPU, and see what the compiler made of the training step.

Trains an MLP and a convnet on 1,797 real 8x8 digits (examples/data), writes one picture (loss curves, and test digits with the labels predicted for them) and
prints one kernel of the convnet's training step at each stage of the compiler: array, kernel, scheduled kernel, WGSL, WAT.

    python examples/digits.py [--device cpu|wasm|webgpu] [--out out/digits.png]
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from classifier import Training, convnet, cross_entropy, init_convnet, init_mlp, mlp, train

import weft
from weft import optim, random

DATA = Path(__file__).parent / "data" / "digits.csv.gz"


def load(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shuffled (train images, train labels, test images, test labels): float32 in [0, 1], (n, 8, 8), and int32. A fifth is for testing."""
    table = np.loadtxt(DATA, delimiter=",", dtype=np.float32)
    table = np.random.default_rng(seed).permutation(table)
    images, labels = table[:, :-1].reshape(-1, 8, 8) / 16, table[:, -1].astype(np.int32)
    test = len(table) // 5
    return images[test:], labels[test:], images[:test], labels[:test]


def picture(path: Path, runs: dict[str, Training], images: np.ndarray, labels: np.ndarray) -> None:
    """Loss curves beside a grid of test digits, each with its predicted label (red where it is wrong)."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(12, 5.5), layout="constrained")
    left, right = figure.subfigures(1, 2)
    axes = left.subplots()
    for name, run in runs.items():
        axes.semilogy(run.losses, label=f"{name}: {run.accuracies[-1]:.1%} of the test digits right", linewidth=1)
    axes.set(xlabel="step", ylabel="cross entropy of the batch", title="Training on 8×8 handwritten digits")
    axes.legend()
    predicted = runs["convnet"].classify(images, 128)
    for cell, image, label, guess in zip(right.subplots(6, 10).flat, images, labels, predicted, strict=False):
        cell.imshow(image, cmap="gray_r")
        cell.set_axis_off()
        cell.set_title(str(guess), color="black" if guess == label else "red", fontsize=10, pad=2)
    right.suptitle("test digits and the labels that the convnet gives them")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def show_stages(training: Training, images: np.ndarray, labels: np.ndarray) -> None:
    """Prints one kernel of the training step as each stage of the compiler sees it."""
    lowered = weft.jit(weft.value_and_grad(partial(cross_entropy, training.network))).lower(
        training.params, images, labels
    )
    for stage in ("array", "kernel", "scheduled", "wgsl", "wat"):
        print(f"\n{'=' * 30} {stage} {'=' * (90 - len(stage))}")
        print(lowered.as_text(stage, kernel=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="wasm", choices=("cpu", "wasm", "webgpu"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("out/digits.png"))
    args = parser.parse_args()

    weft.set_default_device(args.device)
    data = load()
    key = random.key(0)
    runs = {
        "MLP": Training(mlp, init_mlp(key, 64), optim.adam(2e-3)),
        "convnet": Training(convnet, init_convnet(key, 8), optim.adam(2e-3)),
    }
    for name, training in runs.items():
        train(training, data, epochs=args.epochs, batch=64, label=f"{name:8}")
    picture(args.out, runs, data[2], data[3])
    show_stages(runs["convnet"], data[0][:64], data[1][:64])
    print(f"\nwrote {args.out}")
    print(f"test accuracy: {100 * runs['convnet'].accuracies[-1]:.1f} %")


if __name__ == "__main__":
    main()
