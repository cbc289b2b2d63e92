"""Modeldyno: from a trained model to a fast, proven, watched service.

The public functions, one a verb, are those of `modeldyno.api`; they are imported when first used, so that
`import modeldyno` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from modeldyno.api.auditing import verify_audit
    from modeldyno.api.checkup import doctor
    from modeldyno.api.combined.graph import JoinRule
    from modeldyno.api.combining import combine
    from modeldyno.api.comparing import compare
    from modeldyno.api.compressing import compress
    from modeldyno.api.conforming import conform, conformance_rules
    from modeldyno.api.converting import convert
    from modeldyno.api.evaluation import evaluate
    from modeldyno.api.fusing import fuse
    from modeldyno.api.inspection import inspect, inspect_bundle
    from modeldyno.api.judging.assessment import Beside
    from modeldyno.api.judging.evaluated import Reach
    from modeldyno.api.keys import create_key, list_keys, revoke_key
    from modeldyno.api.load.questions.ask import Ask
    from modeldyno.api.load.workloads import Shape
    from modeldyno.api.loading import load
    from modeldyno.api.preparing import prepare
    from modeldyno.api.profiling import profile
    from modeldyno.api.reporting import report
    from modeldyno.api.sealing import seal
    from modeldyno.api.serving import serve
    from modeldyno.api.sizing import capacity
    from modeldyno.api.tuning import tune
    from modeldyno.loadgen.access import Access
    from modeldyno.quality.asked import Costs

_MODULE_OF = {
    "Access": "loadgen.access",
    "Ask": "api.load.questions.ask",
    "Beside": "api.judging.assessment",
    "Costs": "quality.asked",
    "JoinRule": "api.combined.graph",
    "Reach": "api.judging.evaluated",
    "Shape": "api.load.workloads",
    "capacity": "api.sizing",
    "combine": "api.combining",
    "compare": "api.comparing",
    "compress": "api.compressing",
    "conform": "api.conforming",
    "conformance_rules": "api.conforming",
    "convert": "api.converting",
    "create_key": "api.keys",
    "doctor": "api.checkup",
    "evaluate": "api.evaluation",
    "fuse": "api.fusing",
    "inspect": "api.inspection",
    "inspect_bundle": "api.inspection",
    "list_keys": "api.keys",
    "load": "api.loading",
    "prepare": "api.preparing",
    "profile": "api.profiling",
    "report": "api.reporting",
    "revoke_key": "api.keys",
    "seal": "api.sealing",
    "serve": "api.serving",
    "tune": "api.tuning",
    "verify_audit": "api.auditing",
}
__all__ = [
    "Access",
    "Ask",
    "Beside",
    "Costs",
    "JoinRule",
    "Reach",
    "Shape",
    "capacity",
    "combine",
    "compare",
    "compress",
    "conform",
    "conformance_rules",
    "convert",
    "create_key",
    "doctor",
    "evaluate",
    "fuse",
    "inspect",
    "inspect_bundle",
    "list_keys",
    "load",
    "prepare",
    "profile",
    "report",
    "revoke_key",
    "seal",
    "serve",
    "tune",
    "verify_audit",
]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        return getattr(import_module(f"modeldyno.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'modeldyno' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
