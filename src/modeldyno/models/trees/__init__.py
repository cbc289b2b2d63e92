"""Ensembles of trees as machine code: read from ONNX, written in C, compiled."""
