"""The refusal of inputs without the batch's axis."""

from compose.core.errors import PortError


class Unbatched(PortError):
    """An input without the batch's axis, which the operation's parts would take for one example alone."""
