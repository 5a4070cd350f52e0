"""One training over many processes, on one machine or many: how they find each other, agree, and part."""

from compose.distributed.start import Processes, start

__all__ = ["Processes", "start"]
