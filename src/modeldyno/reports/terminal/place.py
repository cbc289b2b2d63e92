"""The lines that say what was measured and where: the model and the machine."""

import shlex
from pathlib import PurePath

from modeldyno.records.artifact import Artifact, Model, is_code
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


def typed(model: Model | Artifact, *, makes_code: bool = False) -> str:
    """How a model is named on the command line, with what else must be said: `net.py:make --trust`.

    Args:
        model: what is named.
        makes_code: whether the command is to make machine code of it.
    """
    named = shlex.quote(f"{model.path}:{model.entry}" if model.entry else model.path)
    return f"{named} --trust" if makes_code or is_code(model.format, model.path) else named


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
