"""A preparation as text."""

import msgspec

from modeldyno.records.preparation import Prepared
from modeldyno.records.processing import Operation
from modeldyno.records.signature import TensorSpec
from modeldyno.reports.terminal.layout import entries, entry, joined

_MOST_SHOWN = 4


def preparation_text(prepared: Prepared, *, out: str | None) -> str:
    """Which rows stayed, what was learnt, what comes out, and what to type next."""
    left_out = [f"{count:,} {'row' if count == 1 else 'rows'} left out by {step}" for step, count in prepared.dropped]
    lines = [
        *entry("data", prepared.data),
        *entries("rows", [*left_out, f"{prepared.rows:,} rows learnt from"]),
        "",
        *entries("operations", [_operation(one) for one in prepared.processing.operations] or ["none"]),
        *entries("gives", [_spec(spec) for spec in prepared.outputs]),
    ]
    if out is not None:
        lines += ["", *entry("next", f"dyno combine sequence {out} MODEL.bundle --out out/served")]
    return joined(lines)


def _spec(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.datatype} [{', '.join(map(str, spec.shape))}]"


def _operation(operation: Operation) -> str:
    fields = msgspec.to_builtins(operation)
    tag = fields.pop("op")
    return f"{tag} {', '.join(f'{name} {_value(value)}' for name, value in fields.items() if value not in ('', []))}"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        shown = ", ".join(_value(one) for one in value[:_MOST_SHOWN])
        return f"[{shown}{f', ... {len(value):,} in all' if len(value) > _MOST_SHOWN else ''}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
