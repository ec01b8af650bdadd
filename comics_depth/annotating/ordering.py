"""The page on which a person orders points of frames by depth."""

import contextlib
import io
from pathlib import Path
from typing import Any

from PIL import Image

from comics_depth.annotating.server import Refused, Server
from comics_depth.data.orderings import Point, read_ordering, write_ordering
from comics_depth.images import find_image, image_size, read_image
from comics_depth.paths import Layout, find_named, names_of, read_manifest
from common.errors import UserError

MAX_LEVEL = 9999


class OrderingServer(Server):
    """The page on which a person orders points of `frames` by depth; every change is in
    `layout.ordering(frame)` at once. A frame without points has no file, so it never counts as
    done. Raises UserError if a frame has no image or the port is taken."""

    title = "depth orderings"

    def __init__(self, layout: Layout, frames: list[str], host: str, port: int):
        images = {frame: layout.frame(frame) for frame in frames}
        missing = [f"{path} is missing" for path in images.values() if not path.exists()]
        if missing or not frames:
            found = missing[0] if missing else "there are no frames to order"
            raise UserError(
                f"{found}; run first: {layout.command('datasets_preparation.py --crop_frames')}"
            )
        self.layout, self.manifest = layout, read_manifest(layout)
        self.meant = names_of({*frames, *self.manifest})
        super().__init__("order.html", images, host, port)

    def _file(self, frame: str) -> Path:
        """An old file is edited in place under its 2020 name, unless other frames could claim
        it."""
        found = None
        with contextlib.suppress(UserError):
            found = find_named(self.layout.orderings, frame, (".txt",), self.meant)
        return found or self.layout.ordering(frame)

    def _points(self, frame: str) -> list[Point]:
        path = self._file(frame)
        try:
            return read_ordering(path) if path.exists() else []
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a text file") from None

    def _page(self, frame: str) -> Path | None:
        page = self.manifest.get(frame, {}).get("page")
        return find_image(self.layout.dcm_images, page) if page else None

    def _read(self, frame: str) -> dict:
        """{points} of a frame, with an error where its file is malformed."""
        try:
            return {"points": self._points(frame)}
        except UserError as error:
            hint = "Mend or delete that file, then reload; it is left as it is."
            return {"points": [], "error": f"{error}. {hint}"}

    def on_get_state(self, _: str) -> dict:
        read = {frame: self._read(frame) for frame in self.images}
        return {
            "frames": [
                {"id": frame, **found, "points": len(found["points"])}
                for frame, found in read.items()
            ]
        }

    def on_get_frame(self, frame: str) -> dict:
        height, width = image_size(self.listed(frame))
        data = {"width": width, "height": height}
        with contextlib.suppress(UserError):  # a broken page costs the view beside, not the frame
            if page := self._page(frame):
                data["page"] = {"box": self.manifest[frame]["box"], "size": image_size(page)[::-1]}
        return data | self._read(frame)

    def on_get_page(self, frame: str) -> bytes:
        self.listed(frame)
        if not (page := self._page(frame)):
            raise Refused(404, "the page of this frame is not there")
        small, buffer = Image.fromarray(read_image(page)), io.BytesIO()  # browsers show no TIFF
        small.thumbnail((1400, 1400))
        small.save(buffer, "JPEG", quality=88)
        return buffer.getvalue()

    def on_post_save(self, request: dict) -> dict:
        """Replaces the points `before`, which the page believes to be on disk, by `points`."""
        frame = request.get("id")
        height, width = image_size(self.listed(frame))
        points, before = _as_points(request.get("points")), _as_points(request.get("before"))
        for object_level, intra_level, x, y in (
            point for point in points if point not in before
        ):  # old ones may stay
            if not (0 <= x < width and 0 <= y < height):
                raise Refused(
                    400, f"point {x}, {y} lies outside the frame ({width}x{height} pixels)"
                )
            if not (1 <= object_level <= MAX_LEVEL and 1 <= intra_level <= MAX_LEVEL):
                raise Refused(
                    400, f"levels go from 1 to {MAX_LEVEL}, found {object_level} {intra_level}"
                )
        with self.lock:
            path = self._file(frame)
            if self._points(frame) not in (before, points):  # a malformed file raises and stays
                raise Refused(
                    409, f"{path} was changed elsewhere meanwhile; reload the frame to see it"
                )
            if points:
                write_ordering(path, points)
            else:
                path.unlink(missing_ok=True)
        return {"points": len(points)}


def _as_points(value: Any) -> list[Point]:
    rows = value if isinstance(value, list) else [None]
    if all(isinstance(row, list) and [type(number) for number in row] == [int] * 4 for row in rows):
        return [Point(*row) for row in rows]
    raise Refused(
        400, "expected a list of points, each four integers: object level, intra level, x, y"
    )
