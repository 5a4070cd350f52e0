"""Draw the pictures of gallery.md: `python -m docs.make_gallery`."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from compose import batch_norm, compose_seq, conv, data, dropout, fc, flatten, max_pool, plots, relu, softmax

HERE = Path(__file__).parent
OUT = HERE / "gallery"
EXAMPLES = {
    "overfitting": ("overfitting.png", "cured.png"),
    "regression": ("regression.png",),
    "logistic": ("logistic.png",),
    "variational": ("variational.png",),
    "neighbours": ("neighbours.png",),
}


def main() -> None:
    OUT.mkdir(exist_ok=True)
    train, test = data.digits().split(test=0.3, seed=0)
    net = compose_seq(
        conv(16, 3, name="stem"), batch_norm(0.9), relu, max_pool(), dropout(0.25), flatten, fc(64, relu),
        fc(10, softmax),
    )  # fmt: skip
    trained = net.fit(
        train.x, train.y, loss="cross_entropy", metrics="accuracy", optimizer="adam", learning_rate=2e-3, epochs=12,
        validation=(test.x, test.y), verbose=False,
    )  # fmt: skip
    scores = trained.predict(test.x)
    trained.plot(OUT / "history.png")
    plots.confusion(scores, test.y, test.names, path=OUT / "confusion.png")
    plots.worst(test.x, scores, test.y, test.names, path=OUT / "worst.png")
    plots.filters(trained, OUT / "filters.png")
    hidden, _ = net[:7].apply(trained.params, trained.state, test.x)
    plots.embeddings(hidden, test.y, test.names, path=OUT / "embeddings.png")
    net.diagram((8, 8, 1)).save(OUT / "diagram.svg")
    with tempfile.TemporaryDirectory() as folder:
        for name, pictures in EXAMPLES.items():
            spec = importlib.util.spec_from_file_location(name, HERE.parent / "examples" / f"{name}.py")
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.main(["--out", folder])
            for picture in pictures:
                shutil.copy(Path(folder) / picture, OUT / picture)


if __name__ == "__main__":
    main()
