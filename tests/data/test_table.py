"""Tables with typed columns: what becomes of numbers, words and missing values, and networks on them."""

import jax
import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import compose
from compose import compose_seq, data, fc, relu, softmax
from compose.data import Column, Columns, DataError
from compose.data.table import read_columns

HOUSES = {
    "area": [50, 80.5, 120, 70], "town": ["Ulm", "Bonn", "Ulm", "Kiel"], "rooms": [2, 3, 4, 3],
    "heating": ["gas", "oil", "oil", "gas"], "price": [200, 310, 420, 260],
}  # fmt: skip


def csv(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    return str(tmp_path / "t.csv")


def text_of(columns):
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values()))]) + "\n"


@pytest.mark.parametrize("file", [False, True])
def test_the_encoder_is_that_of_scikit_learn(tmp_path, file):
    table = data.table(csv(tmp_path, text_of(HOUSES)) if file else HOUSES)
    assert [c.name for c in table.columns.inputs] == ["area", "rooms", "town", "heating"]
    numbers = np.array([HOUSES["area"], HOUSES["rooms"]], float).T
    words = np.array([HOUSES["town"], HOUSES["heating"]]).T
    want = np.hstack([StandardScaler().fit_transform(numbers), OneHotEncoder(sparse_output=False).fit_transform(words)])
    np.testing.assert_allclose(table.encoder()(*table.x), want, atol=1e-6)
    assert table.y.tolist() == [[200], [310], [420], [260]] and table.y.dtype == np.float32
    assert table.encoder(embed=3).out(*map(struct, table.x)) == (1, 2 + 2 * 3)


def struct(array):
    return jax.ShapeDtypeStruct((1, *array.shape[1:]), array.dtype)


def test_columns_of_one_kind_are_one_array():
    assert data.table(HOUSES, ignore=["town", "heating"]).x.shape == (4, 2)
    only = data.table(HOUSES, ignore=["area", "rooms"])
    assert only.x.tolist() == [[2, 3], [0, 4], [2, 4], [1, 3]]
    assert data.table(HOUSES, categories=["rooms"], ignore=["town"]).columns.categories[0].words == ("2", "3", "4")


def test_words_of_the_target_are_classes_in_the_model_file(tmp_path):
    table = data.table(HOUSES, "town")
    assert table.names == ("Bonn", "Kiel", "Ulm") and table.y.tolist() == [2, 0, 2, 1]
    net = compose_seq(table.encoder(), fc(4, relu), fc(3, softmax))
    trained = net.fit(table, loss="cross_entropy", validation=table, verbose=False)
    assert trained.fit(table.x, table.y).names == trained.names
    trained.save(tmp_path / "m.safetensors")
    again = compose.load(tmp_path / "m.safetensors")
    assert again.names.classes == table.names and again.names.columns == table.columns
    new = {name: values for name, values in HOUSES.items() if name != "town"}
    same = data.table(new, columns=again.names.columns)
    np.testing.assert_array_equal(again.predict(same), trained.predict(table))
    assert len(same.y) == 0 and len(same) == 4


def test_class_names_of_a_data_set_are_kept_too(tmp_path):
    iris = data.iris()
    fc(3, softmax).fit(iris, loss="cross_entropy", verbose=False).save(tmp_path / "m.safetensors")
    assert compose.load(tmp_path / "m.safetensors").names.classes == iris.names
    with pytest.raises(compose.LayerError, match="a data set, which has its targets"):
        fc(3).fit(iris, iris.y, loss="mse")


def test_split_keeps_rows_together():
    many = {name: values * 10 for name, values in HOUSES.items()}
    train, test = data.table(many).split(0.25, seed=1)
    assert (len(train), len(test)) == (30, 10)
    known = {(a, t): p for a, t, p in zip(HOUSES["area"], (2, 0, 2, 1), HOUSES["price"])}
    for part in (train, test):
        assert [known[float(n[0]), int(c[0])] for n, c in zip(*part.x)] == part.y[:, 0].tolist()
    assert np.bincount(data.table(many, "town").split(0.25).test.y).tolist() == [3, 2, 5]


