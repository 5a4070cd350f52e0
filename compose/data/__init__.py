"""Data sets: tables of files and data frames, small ones of scikit-learn, images of digits and clothes."""

from compose.core.errors import DataError
from compose.data.columns import Column, Columns
from compose.data.dataset import Dataset, Split, one_hot, split
from compose.data.folds import folds
from compose.data.idx import read_idx
from compose.data.images import fashion_mnist, mnist
from compose.data.sequences import pad_sequences
from compose.data.table import Table, table
from compose.data.tables import breast_cancer, diabetes, digits, iris, wine

__all__ = [
    "Column", "Columns", "DataError", "Dataset", "Split", "Table", "breast_cancer", "diabetes", "digits",
    "fashion_mnist", "folds", "iris", "mnist", "one_hot", "pad_sequences", "read_idx", "split", "table", "wine",
]  # fmt: skip
