"""Modeldyno: from a trained model to a fast, proven, watched service.

The public functions, one a verb, are those of `modeldyno.api`; they are imported when first used, so that
`import modeldyno` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from modeldyno.api.doctor import doctor
    from modeldyno.api.evaluate import evaluate
    from modeldyno.api.inspect import inspect
    from modeldyno.api.load import load
    from modeldyno.api.profile import profile
    from modeldyno.api.report import report
    from modeldyno.api.serve import serve
    from modeldyno.api.tune import tune

__all__ = ["doctor", "evaluate", "inspect", "load", "profile", "report", "serve", "tune"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(f"modeldyno.api.{name}"), name)
    raise AttributeError(f"module 'modeldyno' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
