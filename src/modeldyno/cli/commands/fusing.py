"""`dyno fuse`."""

import argparse

from modeldyno.cli.terminal import Terminal

DESCRIPTION = """Put operations into the graph of an ONNX model: scaling, filling gaps, clipping, layout, softmax, top-k
and the like. The answers of the new model are held against those of its parts, and the gain is measured."""
EXAMPLES = """  dyno fuse processing.json model.onnx --out fused.onnx
  dyno fuse before.json model.onnx after.json --data test.csv --out fused.onnx"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "parts", nargs="+", metavar="PART", help="an .onnx file, and .json files of operations before and behind it"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="where the new .onnx file goes")
    parser.add_argument("--data", metavar="FILE", help="rows to compare the answers on (made up)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.fusing import fuse
    from modeldyno.errors import ExitCode
    from modeldyno.reports.terminal.fusion import fusion_text

    fusion = fuse(arguments.parts, out=arguments.out, data=arguments.data, force=arguments.force)
    terminal.show(fusion, fusion_text, as_json=arguments.json)
    return ExitCode.OK
