"""The tables that ship with scikit-learn."""

import numpy as np

from compose.data import breast_cancer, diabetes, digits, iris, wine


def test_iris_and_digits_are_what_scikit_learn_ships():
    from sklearn.datasets import load_digits, load_iris

    flowers, images = iris(), digits()
    np.testing.assert_array_equal(flowers.x, load_iris().data.astype(np.float32))
    np.testing.assert_array_equal(images.x * 16, load_digits().images[..., None])
    np.testing.assert_array_equal(images.y, load_digits().target)
    assert flowers.names == ("setosa", "versicolor", "virginica") and images.names == tuple("0123456789")
    assert images.x.dtype == np.float32 and images.y.dtype == np.int32
    assert images.x.min() == 0 and images.x.max() == 1
    assert images.flat.shape == (1797, 64)


def test_tables_have_their_columns_and_units():
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    patients, raw = diabetes(), load_diabetes(scaled=False)
    np.testing.assert_array_equal(patients.x, raw.data.astype(np.float32))
    np.testing.assert_array_equal(patients.y[:, 0], raw.target)
    assert [c.name for c in patients.columns.inputs] == list(raw.feature_names)
    for table, raw in ((breast_cancer(), load_breast_cancer()), (wine(), load_wine())):
        np.testing.assert_array_equal(table.x, raw.data.astype(np.float32))
        assert np.array(table.names)[table.y].tolist() == np.array(raw.target_names)[raw.target].tolist()
