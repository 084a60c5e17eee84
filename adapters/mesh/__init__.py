"""A trust's own internal MESH mailbox as the way into its record system."""

from adapters.mesh.adapter import MeshAdapter

__all__ = ["MeshAdapter"]
