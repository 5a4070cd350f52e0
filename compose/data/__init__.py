"""Data sets: small tables that ship with scikit-learn, and images of digits and clothes."""

from compose.core.errors import DataError
from compose.data.dataset import Dataset, Split, one_hot, split
from compose.data.idx import read_idx
from compose.data.images import fashion_mnist, mnist
from compose.data.tables import digits, iris

__all__ = ["DataError", "Dataset", "Split", "digits", "fashion_mnist", "iris", "mnist", "one_hot", "read_idx", "split"]
