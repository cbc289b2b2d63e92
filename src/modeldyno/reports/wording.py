"""The words that the terminal and the page share, and the order in which things are told."""

import re

from modeldyno.records.verdict import Answer

ANSWER_WORDS: dict[Answer, str] = {"pass": "pass", "fail": "fail", "cannot_tell": "cannot tell"}
LIBRARY_NAMES = {
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
    "python": "Python",
    "lightgbm": "LightGBM",
    "onnx": "ONNX",
    "openvino": "OpenVINO",
    "saved-model": "TensorFlow SavedModel",
    "keras": "Keras",
    "torch-export": "torch.export",
    "torchscript": "TorchScript",
    "torch-module": "PyTorch",
    "torch-aoti": "AOTInductor",
    "transformers": "Transformers",
    "compiled-trees": "compiled trees",
}
SPLIT_PARTS = (
    ("client wait", "client_wait_ns"),
    ("connect", "connect_ns"),
    ("transmission", "transmission_ns"),
    ("server queue", "server_queue_ns"),
    ("preprocessing", "preprocessing_ns"),
    ("inference", "inference_ns"),
    ("postprocessing", "postprocessing_ns"),
    ("unaccounted", "unaccounted_ns"),
)
"""The parts of the response time, in the order in which a request meets them, and their fields."""
LATENCY_LEVELS = (
    ("mean", "mean_ns"),
    ("p50", "p50_ns"),
    ("p90", "p90_ns"),
    ("p95", "p95_ns"),
    ("p99", "p99_ns"),
    ("p99.9", "p999_ns"),
    ("max", "max_ns"),
)
"""What is told of a latency distribution, and the fields of `LatencySummary`."""
GLUE = "\N{NO-BREAK SPACE}"
_ONE_FACT = re.compile(r"\d+ × \d+|[\d.,]+(?:×| (?:(?:[nµm]?s|min|[kMG]?B)\b|%))?(?: \[[^\[\]]{1,40}\])?")


def glued(text: str) -> str:
    """`text` with no-break spaces inside a number with its unit and its interval, which a line must not tear apart."""
    return _ONE_FACT.sub(lambda match: match[0].replace(" ", GLUE), text)


def moment(text: str) -> str:
    """An ISO 8601 time in UTC as people write it: `2026-03-14 09:26:53 UTC`."""
    return text.replace("T", " ", 1).replace("+00:00", " UTC")


def printable(text: str) -> str:
    """`text` without what moves a cursor, hides or reorders characters: names come from files that others wrote."""
    return "".join(
        character if character.isprintable() or character == GLUE else "\N{REPLACEMENT CHARACTER}" for character in text
    )
