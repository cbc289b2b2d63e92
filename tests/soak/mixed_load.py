"""What many kinds of clients do at once, each in a thread: sound, hasty, malformed and administrative."""

import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import grpc
import numpy as np

from modeldyno.clock import SystemClock
from modeldyno.records.signature import Signature
from modeldyno.testing.running_server import Client, http_request, infer_request
from modeldyno.wire.v2_client import decode_infer_response
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response
from modeldyno.wire.v2_messages import method_path

PAUSE_NS = 2_000_000
RELOAD_PAUSE_NS = 500_000_000
MODEL = "echo"
INFER = f"/v2/models/{MODEL}/infer"
HEAD = f"POST {INFER} HTTP/1.1\r\nHost: h\r\n".encode()
MALFORMED = (
    HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"X: " + b"a" * 40_000 + b"\r\n\r\n",
    http_request("POST", INFER, b'{"inputs":[' + b"[" * 100_000),
    http_request("POST", INFER, b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1]}]}'),
    http_request("POST", INFER, b"\x1f\x8b" + bytes(100), Content_Encoding="gzip"),
    http_request("POST", INFER, b"{}", Inference_Header_Content_Length="99"),
    http_request("GET", "/v2/models/unknown"),
    http_request("DELETE", "/v2"),
    b"\x16\x03\x01" + bytes(300),
)


class MixedLoad:
    """All of them, from entering the context to leaving it; `done` counts what they did, `problems` what went wrong.

    Args:
        url: of the server, which serves the model `echo` of rows of two numbers.
        grpc_address: its host and port for gRPC.
        admin_url: where models are loaded; empty to leave that out.
        signature: the model's.
    """

    def __init__(self, url: str, grpc_address: str, admin_url: str, signature: Signature) -> None:
        self._url = url
        self._grpc_address = grpc_address
        self._admin_url = admin_url
        self._signature = signature
        self._clock = SystemClock()
        self._is_over = threading.Event()
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        kinds: list[Callable[[], None]] = [
            self._ask_json, self._ask_binary, self._ask_grpc, self._ask_and_vanish, self._ask_wrongly, self._look,
        ]  # fmt: skip
        if admin_url:
            kinds.append(self._reload)
        self._threads = [threading.Thread(target=self._watch, args=(kind,)) for kind in kinds]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)

    def _watch(self, kind: Callable[[], None]) -> None:
        try:
            kind()
        except Exception as problem:  # noqa: BLE001 - the test shows it; it is in another thread
            self.problems.append(f"{kind.__name__}: {problem!r}")

    def _goes_on(self, pause_ns: int = PAUSE_NS) -> bool:
        self._clock.sleep_until_ns(self._clock.now_ns() + pause_ns)
        return not self._is_over.is_set()

    def _connect(self, url: str = "") -> Client:
        host, port = (url or self._url).removeprefix("http://").rsplit(":", 1)
        return Client(socket.create_connection((host, int(port)), timeout=60))

    def _count(self, name: str, *, is_right: bool, told: object) -> None:
        self.done[name] += 1
        if not is_right:
            self.problems.append(f"{name}: {told}")

    def _ask_json(self) -> None:
        draw = random.Random(1)  # noqa: S311 - no secret
        with self._connect() as client:
            while self._goes_on():
                rows = draw.randint(1, 50)
                values = [draw.randint(0, 1000) / 8 for _ in range(2 * rows)]
                tensor = {"name": "x", "datatype": "FP32", "shape": [rows, 2], "data": values}
                reply = client.ask("POST", INFER, json.dumps({"id": str(rows), "inputs": [tensor]}).encode())
                is_right = reply.status == 200 and json.loads(reply.body)["outputs"][0]["data"] == values
                self._count("json", is_right=is_right, told=reply)

    def _ask_binary(self) -> None:
        number = 0
        with self._connect() as client:
            while self._goes_on():
                number += 1
                client.send(infer_request([[number % 5000, 1]], self._signature, model=MODEL))
                reply = client.read()
                length = int(reply.headers.get("inference-header-content-length", "0"))
                is_right = reply.status == 200
                is_right &= decode_infer_response(reply.body, length)["y"].tolist() == [[number % 5000, 1]]
                self._count("binary", is_right=is_right, told=reply)

    def _ask_grpc(self) -> None:
        number = 0
        with grpc.insecure_channel(self._grpc_address) as channel:
            infer = channel.unary_unary(method_path("ModelInfer"))
            while self._goes_on():
                number += 1
                row = np.array([[number % 5000, 2]], np.float32)
                message = encode_infer_request({"x": row}, self._signature, MODEL)
                call = infer.future(message, timeout=60)
                if number % 10 == 0:
                    call.cancel()
                    self.done["grpc cancelled"] += 1
                    continue
                answer = infer_outputs(parse_infer_response(call.result()))["y"]
                self._count("grpc", is_right=answer.tolist() == row.tolist(), told=answer)

    def _ask_and_vanish(self) -> None:
        request = infer_request([[1, 2]] * 100, self._signature, model=MODEL)
        while self._goes_on():
            client = self._connect()
            client.send(request)
            client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            self.done["vanished"] += 1

    def _ask_wrongly(self) -> None:
        draw = random.Random(2)  # noqa: S311 - no secret
        while self._goes_on():
            with self._connect() as client:
                client.send(draw.choice(MALFORMED))
                reply = client.read()
                self._count("malformed", is_right=400 <= reply.status < 500, told=reply)

    def _look(self) -> None:
        with self._connect() as client:
            while self._goes_on(10 * PAUSE_NS):
                for path in ("/metrics", "/v2/health/ready", f"/v2/models/{MODEL}/stats", f"/v2/models/{MODEL}"):
                    reply = client.ask("GET", path)
                    self._count("looked", is_right=reply.status == 200, told=(path, reply))

    def _reload(self) -> None:
        with self._connect(self._admin_url) as client:
            while self._goes_on(RELOAD_PAUSE_NS):
                reply = client.ask("POST", f"/v2/repository/models/{MODEL}/load")
                self._count("loaded", is_right=reply.status == 200, told=reply)
