"""Keras models, run: in float64, with gradients, on each backend; what the port and the export share."""
