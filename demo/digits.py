"""This module trains a digit reader: softmax regression in NumPy on scikit-learn's 1,797 handwritten digits.

Its last line of output is one JSON object with the accuracy on digits that it has not seen.
"""

from __future__ import annotations

import argparse
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one task, one CPU; read when NumPy is loaded

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

CLASSES = 10
EPOCHS = 300
BATCH = 16
HELD_BACK = 0.25  # share of the digits that the training never sees

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def load() -> tuple[Floats, Labels]:
    """All digits as rows of 64 grey values and a constant, and what each of them shows."""
    images, labels = load_digits(return_X_y=True)
    constant = np.ones((len(images), 1))
    return np.hstack([images / 16.0, constant]), labels.astype(np.int64)


def probabilities(weights: Floats, images: Floats) -> Floats:
    """How likely each image is each digit."""
    scores = images @ weights
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def accuracy(weights: Floats, images: Floats, labels: Labels) -> float:
    """The share of images read rightly."""
    return float((probabilities(weights, images).argmax(axis=1) == labels).mean())


def train(images: Floats, labels: Labels, lr: float, reg: float, rng: np.random.Generator) -> Floats:
    """Weights found by gradient descent in small batches, with a penalty `reg` on their size."""
    wanted = np.eye(CLASSES)[labels]
    weights = rng.normal(0.0, 0.01, (images.shape[1], CLASSES))
    for epoch in range(1, EPOCHS + 1):
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            error = probabilities(weights, images[batch]) - wanted[batch]
            weights -= lr * (images[batch].T @ error / len(batch) + reg * weights)
        if epoch % 60 == 0:
            print(f"epoch {epoch}: {accuracy(weights, images, labels):.4f} of what it has seen", flush=True)
    return weights


def main() -> None:
    """Train once and print how good the result is."""
    parser = argparse.ArgumentParser(description="Train a digit reader.")
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate")
    parser.add_argument("--reg", type=float, default=0.001, help="penalty on large weights")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the first weights and the order")
    asked = parser.parse_args()
    began = time.perf_counter()
    rng = np.random.default_rng(asked.seed)
    images, labels = load()
    order = rng.permutation(len(images))
    seen = order[round(len(order) * HELD_BACK) :]
    unseen = order[: round(len(order) * HELD_BACK)]
    weights = train(images[seen], labels[seen], asked.lr, asked.reg, rng)
    result = {
        "lr": asked.lr,
        "reg": asked.reg,
        "seed": asked.seed,
        "accuracy": round(accuracy(weights, images[unseen], labels[unseen]), 4),
        "seconds": round(time.perf_counter() - began, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
