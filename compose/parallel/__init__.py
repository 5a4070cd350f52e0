"""Training on many devices: meshes, and how parameters are laid out over them."""

from compose.parallel.mesh import mesh_of
from compose.parallel.rules import Rules, Spec, shardings

__all__ = ["Rules", "Spec", "mesh_of", "shardings"]
