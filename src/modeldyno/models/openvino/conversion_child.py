"""The child process of `openvino_conversion`."""

from pathlib import Path

from modeldyno.children import answer
from modeldyno.models.openvino.conversion import OpenVinoResult, OpenVinoTask
from modeldyno.openvino_library import load_openvino, read_network


def convert(task: OpenVinoTask) -> OpenVinoResult:
    """Read and write; weights are not rounded to half precision, which OpenVINO does unless told."""
    openvino = load_openvino()
    network = read_network(Path(task.source))
    openvino.save_model(network, task.destination, compress_to_fp16=False)
    return OpenVinoResult(openvino=openvino.__version__.split("-")[0])


if __name__ == "__main__":
    answer(convert, OpenVinoTask)
