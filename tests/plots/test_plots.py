"""What the plots show, read from the figures, against scikit-learn and by hand."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, roc_auc_score

from compose import compose_seq, conv, fc, flatten, plots, relu, spec
from compose.core.errors import DataError, LayerError
from compose.train import Trained

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 60)
SCORES = np.eye(3)[LABELS] + RNG.normal(size=(60, 3))
ROWS = [{"epoch": n, "seconds": 1.0, "loss": 5.0 - n, "val_loss": v} for n, v in enumerate((4, 2, 3, 3.5, 3.2), 1)]


def texts(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def legend(figure):
    boxes = [*figure.legends, *(ax.get_legend() for ax in figure.axes)]
    return [t.get_text() for box in boxes if box is not None for t in box.get_texts()]


def test_history_shows_training_beside_validation_and_where_it_turns():
    figure = plots.history(ROWS)
    assert isinstance(figure, Figure) and len(figure.axes) == 1
    train, validation, turn = figure.axes[0].get_lines()
    assert list(train.get_ydata()) == [4, 3, 2, 1, 0] and list(validation.get_ydata()) == [4, 2, 3, 3.5, 3.2]
    assert list(turn.get_xdata()) == [2, 2]
    assert legend(figure) == ["training", "validation", "lowest validation loss: epoch 2"]
    assert plots.turning_point(ROWS[:4]) is None, "two epochs may be chance"
    assert plots.turning_point([{"epoch": 1, "loss": 1.0}]) is None
    with pytest.raises(DataError, match="no history"):
        plots.history([])


def test_trained_plots_its_history(tmp_path):
    trained = fc(1).fit(np.ones((8, 2), np.float32), np.ones((8, 1), np.float32), loss="mse", epochs=3, verbose=False)
    figure = trained.plot(tmp_path / "history.png")
    assert list(figure.axes[0].get_lines()[0].get_ydata()) == [row["loss"] for row in trained.history]
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    assert figure._repr_png_() == (tmp_path / "history.png").read_bytes()
    figure = trained.plot(tmp_path / "history.svg")
    assert b"<svg" in (tmp_path / "history.svg").read_bytes()
    with pytest.raises(LayerError, match=r"ends in \.png, \.svg, \.pdf"):
        trained.plot(tmp_path / "history.jpg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.png", "history.svg"]


def test_confusion_counts():
    figure = plots.confusion(SCORES, LABELS, ["a", "b", "c"])
    guesses = SCORES.argmax(1)
    ax = figure.axes[0]
    shown = {tuple(map(int, t.get_position()[::-1])): int(t.get_text()) for t in ax.texts}
    assert shown == {(i, j): n for i in range(3) for j in range(3) if (n := ((i == LABELS) & (guesses == j)).sum())}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert ax.get_title() == f"{(guesses == LABELS).mean():.1%} of 60 right"
    assert texts(plots.confusion(SCORES, np.eye(3)[LABELS])) == texts(figure), "one-hot targets"


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_column_is_class_1(shape):
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([0.1, 0.6, 0.7, 0.9]).reshape(shape)
    assert texts(plots.confusion(probabilities, labels)) == ["1", "1", "2"]
    logits = np.array([-3.0, 0.2, 0.3, 4.0]).reshape(shape)
    assert texts(plots.confusion(logits, labels.reshape(shape))) == ["1", "1", "2"]
    small = np.array([0.1, 0.2, 0.3, 0.4]).reshape(shape)  # logits that could be probabilities
    assert texts(plots.confusion(small, labels)) == ["2", "2"]
    assert texts(plots.confusion(small, labels, threshold=0.0)) == ["2", "2"]
    cells = [t.get_position()[0] for t in plots.confusion(small, labels, threshold=0.0).axes[0].texts]
    assert cells == [1, 1], "all are above 0"


def test_curves_have_the_areas_of_scikit_learn():
    for i, (roc, ap) in enumerate(
        zip(legend(plots.roc(SCORES, LABELS)), legend(plots.precision_recall(SCORES, LABELS)))
    ):
        assert roc == f"{i}: AUC {roc_auc_score(i == LABELS, SCORES[:, i]):.3f}"
        assert ap == f"{i}: AP {average_precision_score(i == LABELS, SCORES[:, i]):.3f}"
    binary, score = LABELS == 1, SCORES[:, 1]
    assert legend(plots.roc(score, binary)) == [f"AUC {roc_auc_score(binary, score):.3f}"]
    two = np.stack([RNG.normal(size=60), score], 1)  # logits of two classes: their difference decides
    assert legend(plots.roc(two, binary)) == [f"AUC {roc_auc_score(binary, two[:, 1] - two[:, 0]):.3f}"]
    with pytest.raises(DataError, match="all labels are the same"):
        plots.roc(SCORES, np.zeros(60, int))


def test_worst_predictions_come_first_with_their_pictures():
    x = RNG.uniform(size=(60, 5, 5, 1))
    figure = plots.worst(x, SCORES, LABELS, count=4)
    short = SCORES.max(1) - SCORES[np.arange(60), LABELS]
    order = np.argsort(-short)[:4]
    for ax, i in zip(figure.axes, order, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), x[i, :, :, 0])
        assert ax.get_title() == f"{LABELS[i]}, taken for\n{SCORES[i].argmax()}"
    assert len(plots.worst(x, SCORES, LABELS, count=99).axes) == (SCORES.argmax(1) != LABELS).sum()
    assert len(plots.worst(x, np.eye(3)[LABELS], LABELS).axes) == 0
    series = plots.worst(RNG.normal(size=(60, 7)), SCORES, LABELS, count=1)
    assert len(series.axes[0].get_lines()) == 1
    with pytest.raises(DataError, match="an example for each of 60"):
        plots.worst(x[1:], SCORES, LABELS)


def test_filters_are_those_of_the_layer_that_runs_first():
    x = np.zeros((1, 8, 8, 1), np.float32)
    net = compose_seq(conv(5, 3, relu, name="z"), conv(2, 3, name="a"), flatten, fc(3))
    params, state = net.init(0, x)
    trained = Trained(net, dict(sorted(params.items())), state, (), spec(8, 8, 1))
    figure = plots.filters(trained)
    assert len(figure.axes) == 5
    np.testing.assert_array_equal(figure.axes[3].images[0].get_array(), np.asarray(params["z"]["kernel"])[..., 0, 3])
    assert len(plots.filters(RNG.normal(size=(64, 7))).axes) == 7
    colour = plots.filters(RNG.normal(size=(3, 3, 3, 2))).axes[0].images[0].get_array()
    assert colour.shape == (3, 3, 3) and colour.min() >= 0 and colour.max() <= 1
    with pytest.raises(DataError, match="no filters"):
        plots.filters(np.ones((10, 3)))


def test_embeddings_are_the_principal_components():
    table = RNG.normal(size=(40, 3)) * (5.0, 1.0, 0.1)
    figure = plots.embeddings(table, np.arange(40) % 2, ["even", "odd"])
    assert legend(figure) == ["even", "odd"]
    points = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    both = np.concatenate([table[::2], table[1::2]])
    centred = both - both.mean(0)
    _, s, v = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(centred @ v[:2].T), atol=1e-9)
    assert figure.axes[0].get_xlabel() == f"first component, {s[0] ** 2 / (s**2).sum():.0%} of the variance"
    assert texts(plots.embeddings(table[:3], ["a", "b", "c"])) == ["a", "b", "c"]
    with pytest.raises(DataError, match="a label for each"):
        plots.embeddings(table, [1])


def test_residuals_have_the_error_in_the_unit_of_the_target():
    true, got = np.array([1.0, 2.0, 3.0, 6.0]), np.array([[1.5], [2.0], [2.0], [6.0]])
    ax, bars = plots.residuals(got, true, unit="kg").axes
    assert ax.get_title() == f"RMSE {np.sqrt(1.25 / 4):.4g} kg, R² {1 - 1.25 / 14:.3f}"
    assert ax.get_xlabel() == "true (kg)" and sum(bar.get_height() for bar in bars.patches) == 4
    with pytest.raises(DataError, match="as many predictions as targets"):
        plots.residuals(got, true[1:])


@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        (SCORES, LABELS[1:], "one label for each of 60"),
        (SCORES, LABELS + 1, r"integers in 0\.\.2; got 1\.\.3"),
        (SCORES, LABELS + 0.5, "integers"),
        (SCORES[:, :, None], LABELS, r"\(n, classes\); got \(60, 3, 1\)|one label"),
        (np.full((2, 3), np.nan), [0, 1], "NaN"),
    ],
)
def test_what_does_not_fit_is_said(predictions, targets, message):
    with pytest.raises(DataError, match=message):
        plots.confusion(predictions, targets)
    with pytest.raises(DataError, match="a name for each of 3"):
        plots.confusion(SCORES, LABELS, ["a"])


def test_matplotlib_is_imported_only_for_a_plot():
    import subprocess
    import sys

    code = "import sys, compose; compose.plots; assert not {'matplotlib', 'sklearn'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
