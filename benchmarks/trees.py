"""Trees in their own library, in ONNX Runtime and as machine code, each from one and the same model.

    python benchmarks/trees.py [--rounds 9]

Forests and boosted trees of 200 trees are grown on breast cancer (30 features) on the spot, converted and compiled by
the recipes of `dyno tune`, and computed in one thread, in turns, with calls of 1, 32 and 512 rows. What is compared is
processor time, which a neighbour on the machine takes no part of.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import xgboost
from conditions import conditions, heading, keep, median_of, spread, table
from contenders import Contender, race, stolen_line, timings
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import make_artifacts, recipes_for
from modeldyno.data.files import open_dataset
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.protocols import Silent
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Refusal

TREES = 200
ROWS = (1, 32, 512)
Grow = Callable[[Path, NDArray[np.float32], NDArray[np.int64]], Path]


def forest(folder: Path, rows: NDArray[np.float32], labels: NDArray[np.int64]) -> Path:
    """scikit-learn's random forest."""
    save_skops(RandomForestClassifier(TREES, random_state=0).fit(rows, labels), folder / "forest.skops")
    return folder / "forest.skops"


def histogram_boosting(folder: Path, rows: NDArray[np.float32], labels: NDArray[np.int64]) -> Path:
    """scikit-learn's boosting by histograms."""
    model = HistGradientBoostingClassifier(max_iter=TREES, random_state=0).fit(rows, labels)
    save_skops(model, folder / "histogram.skops")
    return folder / "histogram.skops"


def xgboost_trees(folder: Path, rows: NDArray[np.float32], labels: NDArray[np.int64]) -> Path:
    """XGBoost, six questions deep."""
    settings = {"objective": "binary:logistic", "max_depth": 6, "nthread": 1}
    xgboost.train(settings, xgboost.DMatrix(rows, labels), TREES).save_model(folder / "xgboost.ubj")
    return folder / "xgboost.ubj"


def lightgbm_trees(folder: Path, rows: NDArray[np.float32], labels: NDArray[np.int64]) -> Path:
    """LightGBM, 31 leaves a tree."""
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbose": -1}
    lightgbm.train(settings, lightgbm.Dataset(rows, labels), TREES).save_model(folder / "lightgbm.txt")
    return folder / "lightgbm.txt"


MODELS: tuple[tuple[str, Grow], ...] = (
    ("scikit-learn forest", forest),
    ("scikit-learn histogram boosting", histogram_boosting),
    ("XGBoost", xgboost_trees),
    ("LightGBM", lightgbm_trees),
)


def made_of(path: Path, rows: Path, folder: Path) -> tuple[list[Artifact], list[Refusal]]:
    """The model as it came, in ONNX and compiled."""
    model = examine(path, trust=False)
    situation = Situation(
        model=model,
        dataset=open_dataset(rows, model.signature, label=None),
        folder=folder,
        cpu_flags=capture_environment().cpu_flags,
        trust=True,
    )
    original, recipes = artifact_of(model), recipes_for(["trees-compiled"])
    made, refused = make_artifacts(original, situation, recipes, progress=Silent(), is_time_up=lambda: False)
    return [original, *made], refused


def measured(artifacts: Sequence[Artifact], rows: NDArray[np.float32], rounds: int) -> dict[str, Any]:
    """Calls of so many rows, all artifacts in turns."""
    contenders = [Contender(one, open_artifact(one, trust=True), [], []) for one in artifacts]
    stolen = race(contenders, [{"input": rows}], rounds)
    found = [timings(one, contenders[min(1, len(contenders) - 1)]) for one in contenders]
    return {"rows": len(rows), "artifacts": found, "stolen": stolen}


def model_lines(name: str, found: Sequence[dict[str, Any]], refused: Sequence[Refusal]) -> list[str]:
    """The table of one model."""
    cells = [
        (
            f"{one['rows']}",
            artifact["name"],
            spread([1e3 * taken for taken in artifact["cpu_ms"]], 1),
            spread(artifact["faster_cpu"], 2),
        )
        for one in found
        for artifact in one["artifacts"]
    ]
    fastest = [max(one["artifacts"], key=lambda made: median_of(made["faster_cpu"]) or 0.0)["name"] for one in found]
    told = ", ".join(f"{best} with {one['rows']}" for best, one in zip(fastest, found, strict=True))
    return [
        f"## {name}",
        "",
        *table(("rows a call", "artifact", "CPU µs a call", "speed × ONNX Runtime, in CPU time"), cells),
        f"Fastest: {told}.",
        *(f"Not made, {one.name}: {one.reason}" for one in refused),
        "",
    ]


def main() -> None:
    """Grow, make, race, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    where = conditions(rounds)
    where["versions"] |= {name: version(name) for name in ("onnxruntime", "scikit-learn", "xgboost-cpu", "lightgbm")}
    data, labels = load_breast_cancer(return_X_y=True)
    rows = data.astype(np.float32)
    document: dict[str, Any] = {"conditions": where}
    tables: list[str] = []
    stolen: list[float | None] = []
    with tempfile.TemporaryDirectory() as directory:
        np.savez(Path(directory) / "rows.npz", X=rows)
        for name, grow in MODELS:
            folder = Path(directory) / name
            folder.mkdir()
            artifacts, refused = made_of(grow(folder, rows, labels), Path(directory) / "rows.npz", folder)
            found = [measured(artifacts, rows[:count], rounds) for count in ROWS]
            stolen += [share for one in found for share in one["stolen"]]
            document[name] = found
            tables += model_lines(name, found, refused)
    sentences = (f"{TREES} trees, {rows.shape[1]} features, one thread.", stolen_line(stolen))
    keep("trees", [*heading("Trees", where, *sentences), *tables], document)


if __name__ == "__main__":
    main()
