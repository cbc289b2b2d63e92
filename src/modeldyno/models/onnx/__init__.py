"""ONNX graphs: read, weighed, costed, extended."""
