"""Patterns of paths."""

from __future__ import annotations

import pytest

from compose.core.errors import ConfigError
from compose.core.patterns import chosen, matches, paths

TREE = {"stem": {"kernel": 0, "bias": 0}, "body": {"fc_0": {"kernel": 0}}, "head": {"kernel": 0}}


@pytest.mark.parametrize(
    "pattern, path, fits",
    [
        ("**", "a/b", True), ("**/kernel", "kernel", True), ("**/kernel", "a/b/kernel", True), ("a/**", "a/b/c", True),
        ("a/*", "a/b/c", False), ("a/**", "ab/c", False), ("*/kernel", "a/kernel", True), ("*/kernel", "kernel", False),
        ("a/**/c", "a/c", True), ("a/**/c", "a/x/y/c", True), ("fc_?/bias", "fc_1/bias", True), ("a.b", "axb", False),
        ("**/ker", "a/kernel", False), ("fc_*/**", "fc_12/lora/a", True), ("a", "a/b", False),
    ],
)  # fmt: skip
def test_matches(pattern, path, fits):
    assert matches(pattern, path) == fits


def test_the_first_pattern_that_fits_counts():
    got = chosen({"head/**": 1, "**/kernel": 2}, TREE, "rates", default=0)
    assert got == {"stem": {"kernel": 2, "bias": 0}, "body": {"fc_0": {"kernel": 2}}, "head": {"kernel": 1}}
    assert paths(TREE) == ["body/fc_0/kernel", "head/kernel", "stem/bias", "stem/kernel"]


def test_a_pattern_without_effect_is_an_error():
    with pytest.raises(ConfigError, match=r"patterns in rates .*got 'haed/\*\*'\n.*body/fc_0/kernel"):
        chosen({"haed/**": 1}, TREE, "rates")
    with pytest.raises(ConfigError, match=r"(?s)got 'head/\*\*'.*write 'head/\*\*' before '\*\*'"):
        chosen({"**": 1, "head/**": 1}, TREE, "rates")
    with pytest.raises(ConfigError, match=r"head/\*\* is everything in it"):
        chosen({"head": 1}, TREE, "rates")
