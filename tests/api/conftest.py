from pathlib import Path

import numpy as np
import pytest

import modeldyno
from modeldyno.records.search import Search


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small trained classifier and its held-out data."""
    import skops.io
    from sklearn.datasets import load_wine
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder = tmp_path_factory.mktemp("wine")
    data = load_wine()
    seen, held_out, seen_labels, held_out_labels = train_test_split(
        data.data.astype(np.float32), data.target, test_size=0.5, random_state=0, stratify=data.target
    )
    model = make_pipeline(StandardScaler(), MLPClassifier((32,), max_iter=1000, random_state=0))
    skops.io.dump(model.fit(seen, seen_labels), folder / "wine.skops")
    np.savez(folder / "wine.npz", X=held_out, y=held_out_labels)
    return folder


@pytest.fixture(scope="session")
def tuned(wine: Path) -> tuple[Search, Path]:
    """One real search with a small budget: conversions, a race, servers and loads."""
    out = wine / "out"
    search = modeldyno.tune(
        wine / "wine.skops",
        data=wine / "wine.npz",
        slo="p50<1s, accuracy_drop<=20%",
        rate_per_s=50,
        budget_ns=16_000_000_000,
        out=out,
    )
    return search, out
