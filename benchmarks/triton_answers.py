"""What a server must answer so that every client of the comparison takes it for Triton with one small model.

perf_analyzer asks for the model's configuration and statistics, and insists on its request's id in the answer; the
others take the same bytes without looking. Used by `counting_server.py` and `arrival_sink.py`; nothing is computed.
"""

import json
from typing import Any, Final

MODEL: Final = "null"
COLUMNS: Final = 64
_SCORES: Final = 10
_VALUES: Final = bytes(4 * _SCORES)
_TENSORS: Final[dict[str, Any]] = {
    "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, COLUMNS]}],
    "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, _SCORES]}],
}
_CONFIG: Final[dict[str, Any]] = {
    "name": MODEL,
    "platform": "null",
    "backend": "null",
    "max_batch_size": 64,
    "version_policy": {"latest": {"num_versions": 1}},
    "input": [{"name": "input", "data_type": "TYPE_FP32", "dims": [COLUMNS], "format": "FORMAT_NONE"}],
    "output": [{"name": "output", "data_type": "TYPE_FP32", "dims": [_SCORES]}],
}


def infer_answer(content: bytes) -> bytes:
    """The HTTP answer to an inference request, with its id in it when `content` has one in front."""
    start = content.find(b'"id":"', 0, 400)
    if start < 0:
        return _WITHOUT_ID
    start += 6
    return _tensors(content[start : content.index(b'"', start)])


def document(path: bytes, requests: int) -> bytes:
    """The HTTP answer to any other request; `requests` is how many inferences were answered so far."""
    if path == b"/count":
        return _json({"requests": requests})
    if path.endswith(b"/stats"):
        return _json(_statistics(requests))
    return _DOCUMENTS.get(path, _NOT_FOUND)


def _http(status: bytes, kind: bytes, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n" % (status, kind, more, len(body))
    return head + body


def _json(value: Any) -> bytes:
    return _http(b"200 OK", b"application/json", json.dumps(value).encode())


def _tensors(identity: bytes | None) -> bytes:
    echoed = b"" if identity is None else b'"id":"%s",' % identity
    header = (
        b'{"model_name":"null","model_version":"1",%s"outputs":[{"name":"output","datatype":"FP32","shape":[1,10],'
        b'"parameters":{"binary_data_size":40}}]}' % echoed
    )
    length = b"Inference-Header-Content-Length: %d\r\n" % len(header)
    return _http(b"200 OK", b"application/octet-stream", header + _VALUES, length)


def _statistics(requests: int) -> dict[str, Any]:
    once = {"count": requests, "ns": requests * 1000}
    kinds = ("success", "queue", "compute_input", "compute_infer", "compute_output")
    none = {"count": 0, "ns": 0}
    model = {
        "name": MODEL,
        "version": "1",
        "last_inference": 0,
        "inference_count": requests,
        "execution_count": requests,
        "inference_stats": {**dict.fromkeys(kinds, once), "fail": none, "cache_hit": none, "cache_miss": none},
        "batch_stats": [],
    }
    return {"model_stats": [model]}


_WITHOUT_ID = _tensors(None)
_NOT_FOUND = _http(b"404 Not Found", b"application/json", b'{"error":"there is one model: null"}')
_SERVER = {"name": "null", "version": "1", "extensions": ["binary_tensor_data", "model_configuration", "statistics"]}
_DOCUMENTS = {
    b"/v2": _json(_SERVER),
    b"/v2/health/live": _http(b"200 OK", b"text/plain", b""),
    b"/v2/health/ready": _http(b"200 OK", b"text/plain", b""),
    b"/v2/models/null": _json({"name": MODEL, "versions": ["1"], "platform": "null", **_TENSORS}),
    b"/v2/models/null/ready": _http(b"200 OK", b"text/plain", b""),
    b"/v2/models/null/config": _json(_CONFIG),
}