def test_missing_values(tmp_path):
    file = csv(tmp_path, "n,w,y\n1,a,1\n,a,2\n3,NA,3\n\n5,b,6\n")
    with pytest.raises(DataError, match=r"t.csv: line 3 has nothing in the column 'n'; expected a number.*'drop'"):
        data.table(file)
    dropped = data.table(file, missing="drop")
    assert dropped.y[:, 0].tolist() == [1, 6] and dropped.x[0].tolist() == [[1], [5]]
    filled = data.table(file, missing="fill")
    assert filled.x[0].tolist() == [[1], [3], [3], [5]] and filled.x[1].tolist() == [[1], [1], [0], [2]]
    assert filled.columns.inputs[1].words == ("", "a", "b")
    again = data.table({"n": [None], "w": [np.nan]}, columns=filled.columns)
    assert again.x[0].tolist() == [[3]] and again.x[1].tolist() == [[0]]
    with pytest.raises(DataError, match="line 2 has nothing in the column 'y'"):
        data.table({"n": [1, 2], "y": [1, None]}, missing="fill")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.table("gone.csv"), "gone.csv: no such file"),
        (lambda: data.table(HOUSES, "prize"), "no column 'prize'; it has area, town"),
        (lambda: data.table(HOUSES, ignore=["prize"]), "no column 'prize'"),
        (lambda: data.table({"y": [1]}), "no columns besides the target 'y'"),
        (lambda: data.table({"a": [1], "y": [1, 2]}), r"columns of one length, got \[1, 2\]"),
        (lambda: data.table({"a": [], "y": []}), "no examples"),
        (lambda: data.table({"a": [np.inf, 1], "y": [1, 2]}), "line 1 has inf in the column 'a'"),
        (lambda: data.table({"a": [None], "y": [1]}, missing="fill"), "the column 'a' has no values"),
        (lambda: data.table({"a": [[1]], "y": [1]}), r"the column 'a' holds list, such as \[1\]"),
        (lambda: data.table(HOUSES, missing="no"), "missing to be 'error', 'drop' or 'fill'"),
        (lambda: data.table(HOUSES, "town").decoder(), "the target 'town' has classes"),
        (lambda: data.table({"a": ["x", 1], "y": [1, 2]}, columns=Columns((Column("a"),), Column("y"))), "has 'x' in"),
        (
            lambda: data.table(HOUSES | {"town": ["Rom"] * 4}, columns=data.table(HOUSES).columns),
            "line 1 has 'Rom' in the column 'town'; known are Bonn, Kiel, Ulm",
        ),
        (lambda: data.table({"a": [1], "y": [1]}, columns=data.table(HOUSES).columns), "no column 'area'; it has a, y"),
    ],
)
def test_errors(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_columns_go_into_a_file_and_damaged_ones_are_refused():
    columns = data.table(HOUSES).columns
    assert Columns.from_json(columns.to_json()) == columns
    for wrong in (None, [], [["a", [], None]], [["a", [1], None], ["b", [], None]], [["a"], ["b"]]):
        with pytest.raises(ValueError, match="its columns are not"):
            Columns.from_json(wrong)


def test_data_frames_and_parquet(tmp_path):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(HOUSES | {"area": [50, None, 120, 70]})
    by_hand = data.table(HOUSES | {"area": [50, None, 120, 70]}, missing="fill")
    assert data.table(frame, missing="fill").columns == by_hand.columns
    frame.write_parquet(tmp_path / "t.parquet")
    read = data.table(tmp_path / "t.parquet", missing="fill")
    assert read.columns == by_hand.columns
    np.testing.assert_array_equal(read.x[0], by_hand.x[0])


def frame_of_pandas():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({
        "area": [50.0, 80.5, 120, 70], "rooms": pandas.array([2, 3, 4, 3], "Int64"), "new": [True, False, True, True],
        "town": pandas.array(["Ulm", "Bonn", "Ulm", "Kiel"], "string"), "heat": pandas.Categorical(list("abba")),
        "price": [200, 310, 420, 260],
    }, index=[7, 3, 3, 1])  # fmt: skip


def test_every_kind_of_column_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = frame_of_pandas()
    by_hand = data.table({name: frame[name].tolist() for name in frame})
    table = data.table(frame)
    assert table.columns == by_hand.columns and len(table.columns.categories) == 2
    jax.tree.map(np.testing.assert_array_equal, (table.x, table.y), (by_hand.x, by_hand.y))
    assert data.table(frame, "heat").y.tolist() == [0, 1, 1, 0]
    for name in ("rooms", "town", "heat", "area"):
        holed = frame.reset_index(drop=True)
        holed.loc[1, name] = None
        with pytest.raises(DataError, match=f"line 2 has nothing in the column '{name}'"):
            data.table(holed)
        assert len(data.table(holed, missing="drop")) == 3 and len(data.table(holed, missing="fill")) == 4
    twice = pandas.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", "b"])
    for wrong, message in [
        (twice, "columns that differ; got a more than once"), (frame["area"], "or a dict of columns; got Series"),
        (frame.assign(day=pandas.Timestamp("2020")), "the column 'day' holds Timestamp"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=message):
            data.table(wrong, missing="drop")


@pytest.mark.parametrize("library", ["pandas", "polars", "dict"])
def test_a_network_of_a_table_takes_frames(library):
    frame = frame_of_pandas()
    table = data.table(frame)
    net = compose_seq(table.encoder(), fc(4, relu), fc(1), table.decoder())
    trained = net.fit(table, loss="mse", metrics="mae", verbose=False)
    columns = {name: frame[name].tolist() for name in reversed(frame.columns)}  # in another order
    own = frame[list(columns)] if library == "pandas" else columns
    if library == "polars":
        own = pytest.importorskip("polars").DataFrame(columns)
    np.testing.assert_array_equal(trained.predict(own), trained.predict(table))
    assert trained.evaluate(own) == trained.evaluate(table)
    del columns["price"]
    np.testing.assert_array_equal(trained.predict(columns), trained.predict(table))
    with pytest.raises(DataError, match="no column 'price', the target of the network"):
        trained.evaluate(columns)
    with pytest.raises(DataError, match="no column 'area'"):
        trained.predict({"rooms": [2]})


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_numbers_are_arrays(library):
    frame, numbers = frame_of_pandas(), ["area", "rooms", "new"]
    want = np.array([frame[name].tolist() for name in numbers], np.float32).T
    if library == "polars":
        frame = pytest.importorskip("polars").DataFrame({name: frame[name].tolist() for name in frame})
    labels = [0, 1, 1, 0]
    options = dict(loss="cross_entropy", class_weight="balanced", verbose=False)
    by_hand = fc(2, softmax).fit(want, np.array(labels), sample_weight=want[:, 0], validation=(want, labels), **options)
    x, y = frame[numbers], type(frame["area"])(labels)
    trained = fc(2, softmax).fit(x, y, sample_weight=frame["area"], validation=(x, y), **options)
    jax.tree.map(np.testing.assert_array_equal, trained.params, by_hand.params)
    np.testing.assert_array_equal(trained.predict(x), by_hand.predict(want))
    assert trained.evaluate(x, y) == by_hand.evaluate(want, labels)
    with pytest.raises(DataError, match=r"x must hold numbers; the column 'town' holds .*tring. data.table\(frame"):
        fc(2, softmax).fit(frame, y, **options)
    if library == "polars":
        with pytest.raises(DataError, match=r"x is a LazyFrame; x.collect\(\) makes a data frame"):
            fc(2, softmax).fit(x.lazy(), y, **options)
        with pytest.raises(DataError, match="got LazyFrame"):
            data.table(x.lazy())


def test_parquet_without_a_library_says_what_to_install(tmp_path, monkeypatch):
    import sys

    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    for library in ("polars", "pandas"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DataError, match=r"needs polars or pandas: pip install 'compose-jax\[tables\]'"):
        read_columns(tmp_path / "t.parquet")
