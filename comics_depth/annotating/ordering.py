"""The page on which a person orders points of frames by depth."""

import contextlib
import io
from pathlib import Path
from typing import Any

from flask import Response, abort
from PIL import Image

from comics_depth.annotating.server import AnnotationServer
from comics_depth.data.orderings import Point, read_ordering, write_ordering
from comics_depth.images import find_image, image_size, read_image
from comics_depth.paths import Layout, find_named, names_of, needed, read_manifest
from common.errors import UserError

MAX_LEVEL = 9999


class OrderingServer(AnnotationServer):
    """The page on which a person orders points of `frames`, saved to
    `layout.orderings_of(annotator)` at once. A frame without points has no file and is not done.
    Raises UserError if a frame has no image or the port is taken."""

    def __init__(
        self, layout: Layout, frames: list[str], host: str, port: int, annotator: str | None = None
    ):
        crop = "`python datasets_preparation.py --crop_frames`"
        if not frames:
            raise UserError(f"there are no frames to order; run first: {crop}")
        images = {frame: needed(layout.frame(frame), crop) for frame in frames}
        self.pages = layout.dcm_images
        self.orderings = layout.orderings_of(annotator)
        self.manifest = read_manifest(layout)
        self.frames_by_name = names_of({*frames, *self.manifest})
        reads = {"state": self.state, "frame": self.frame, "page": self.page}
        super().__init__("order.html", images, reads, {"save": self.save}, host, port)

    def state(self, _: str) -> dict:
        frames = []
        for frame in self.images:
            found = self._points_or_error(frame)
            frames.append({"id": frame, **found, "points": len(found["points"])})
        return {"frames": frames}

    def frame(self, frame: str) -> dict:
        height, width = image_size(self.image_file(frame))
        data = {"width": width, "height": height, **self._points_or_error(frame)}
        with contextlib.suppress(UserError):  # a broken page costs the view beside, not the frame
            if page := self._page_file(frame):
                data["page"] = {"box": self.manifest[frame]["box"], "size": image_size(page)[::-1]}
        return data

    def page(self, frame: str) -> Response:
        self.image_file(frame)
        if not (page := self._page_file(frame)):
            abort(404, "the page of this frame is not there")
        picture = Image.fromarray(read_image(page))  # browsers show no TIFF
        picture.thumbnail((1400, 1400))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=88)
        return Response(buffer.getvalue(), mimetype="image/jpeg")

    def save(self, message: dict) -> dict:
        """Replaces the points `before`, which the page believes to be on disk, by `points`."""
        frame = message.get("id")
        height, width = image_size(self.image_file(frame))
        points = _as_points(message.get("points"))
        before = _as_points(message.get("before"))
        for object_level, intra_level, x, y in set(points) - set(before):  # old ones may stay
            if not (0 <= x < width and 0 <= y < height):
                abort(400, f"point {x}, {y} lies outside the frame ({width}x{height} pixels)")
            if not (1 <= object_level <= MAX_LEVEL and 1 <= intra_level <= MAX_LEVEL):
                abort(400, f"levels go from 1 to {MAX_LEVEL}, found {object_level} {intra_level}")
        with self.lock:
            path = self._file(frame)
            if self._points(path) not in (before, points):  # a malformed file raises and stays
                abort(409, f"{path} was changed elsewhere meanwhile; reload the frame to see it")
            if points:
                write_ordering(path, points)
            else:
                path.unlink(missing_ok=True)
        return {"points": len(points)}

    def _file(self, frame: str) -> Path:
        # an old file is edited in place under its 2020 name, unless other frames could claim it
        with contextlib.suppress(UserError):
            if found := find_named(self.orderings, frame, (".txt",), self.frames_by_name):
                return found
        return self.orderings / f"{frame}.txt"

    def _points(self, path: Path) -> list[Point]:
        return read_ordering(path) if path.exists() else []

    def _points_or_error(self, frame: str) -> dict:
        try:
            return {"points": self._points(self._file(frame))}
        except UserError as error:
            return {"points": [], "error": f"{error}. Mend or delete that file, then reload."}

    def _page_file(self, frame: str) -> Path | None:
        page = self.manifest.get(frame, {}).get("page")
        return find_image(self.pages, page) if page else None


def _as_points(value: Any) -> list[Point]:
    rows = value if isinstance(value, list) else [None]
    if all(isinstance(row, list) and [type(number) for number in row] == [int] * 4 for row in rows):
        return [Point(*row) for row in rows]
    abort(400, "expected a list of points, each four integers: object level, intra level, x, y")
