"""ONNX, written from the expression: each word its nodes, named by its path."""
