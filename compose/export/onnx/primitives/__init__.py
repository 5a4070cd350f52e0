"""How each primitive of JAX is written, for words that ONNX has no node for: one file for each kind."""
