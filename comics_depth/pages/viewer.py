"""Pages side by side: contact sheets, and a page for the browser in which frames move with the
mouse."""

import base64
import io
from pathlib import Path
from typing import TypedDict

import jinja2
import numpy as np
from PIL import Image

from comics_depth.data.depth_files import read_depth
from comics_depth.images import read_image, write_image
from comics_depth.pages.motion import SHIFT
from comics_depth.pages.pictures import contact_sheet, shrunk, stepped
from comics_depth.pages.sources import PageInput
from common.files import read_json, write_text

SHEET = 60  # pages on a contact sheet
SIDE = 640  # pixels, the long side of a frame


class Frame(TypedDict):
    """Of a frame in page.json, what is shown."""

    depth: str
    confidence: float


class Page(TypedDict):
    """Of page.json, what is shown."""

    frames: list[Frame]


def write_viewer(path: Path, output: Path, names: list[str]) -> None:
    """Writes an HTML page that holds all it shows: of each page in the output folder its preview
    and its frames, for which it needs `<frame>_image.jpg`."""
    pages = []
    for name in names:
        folder = output / name
        frames = []
        for frame in read_json(folder / "page.json", Page)["frames"]:
            depth = folder / Path(frame["depth"]).name
            image = read_image(depth.with_name(f"{depth.stem}_image.jpg"))
            factor = SIDE / max(image.shape[:2])
            image = shrunk(image, factor)
            near = np.clip(stepped(shrunk(read_depth(depth), factor)), 0, 1) * 255
            frames.append(
                {
                    "name": depth.stem,
                    "confidence": frame["confidence"],
                    "width": image.shape[1],
                    "height": image.shape[0],
                    "image": _data(image, 80),
                    "depth": _data(near.astype(np.uint8), 90),
                }
            )
        preview = _data(shrunk(read_image(folder / "preview.jpg"), 0.75), 75)
        pages.append({"name": name, "preview": preview, "frames": frames})
    template = jinja2.Template(
        Path(__file__).with_suffix(".html").read_text(encoding="utf-8"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    write_text(path, template.render(title=path.stem, pages=pages, shift=SHIFT))


def _data(picture: np.ndarray, quality: int) -> str:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()


def write_sheets(output: Path, sheets: dict[str, list[PageInput]], html: bool = False) -> None:
    """Writes contact sheets of the pages that have a preview, SHEET pages on each, and, if asked,
    beside each a page for the browser."""
    for title, pages in sheets.items():
        done = [page.name for page in pages if (output / page.name / "preview.jpg").exists()]
        for first in range(0, len(done), SHEET):
            number = f"_{first // SHEET + 1}" if len(done) > SHEET else ""
            names = done[first : first + SHEET]
            sheet = contact_sheet(
                {name: read_image(output / name / "preview.jpg") for name in names}
            )
            write_image(output / f"contact_{title}{number}.jpg", sheet, quality=85)
            if html:
                write_viewer(output / f"{title}{number}.html", output, names)
