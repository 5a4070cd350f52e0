"""Models of `keras.applications`."""

from __future__ import annotations

from compose.port.pretrained.source import SourceModel, Wanted, download, library, unknown


def from_keras_applications(wanted: Wanted) -> SourceModel:
    applications = library("keras", "keras").applications
    build = getattr(applications, wanted.name, None)
    if not wanted.name[:1].isupper() or not callable(build):
        known = [name for name in dir(applications) if name[:1].isupper()]
        raise unknown("a model of keras.applications", wanted.name, known)
    options = {"weights": "imagenet" if wanted.weights is None else str(wanted.weights), **wanted.options}
    with download(wanted, "fetch the file of that address, and name it as weights=FILE"):
        model = build(**options)
    return SourceModel("keras", model)
