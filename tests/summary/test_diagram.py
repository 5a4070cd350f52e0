"""Networks as Mermaid text and as SVG."""

import re
import xml.etree.ElementTree as xml

import pytest
from jax.dtypes import canonicalize_dtype

from compose import (
    LayerError,
    batch_norm,
    branch,
    compose_seq,
    concat,
    conv,
    embedding,
    encoder_block,
    fc,
    flatten,
    graph,
    parallel,
    relu,
    repeat,
    residual,
    share,
    sigmoid,
    spec,
)
from tests.cases.subject import families

CNN = compose_seq(
    conv(4, 3, relu, name="stem"),
    repeat(3, residual(compose_seq(batch_norm, relu, conv(4, 3)))),
    branch(conv(2, 3), conv(3, 3), join=concat()),
    flatten,
    fc(10),
)
SVG = "{http://www.w3.org/2000/svg}"


def test_mermaid_text():
    assert str(compose_seq(residual(fc(4, relu)), fc(2)).diagram(4)).splitlines() == [
        "flowchart TB",
        '  n0(["input<br/>(4,)"])',
        '  n1["fc(4, relu)<br/>(4,)"]',
        '  n2(("+"))',
        '  n3["fc(2)<br/>(2,)"]',
        '  n4(["output<br/>(2,)"])',
        *(f"  n{a} --> n{b}" for a, b in [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4)]),
    ]


def test_boxes_have_the_paths_of_the_layers_and_repeats_are_framed():
    diagram = CNN.diagram((8, 8, 1))
    paths = [box.path for box in diagram.boxes if box.kind == "layer"]
    assert paths == [row.path for row in CNN.summary((8, 8, 1)).rows if CNN[row.path] is not None and _leaf(row)]
    assert diagram.frames == ("3 ×",)
    assert [box.label for box in diagram.boxes if box.frames == (0,)] == ["batch_norm()", "relu", "conv(4, 3)", "+"]
    assert '  subgraph f0["3 ×"]\n    n2' in diagram.mermaid and diagram.mermaid.count("  end\n") == 1


def _leaf(row):
    return "…" not in row.layer


def test_a_graph_and_several_inputs_and_outputs():
    net = graph(lambda x, c: ((h := fc(6, relu)(x)) * fc(6, sigmoid)(c) + h, h))
    diagram = net.diagram(4, 5)
    assert [box.kind for box in diagram.boxes] == ["input"] * 2 + ["layer"] * 2 + ["join"] * 2 + ["output"] * 2
    assert diagram.arrows == ((0, 2), (1, 3), (2, 4), (3, 4), (4, 5), (2, 5), (5, 6), (2, 7))
    sides = parallel(fc(2), fc(3)).diagram(4, 5)
    assert sides.arrows == ((0, 2), (1, 3), (2, 4), (3, 5))


def test_a_shared_layer_is_defined_where_it_is_used_first():
    net = share(embedding(50, 8), lambda e: compose_seq(e, encoder_block(2, 16), e.attend))
    labels = [box.label for box in net.diagram(spec(6, dtype=int)).boxes]
    assert labels[1] == "e = embedding(50, 8)" and labels[-2] == "e.attend"
    twice = share(fc(4), lambda e: compose_seq(e, relu, e)).diagram(4)
    assert [box.label for box in twice.boxes[1:-1]] == ["e = fc(4)", "relu", "e"]


def test_depth_draws_what_is_deeper_as_one():
    labels = [box.label for box in CNN.diagram((8, 8, 1), depth=1).boxes]
    assert labels == [
        "input",
        "conv(4, 3, relu)",
        "repeat(3, residual(…))",
        "branch(…, join=…)",
        "flatten",
        "fc(10)",
        "output",
    ]
    assert [box.kind for box in CNN.diagram((8, 8, 1), depth=0).boxes] == ["input", "layer", "output"]
    with pytest.raises(LayerError, match="depth"):
        CNN.diagram((8, 8, 1), depth=-1)


def test_svg_boxes_lie_apart_and_inside():
    for net, inputs in ((CNN, [(8, 8, 1)]), (graph(lambda x, c: (h := fc(6)(x)) * fc(6)(c) + h), [4, 5])):
        diagram = net.diagram(*inputs)
        root = xml.fromstring(diagram.svg)
        width, height = (float(root.get(side)) for side in ("width", "height"))
        boxes = [_sides(rect) for rect in root.iterfind(f"{SVG}g/{SVG}rect")]
        assert len(boxes) == len(diagram.boxes)
        assert all(left > 0 and right < width and top > 0 and bottom < height for left, right, top, bottom in boxes)
        for i, a in enumerate(boxes):
            assert not any(a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3] for b in boxes[:i])
        assert len(root.findall(f"{SVG}path")) == len(diagram.arrows)
        texts = [text.text for text in root.iter(f"{SVG}text")]
        assert all(box.label in texts for box in diagram.boxes)


def _sides(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, x + width, y, y + height


@pytest.mark.slow
def test_every_word_has_a_diagram():
    words = {}
    for case in (case for cases in families().values() for case in cases):
        words.setdefault(case.layer.kind, case)
    assert len(words) > 100
    for case in words.values():
        inputs = [
            spec(*i[1:]) if isinstance(i, tuple) else spec(*i.shape[1:], dtype=canonicalize_dtype(i.dtype))
            for i in case.inputs
        ]
        try:
            diagram = case.layer.diagram(*inputs)
        except LayerError:  # a size of the batch other than that of the case
            continue
        xml.fromstring(diagram.svg)
        assert diagram.boxes[0].kind == "input" and diagram.boxes[-1].kind == "output"


def test_text_is_escaped():
    diagram = compose_seq(fc(2, name='a<b>&"`#')).diagram(3, depth=0)
    assert xml.fromstring(diagram.svg) is not None
    label = next(line for line in diagram.mermaid.splitlines() if "n1" in line)
    inside = re.fullmatch(r'  n1\["(.*)"\]', label)[1].replace("<br/>", "")
    assert not set('<>"`') & set(inside)


def test_files(tmp_path):
    diagram = fc(3).diagram(2)
    diagram.save(tmp_path / "net.svg")
    diagram.save(tmp_path / "net.mmd")
    assert (tmp_path / "net.svg").read_text() == diagram.svg == diagram._repr_svg_()
    assert (tmp_path / "net.mmd").read_text() == f"{diagram}\n"
    with pytest.raises(LayerError, match=r"\.svg or \.mmd"):
        diagram.save(tmp_path / "net.png")
