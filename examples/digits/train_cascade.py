"""Train a small and a big model for a cascade, on the UCI handwritten digits that scikit-learn ships.

Writes `small.skops` (logistic regression) and `big.skops` (a neural network), trained on two thirds of the 1,797
images, and `digits.npz` with the held-out third (`X`, `y`), which neither model has seen.

Usage: python examples/digits/train_cascade.py DIRECTORY
"""

import sys
from pathlib import Path

import numpy as np
import skops.io
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def train(directory: Path) -> None:
    """Write both models and the held-out data into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    pixels = digits.data.astype(np.float32) / 16
    seen, held_out, seen_labels, held_out_labels = train_test_split(
        pixels, digits.target, test_size=1 / 3, random_state=0, stratify=digits.target
    )
    models = {
        "small": LogisticRegression(max_iter=1000),
        "big": MLPClassifier(hidden_layer_sizes=(512, 256), max_iter=300, random_state=0),
    }
    for name, model in models.items():
        skops.io.dump(model.fit(seen, seen_labels), directory / f"{name}.skops")
    np.savez(directory / "digits.npz", X=held_out, y=held_out_labels)
    print(f"trained two models on {len(seen)} images; {len(held_out)} held out; written to {directory}/")


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
