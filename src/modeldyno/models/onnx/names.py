"""The names of values in an ONNX graph."""

from typing import Any


def prefix_values(graph: Any, prefix: str) -> None:
    """Put `prefix` before the name of every value of a `GraphProto`, those of its subgraphs included.

    Not `onnx.compose.add_prefix`: it forgets values that a subgraph takes from the graph around it.
    """
    for node in graph.node:
        _prefix_node(node, prefix)
    named = (graph.input, graph.output, graph.value_info, graph.initializer)
    for one in (value for values in named for value in values):
        one.name = prefix + one.name
    for sparse in graph.sparse_initializer:
        sparse.values.name = prefix + sparse.values.name
    for annotation in graph.quantization_annotation:
        annotation.tensor_name = prefix + annotation.tensor_name
        for entry in annotation.quant_parameter_tensor_names:
            entry.value = prefix + entry.value


def _prefix_node(node: Any, prefix: str) -> None:
    for names in (node.input, node.output):
        # An empty name is that of an input or output which is left out.
        names[:] = [name and prefix + name for name in names]
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            prefix_values(graph, prefix)
