"""`modeldyno.testing.null_server`, as the doctor starts it."""

import subprocess
import sys

import numpy as np
import tritonclient.http as triton


def test_the_null_server_speaks_the_protocol_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "modeldyno.testing.null_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        try:
            assert client.is_server_ready()
            assert client.is_model_ready("null")
            assert client.get_model_metadata("null")["inputs"][0]["name"] == "input"
            tensor = triton.InferInput("input", [1, 64], "FP32")
            tensor.set_data_from_numpy(np.zeros((1, 64), np.float32))
            answer = client.infer("null", [tensor]).as_numpy("output")
        finally:
            client.close()
            process.terminate()
        assert answer.shape == (1, 10)
        assert process.wait(30) == 0
