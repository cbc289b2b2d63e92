"""The lines that say what was measured and where: the model and the machine."""

from pathlib import PurePath

from modeldyno.records.artifact import Model
from modeldyno.records.environment import Environment
from modeldyno.reports.findings import model_shape
from modeldyno.reports.terminal.layout import entry, spaced
from modeldyno.reports.wording import LIBRARY_NAMES
from modeldyno.units import format_number, format_size


def model_line(model: Model) -> list[str]:
    """`model      digits.skops   scikit-learn MLPClassifier   64 → 10 classes   fp64   33.1 kB`."""
    library = LIBRARY_NAMES[model.format]
    described = model.description if model.description.startswith(library) else f"{library} {model.description}"
    return entry(
        "model",
        spaced(
            PurePath(model.path).name, described, model_shape(model), model.precision, format_size(model.size_bytes)
        ),
    )


def machine_lines(environment: Environment) -> list[str]:
    """`machine    Intel Xeon ...   2 of 8 cores   Debian 12   load 0.42`."""
    return entry(
        "machine",
        spaced(
            environment.cpu_model,
            f"{environment.cores} of {environment.cores_host} cores",
            environment.operating_system,
            f"load {format_number(environment.load_average_1min, 2)}",
        ),
    )
