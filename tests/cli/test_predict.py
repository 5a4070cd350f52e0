"""`compose predict`."""

import numpy as np
import pytest

from compose import compose_seq, fc, flatten, parallel, spec
from compose.data import digits
from tests.cli.small import X, floats, model


def rows(printed: str) -> np.ndarray:
    return np.array([[float(n) for n in line.split(",")] for line in printed.splitlines()], np.float32)


def image(path, pixels):
    from matplotlib.image import imsave

    imsave(path, pixels, cmap="gray", vmin=0, vmax=1)


WRITERS = {
    "x.npy": lambda path, x: np.save(path, x),
    "x64.npy": lambda path, x: np.save(path, x.astype(np.float64)),
    "x.npz": lambda path, x: np.savez(path, x),
    "x.csv": lambda path, x: np.savetxt(path, x, delimiter=","),
    "head.csv": lambda path, x: np.savetxt(path, x, delimiter=",", header="a,b,c,d", comments=""),
    "flat.npy": lambda path, x: np.save(path, x.reshape(-1, 2, 2)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_predict_prints_what_predict_returns(cli, tmp_path, name):
    trained = model(tmp_path / "m")
    WRITERS[name](tmp_path / name, X)
    status, printed, complaint = cli("predict", tmp_path / "m", tmp_path / name)
    assert (status, complaint) == (0, "")
    np.testing.assert_array_equal(rows(printed), trained.predict(X))


def test_predict_takes_one_example_too(cli, tmp_path):
    trained = model(tmp_path / "m")
    np.save(tmp_path / "x.npy", X[0])
    _, printed, _ = cli("predict", tmp_path / "m", tmp_path / "x.npy")
    np.testing.assert_array_equal(rows(printed), trained.predict(X[:1]))


def test_predict_reads_the_digit_in_an_image(cli, tmp_path, demo):
    test = digits().split().test
    image(tmp_path / "x.png", test.x[0, ..., 0])
    status, printed, _ = cli("predict", demo[0] / "classifier.safetensors", tmp_path / "x.png", "--label")
    assert (status, printed) == (0, f"{test.y[0]}\n")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_predict_takes_colours_in_0_to_1(cli, tmp_path, suffix):
    from matplotlib.image import imsave

    trained = model(tmp_path / "m", compose_seq(flatten, fc(2)), spec(8, 8, 3))
    pixels = np.broadcast_to(np.float32([0.2, 0.4, 0.6]), (8, 8, 3))
    imsave(tmp_path / f"x.{suffix}", pixels)
    _, printed, _ = cli("predict", tmp_path / "m", tmp_path / f"x.{suffix}")
    np.testing.assert_allclose(rows(printed), trained.predict(pixels[None]), atol=0.02)


def from_npz(path):
    with np.load(path) as found:
        return found["arr_0"]


READERS = {"npy": np.load, "npz": from_npz, "csv": lambda path: np.loadtxt(path, np.float32, delimiter=",")}


@pytest.mark.parametrize("suffix", READERS)
def test_predict_writes_files(cli, tmp_path, suffix):
    trained = model(tmp_path / "m")
    np.save(tmp_path / "x.npy", X)
    out = tmp_path / f"y.{suffix}"
    assert cli("predict", tmp_path / "m", tmp_path / "x.npy", "--out", out) == (0, "", "")
    np.testing.assert_array_equal(READERS[suffix](out), trained.predict(X))


def test_predict_with_several_inputs_and_outputs(cli, tmp_path):
    trained = model(tmp_path / "m", parallel(fc(2), fc(3)), spec(4), spec(1))
    np.savez(tmp_path / "x.npz", a=X, b=X[:, :1])
    expected = [np.asarray(y) for y in trained.predict((X, X[:, :1]))]
    _, printed, _ = cli("predict", tmp_path / "m", tmp_path / "x.npz")
    np.testing.assert_array_equal(rows(printed), np.concatenate(expected, axis=1))
    status, _, complaint = cli("predict", tmp_path / "m", tmp_path / "x.npz", "--out", tmp_path / "y.npy")
    assert status == 1 and "2 outputs; write .npz" in complaint and not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize("last", ["6.5", "1e12"])
def test_predict_gives_whole_numbers_to_a_network_of_integers(cli, tmp_path, last):
    model(tmp_path / "m", compose_seq(floats, fc(2)), spec(3, dtype="int32"))
    (tmp_path / "x.csv").write_text("1,2,3\n4,5,6\n")
    (tmp_path / "bad.csv").write_text(f"1,2,3\n4,5,{last}\n")
    assert cli("predict", tmp_path / "m", tmp_path / "x.csv")[0] == 0
    status, _, complaint = cli("predict", tmp_path / "m", tmp_path / "bad.csv")
    assert status == 1 and "expected integers that fit in int32" in complaint


BAD = {
    "none.npy": (None, "no such file"),
    "x.txt": (b"1,2", "cannot read this file type, only .npy, .npz, .csv"),
    "junk.npy": (b"junk" * 9, "cannot be read: the magic string is not correct"),
    "junk.npz": (b"junk", "cannot be read: File is not a zip file"),
    "junk.png": (b"junk", "cannot be read: not a PNG file"),
    "words.csv": (b"a,b,c,d\n1,2,x,4\n", "cannot be read: could not convert string 'x'"),
    "empty.csv": (b"", "cannot be read: an empty table"),
    "nan.csv": (b"1,2,nan,4\n1,2,3,4\n", "a number that is NaN or infinite"),
    "wide.csv": (b"1,2,3,4,5\n" * 2, "expected examples like (1, 4), got (2, 5)"),
}


@pytest.mark.parametrize("name", BAD)
def test_predict_says_what_is_wrong_with_the_examples(cli, tmp_path, name):
    model(tmp_path / "m")
    content, message = BAD[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, printed, complaint = cli("predict", tmp_path / "m", tmp_path / name)
    assert (status, printed) == (1, "")
    assert complaint.startswith("compose: ") and complaint.count("\n") == 1
    assert name in complaint and message in complaint


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4), np.uint8), "expected a floating-point input"),
        (np.array(["a", "b"]), "expected numbers, got <U1"),
        (np.array([{}, {}], object), "cannot be read"),
        (np.zeros((2, 3, 7), np.float32), "expected examples of shape (4,), got an array of shape (2, 3, 7)"),
        (np.zeros((0, 4), np.float32), "no examples"),
    ],
)
def test_predict_says_what_is_wrong_with_an_array(cli, tmp_path, array, message):
    model(tmp_path / "m")
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    status, printed, complaint = cli("predict", tmp_path / "m", tmp_path / "x.npy")
    assert (status, printed) == (1, "")
    assert complaint.count("\n") == 1 and message in complaint


def test_an_npy_file_that_promises_too_much_is_not_believed(cli, tmp_path):
    model(tmp_path / "m")
    np.save(tmp_path / "x.npy", X)
    data = (tmp_path / "x.npy").read_bytes().replace(b"(6, 4), }" + b" " * 12, b"(6000000000000, 4), }")
    assert b"6000000000000" in data
    (tmp_path / "x.npy").write_bytes(data)
    status, _, complaint = cli("predict", tmp_path / "m", tmp_path / "x.npy")
    assert status == 1 and "cannot be read" in complaint
