"""Train the model of the demo: an MLPClassifier on the UCI handwritten digits that scikit-learn ships.

Writes `digits.skops`, trained on two thirds of the 1,797 images, and `digits.npz` with the held-out third (`X`, `y`),
which the model has never seen and on which its quality is judged.

Usage: python examples/digits/train.py DIRECTORY
"""

import sys
from pathlib import Path

import numpy as np
import skops.io
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def train(directory: Path) -> None:
    """Write model and held-out data into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    pixels = digits.data.astype(np.float32) / 16
    seen, held_out, seen_labels, held_out_labels = train_test_split(
        pixels, digits.target, test_size=1 / 3, random_state=0, stratify=digits.target
    )
    model = MLPClassifier(hidden_layer_sizes=(128,), max_iter=300, random_state=0).fit(seen, seen_labels)
    skops.io.dump(model, directory / "digits.skops")
    np.savez(directory / "digits.npz", X=held_out, y=held_out_labels)
    print(f"trained on {len(seen)} images; {len(held_out)} held out; written to {directory}/")


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
