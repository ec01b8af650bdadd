"""The page on which a person mends the boxes of frames that were found on comics pages."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flask import abort

from comics_depth.annotating.server import AnnotationServer
from comics_depth.data.annotations import FRAME_CLASS, clip_box, read_boxes
from comics_depth.images import image_size, write_image
from common.files import write_text

MOST_BOXES = 1000


class BoxServer(AnnotationServer):
    """pages: name -> (file of its boxes, a file of its size, what reads it, RGB uint8 (H, W, 3)).
    Changes are written at once. Raises UserError if the port is taken."""

    def __init__(
        self,
        pages: dict[str, tuple[Path, Path, Callable[[], np.ndarray]]],
        host: str,
        port: int,
    ):
        self.pages = pages
        self.scratch = tempfile.TemporaryDirectory()
        # as JPEG, since browsers show neither TIFF nor what is in an archive
        images = {name: Path(self.scratch.name, f"{n}.jpg") for n, name in enumerate(pages)}
        reads = {"state": lambda _: {"pages": list(pages)}, "page": self.page}
        super().__init__("boxes.html", images, reads, {"save": self.save}, host, port)

    def image_file(self, name: Any) -> Path:
        path = super().image_file(name)
        with self.lock:
            if not path.exists():
                write_image(path, self.pages[name][2](), quality=85)
        return path

    def page(self, name: str) -> dict:
        boxes, size = self._files(name)
        numbered = read_boxes(boxes, size)[0] if boxes.exists() else []
        return {"size": size[::-1], "boxes": [box for _, box in numbered]}

    def save(self, message: dict) -> dict:
        """Writes the boxes of a page, in reading order: at least one of whole pixels inside the
        page."""
        path, size = self._files(message.get("id"))
        boxes = message.get("boxes")
        if not isinstance(boxes, list) or not 0 < len(boxes) <= MOST_BOXES:
            abort(400, f"expected 1 to {MOST_BOXES} boxes")
        lines = []
        for box in boxes:
            whole = isinstance(box, list) and len(box) == 4 and all(type(n) is int for n in box)
            if not whole or clip_box(tuple(box), size) != tuple(box):
                abort(400, f"{box}: expected x1, y1, x2, y2 inside the page")
            lines.append(f"{FRAME_CLASS} {' '.join(map(str, box))}\n")
        with self.lock:
            write_text(path, "".join(lines))
        return {"saved": len(boxes)}

    def _files(self, name: Any) -> tuple[Path, tuple[int, int]]:
        super().image_file(name)  # refuses other names
        boxes, sized, _ = self.pages[name]
        return boxes, image_size(sized)
