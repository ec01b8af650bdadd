"""The notebooks: their code is whole, was run from top to bottom, and is small; the first runs."""

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["adapt_to_your_drawings", "depth_of_a_page"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_in_order_and_is_small(path):
    assert path.stat().st_size < 1_000_000
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error"]
    text = json.dumps([{**cell, "outputs": []} for cell in cells]) + "".join(
        "".join(output.get("text", [])) for output in outputs
    )
    assert "/home/" not in text and "Traceback" not in text
    for cell in cells:
        compile("".join(cell["source"]), path.name, "exec")


def test_the_depth_of_a_page_runs(tmp_path, monkeypatch):
    """Its cells without the display, in one namespace; the figures are those that it shows."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "IPython", type(sys)("IPython"))
    display = type(sys)("IPython.display")
    display.Image = bytes
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    cells = code_cells(ROOT / "examples/depth_of_a_page.ipynb")
    said = io.StringIO()
    names = {}
    with contextlib.redirect_stdout(said):
        for cell in cells:
            exec(compile("".join(cell["source"]), "cell", "exec"), names)
    shown = [line for cell in cells for o in cell["outputs"] for line in o.get("text", [])]
    pairs = [line.split(":")[0] for line in shown if "pairs" in line]
    assert pairs and [line.split(":")[0] for line in said.getvalue().splitlines()][:-1] == pairs
    assert names["result"].depth.shape == names["page"].shape[:2]
