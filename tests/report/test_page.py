"""The page about a network."""

from html.parser import HTMLParser

import numpy as np
import pytest

import compose
from compose import branch, compose_seq, conv, fc, flatten, load, relu, sigmoid, softmax
from compose.core.errors import LayerError

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(40, 8, 8, 1)).astype(np.float32)
Y = RNG.integers(0, 3, 40)
NET = compose_seq(conv(4, 3, relu), flatten, fc(3, softmax))
QUIET = dict(verbose=False, batch_size=20)


class Page(HTMLParser):
    """The headings of a page, and what its tags refer to."""

    def __init__(self, path):
        super().__init__()
        self.headings, self.refers, self.tags, self.last = [], [], set(), ""
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.last = tag
        self.tags.add(tag)
        self.refers += [value for name, value in attrs if name in ("src", "href", "data")]

    def handle_data(self, data):
        if self.last in ("h1", "h2"):
            self.headings.append(data)

    def handle_endtag(self, tag):
        self.last = ""


@pytest.mark.slow
def test_a_classifier(tmp_path):
    trained = NET.fit(X, Y, loss="cross_entropy", metrics="accuracy", validation=(X, Y), **QUIET)
    trained.report(tmp_path / "r.html", X, Y, names=["ant", "<bee>", "cat"], title="A & B")
    page = Page(tmp_path / "r.html")
    assert page.headings == [
        "A & B", "Scores", "Network", "Training", "Filters of the first layer", "Confusion", "ROC",
        "Precision and recall", "Worst predictions", "Diagram",
    ]  # fmt: skip
    assert all(value.startswith("data:image/png;base64,") for value in page.refers) and len(page.refers) == 6
    assert not {"script", "link", "iframe"} & page.tags and "url(http" not in page.text and "@import" not in page.text
    scores = trained.evaluate(X, Y)
    assert f"<td>accuracy</td><td>{scores['accuracy']:.4g}</td>" in page.text
    assert "(8, 8, 4)" in page.text and "<svg" in page.text


@pytest.mark.slow
def test_numbers_and_two_classes(tmp_path):
    flat, ones = X.reshape(40, 64), (Y == 1).astype(np.float32)[:, None]
    numbers = fc(1).fit(flat, flat[:, :1], loss="mse", metrics="rmse", **QUIET)
    numbers.report(tmp_path / "n.html", flat, flat[:, :1])
    wanted = ["Report", "Scores", "Network", "Training", "Filters of the first layer", "Residuals", "Diagram"]
    assert Page(tmp_path / "n.html").headings == wanted
    for name, net in (("logits", fc(1)), ("probabilities", fc(1, sigmoid))):
        binary = net.fit(flat[:, :5], ones, loss="binary_cross_entropy", **QUIET)
        binary.report(tmp_path / f"{name}.html", flat[:, :5], ones)
        assert Page(tmp_path / f"{name}.html").headings[4:] == ["Confusion", "ROC", "Precision and recall", "Diagram"]


def test_the_matrix_of_logits_agrees_with_the_accuracy(monkeypatch, tmp_path):
    """Logits that all lie in 0..1 are of class 1, though they could be taken for probabilities."""
    shown = []
    confusion = compose.plots.confusion
    monkeypatch.setattr(compose.plots, "confusion", lambda *args: shown.append(confusion(*args)) or shown[-1])
    x, ones = np.full((10, 2), 0.1, np.float32), (np.arange(10) < 7).astype(np.float32)[:, None]
    trained = fc(1).fit(
        x, ones, loss="binary_cross_entropy", metrics="accuracy", learning_rate=1e-9, optimizer="sgd", **QUIET
    )
    params = {**trained.params, "kernel": trained.params["kernel"] * 0 + 1}
    trained = compose.train.Trained(trained.net, params, {}, trained.history, trained.inputs, trained.session)
    assert ((trained.predict(x) > 0) & (trained.predict(x) < 0.5)).all()
    assert trained.evaluate(x, ones)["accuracy"] == pytest.approx(0.7)
    trained.report(tmp_path / "r.html", x, ones)
    assert shown[0].axes[0].get_title() == "70.0% of 10 right"


@pytest.mark.slow
def test_several_outputs(tmp_path):
    net = compose_seq(flatten, branch(fc(3, softmax, name="kind"), fc(1, name="ink")))
    ink = X.mean((1, 2))
    trained = net.fit(X, {"kind": Y, "ink": ink}, loss={"kind": "cross_entropy", "ink": "mse"}, **QUIET)
    trained.report(tmp_path / "r.html", X, {"kind": Y, "ink": ink})
    headings = Page(tmp_path / "r.html").headings
    assert "Confusion of kind" in headings and "Residuals of ink" in headings


def test_a_network_without_a_loss_is_refused(tmp_path):
    trained = NET.fit(X, Y, loss="cross_entropy", **QUIET)
    trained.save(tmp_path / "m")
    with pytest.raises(LayerError, match="a loss, since"):
        load(tmp_path / "m").report(tmp_path / "r.html", X, Y)
    assert not (tmp_path / "r.html").exists()
    load(tmp_path / "m").report(tmp_path / "r.html", X, Y, loss="cross_entropy", metrics="accuracy")
    assert "Confusion" in Page(tmp_path / "r.html").headings


@pytest.mark.slow
def test_the_same_report_has_the_same_bytes(tmp_path):
    trained = NET.fit(X, Y, loss="cross_entropy", **QUIET)
    for name in "ab":
        trained.report(tmp_path / name, X, Y)
    a, b = ((tmp_path / name).read_text() for name in "ab")
    assert a == b
