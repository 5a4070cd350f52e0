"""The training steps that `gpu.py` measures."""
