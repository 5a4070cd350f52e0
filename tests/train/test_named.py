"""What a model keeps of the names in its data."""

from __future__ import annotations

import numpy as np
import pytest

import compose
from compose import fc
from compose.core.errors import DataError
from compose.train.named import Names

COLUMNS = {"area": [50.0, 70.0, 90.0], "rooms": [2.0, 3.0, 4.0], "floor": [1.0, 0.0, 5.0]}


def frame_of(library, columns=COLUMNS):
    return pytest.importorskip(library).DataFrame(columns)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_frame_are_read_by_name(library, tmp_path):
    frame, y = frame_of(library), np.array([[1.0], [2.0], [3.0]], np.float32)
    turned, options = frame[["floor", "area", "rooms"]], dict(loss="mse", verbose=False)
    trained = fc(1).fit(frame, y, validation=(turned, y), seed=0, **options)
    assert trained.names.features == ("area", "rooms", "floor")
    assert trained.history[-1]["val_loss"] == pytest.approx(trained.evaluate(frame, y)["loss"], rel=1e-5)
    trained.save(tmp_path / "net.safetensors")
    for model in (trained, compose.load(tmp_path / "net.safetensors")):
        np.testing.assert_array_equal(model.predict(turned), model.predict(frame))
        np.testing.assert_array_equal(model.predict(frame), model.predict(np.float32(list(COLUMNS.values())).T))
        with pytest.raises(DataError, match=r"no column 'area', which the network was trained on; it has 'floor'"):
            model.predict(turned[["floor", "rooms"]])
    again = trained.fit(turned, y, verbose=False)  # in the order of the first training
    np.testing.assert_allclose(again.params["kernel"], trained.fit(frame, y, verbose=False).params["kernel"])
    assert again.names == trained.names


def test_names_of_files():
    names = Names(("a", "b"), None, ("area",))
    assert Names.from_json(names.to_json()) == names
    for text, complaint in (
        ("[]", "not those of classes and columns"),
        ('{"classes": [1], "features": []}', "of classes are not words"),
        ('{"classes": [], "features": [1]}', "of features are not words"),
    ):
        with pytest.raises(ValueError, match=complaint):
            Names.from_json(text)
