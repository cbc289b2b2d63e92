"""What may be loaded: a file must not be able to run code, or crash the process, unless the user vouches for it."""

from collections.abc import Sequence
from pathlib import Path

from modeldyno.errors import TrustError

VOUCHED_TYPES = frozenset(
    {
        # Plain holders of numbers, left behind by the training of MLPs; skops does not list private modules.
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        # A dictionary whose items are attributes, too: what stacked and voting models name their parts in.
        "sklearn.utils._bunch.Bunch",
        # The type of the numbers that an imputer was fitted on.
        "numpy.dtype",
        # skops stopped trusting these because a crafted node array reads out of bounds on predict
        # (skops-dev/skops#535, scikit-learn/scikit-learn#34558); `trees.check_trees` tests the arrays instead.
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)
"""Types beyond those that skops trusts of itself, that are safe to load with the checks made here."""


def refuse_unknown_types(path: Path, unknown: Sequence[str]) -> TrustError:
    """The error for a .skops file that holds types nobody vouches for."""
    names = ", ".join(sorted(unknown)[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
    return TrustError(
        f"{path} holds types that are not known to be safe: {names}",
        why="loading them runs their code, which this file could use to do anything you can do",
        hint="if you know where the file comes from, add --trust",
    )


def refuse_python(path: Path, entry: str) -> TrustError:
    """The error for a Python file without the user's word."""
    return TrustError(
        f"{path}:{entry} is Python code, and was not run",
        why="loading it runs all that is in the file, which can do anything you can do",
        hint="if you know where the file comes from, add --trust",
    )


def refuse_pickle(path: Path) -> TrustError:
    """The error for a pickle (also inside .joblib) without the user's word."""
    return TrustError(
        f"{path} is a pickle, and was not loaded",
        why="loading a pickle runs whatever code its author put in it",
        hint=(
            "if you know where the file comes from, add --trust; or save the model in a format that holds no code:\n"
            "  import skops.io\n"
            f'  skops.io.dump(model, "{path.stem}.skops")'
        ),
    )


def refuse_torch(path: Path) -> TrustError:
    """The error for a .pt2 or TorchScript file without the user's word."""
    holds = (
        "torch.export keeps some of its tensors and constants as pickles"
        if path.suffix == ".pt2"
        else "TorchScript holds a program"
    )
    return TrustError(
        f"{path} may hold code, and was not loaded",
        why=f"{holds}, and loading a crafted one could do anything you can do",
        hint="if you know where the file comes from, add --trust",
    )


def refuse_machine_code(path: Path) -> TrustError:
    """The error for compiled code without the user's word."""
    return TrustError(
        f"{path} holds machine code, and was not loaded",
        why="loading it runs what a compiler made of someone's program, which can do anything you can do",
        hint="if you know where the file comes from, add --trust",
    )
