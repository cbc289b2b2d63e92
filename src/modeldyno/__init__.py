"""Modeldyno: from a trained model to a fast, proven, watched service.

The public functions, one a verb, are those of `modeldyno.api`; they are imported when first used, so that
`import modeldyno` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from modeldyno.api.checkup import doctor
    from modeldyno.api.comparing import compare
    from modeldyno.api.evaluation import evaluate
    from modeldyno.api.inspection import inspect
    from modeldyno.api.loading import load
    from modeldyno.api.profiling import profile
    from modeldyno.api.reporting import report
    from modeldyno.api.serving import serve
    from modeldyno.api.sizing import capacity
    from modeldyno.api.tuning import tune

_MODULE_OF = {
    "capacity": "sizing",
    "doctor": "checkup",
    "compare": "comparing",
    "evaluate": "evaluation",
    "inspect": "inspection",
    "load": "loading",
    "profile": "profiling",
    "report": "reporting",
    "serve": "serving",
    "tune": "tuning",
}
__all__ = ["capacity", "compare", "doctor", "evaluate", "inspect", "load", "profile", "report", "serve", "tune"]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        return getattr(import_module(f"modeldyno.api.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'modeldyno' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
