"""Training on many devices: meshes, and how parameters are laid out over them."""

from compose.sharding.mesh import mesh_of
from compose.sharding.rules import Rules, Spec, shardings

__all__ = ["Rules", "Spec", "mesh_of", "shardings"]
