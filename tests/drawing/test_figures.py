"""Pictures: numbers of axes are plain text, because markup of Matplotlib is not read."""

import re

import pytest
from matplotlib.figure import Figure

from ser_tune.drawing import draw


@pytest.mark.parametrize("values", [[0.002, 3.0, 4000.0], [1e-5, 2e-5, 4e-5], [1.0, 10.0, 12.0]])
@pytest.mark.parametrize("scale", ["log", "linear", "symlog"])
def test_no_text_of_a_picture_holds_markup(values: list[float], scale: str) -> None:
    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(values, values)
        axes.set(xscale=scale, yscale=scale)

    texts = re.findall(r"<!-- (.*?) -->", draw("picture", "", 3.0, fill).svg.decode())
    assert any(re.fullmatch(r"[\d.]+(e\S?\d+)?", text) for text in texts)
    assert not [text for text in texts if re.search(r"[\\${}^]", text)]
