"""The least that any server on grpcio's asyncio server does: `MODEL=FILE python grpc_aio_app.py PORT`."""

import asyncio
import os
import sys
from typing import Any

import grpc.aio
import numpy as np
from one_thread import dtype_of, open_session  # type: ignore[import-not-found]
from tritonclient.grpc import service_pb2, service_pb2_grpc


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Parse, compute, answer; no checks, no queue, no counts."""

    def __init__(self) -> None:
        self.session = open_session(os.environ["MODEL"])
        self.dtype = dtype_of(self.session)

    async def ModelInfer(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the protocol's name
        """See the protocol."""
        rows = np.frombuffer(request.raw_input_contents[0], self.dtype).reshape(tuple(request.inputs[0].shape))
        (output,) = self.session.run(["y"], {"x": rows})
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
        answer.outputs.add(name="y", datatype="FP32", shape=output.shape)
        answer.raw_output_contents.append(output.tobytes())
        return answer


async def serve(port: int) -> None:
    """Until the process is ended."""
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
