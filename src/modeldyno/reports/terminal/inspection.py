"""A bundle as text: the model in it, how it was made and is served, and what was proven of it."""

import shlex

from modeldyno.records.artifact import Artifact
from modeldyno.records.bundle import Datasheet
from modeldyno.records.inspection import Inspection
from modeldyno.reports.estimates import items_text, metric_name, metric_text, plural, ratio_text
from modeldyno.reports.findings import headline_metrics
from modeldyno.reports.terminal.layout import entries, entry, joined, spaced
from modeldyno.reports.terminal.model import signature_table
from modeldyno.reports.terminal.place import machine_lines, model_line
from modeldyno.units import format_size


def inspection_text(inspection: Inspection) -> str:
    """What is served, what it was made from and for, what was proven, and what to type next."""
    bundle, path = inspection.bundle, shlex.quote(inspection.path)
    files = f"{plural(len(bundle.files), 'file')}, {format_size(inspection.size_bytes)}"
    sealed = "encrypted" if bundle.encryption is not None else ""
    lines = [
        *entry("bundle", spaced(inspection.path, f"{bundle.name} version {bundle.version}", files, sealed)),
        *entry("made", f"{bundle.created_at} by modeldyno {bundle.tool_version}"),
        "",
        *model_line(bundle.origin),
        *_artifact(bundle.artifact),
        *entry("served", bundle.deployment.label),
        *entries("note", _notes(inspection)),
        "",
        *_proven(inspection.datasheet),
        "",
        *signature_table(bundle.signature),
        "",
        f"next       dyno serve {path}   or check it here: dyno evaluate {path}",
    ]
    return joined(lines)


def _artifact(artifact: Artifact) -> list[str]:
    computed = f"computed in {artifact.computed_in}" if artifact.computed_in is not None else ""
    lines = [
        *entry("artifact", spaced(artifact.name, artifact.precision, computed, format_size(artifact.size_bytes))),
        *entry("recipe", artifact.recipe),
    ]
    if artifact.calibration_digest:
        lines += entry("calibrated", f"on rows with the digest {artifact.calibration_digest}")
    if artifact.cpu_flags:
        lines += entry("made for", f"processors with {' '.join(artifact.cpu_flags)}")
    return lines


def _notes(inspection: Inspection) -> list[str]:
    if not inspection.flags_lacking:
        return []
    lacking = ", ".join(inspection.flags_lacking)
    return [f"this processor lacks {lacking}, which that one had: see whether the answers hold with dyno evaluate"]


def _proven(datasheet: Datasheet | None) -> list[str]:
    if datasheet is None:
        return entry("proven", "nothing: it was made without a search")
    quality = datasheet.quality
    metrics = [] if quality is None else headline_metrics(quality)[:2]
    shown = (
        ""
        if quality is None
        else "   ".join(f"{metric_name(name)} {metric_text(name, quality.metrics[name])}" for name in metrics)
    )
    over = f"{ratio_text(datasheet.speedup)} the model as it came" if datasheet.speedup is not None else ""
    speed = f"{items_text(datasheet.items_per_s)} items/s" if datasheet.items_per_s is not None else ""
    return [
        *entry("proven", spaced(speed, over, shown)),
        *machine_lines(datasheet.environment),
    ]
