"""The page on which a person checks the text-free crops, and what becomes of them."""

import os
import shutil
import tempfile
from pathlib import Path

from comics_depth.annotating.server import AnnotationServer
from comics_depth.paths import Layout
from common.errors import UserError
from common.files import PARTIAL, lock, read_json, write_json


class CheckServer(AnnotationServer):
    """The page on which a person marks the crops of `layout.no_text` that show text; Finish writes
    `layout.no_text_checked`. Raises UserError if there are no crops or the port is taken."""

    def __init__(self, layout: Layout, host: str, port: int):
        self.layout = layout
        images = {name: layout.no_text / f"{name}.jpg" for name in _crops(layout)}
        writes = {"mark": self.mark, "finish": self.finish}
        super().__init__("check.html", images, {"state": self.state}, writes, host, port)

    def state(self, _: str) -> dict:
        folder = str(self.layout.no_text_checked)
        return {"crops": list(self.images), "removed": sorted(self._removed()), "folder": folder}

    def mark(self, message: dict) -> dict:
        name = message.get("id")
        self.image_file(name)
        with self.lock:
            removed = self._removed() - {name}
            if message.get("removed") is True:
                removed.add(name)
            write_json(self.layout.crop_marks, sorted(removed))
        return {"removed": sorted(removed)}

    def finish(self, _: dict) -> dict:
        with self.lock:
            removed = self._removed()
            return {"kept": accept_crops(self.layout, removed, "hand"), "removed": len(removed)}

    def _removed(self) -> set[str]:
        marks = self.layout.crop_marks
        names = read_json(marks, list[str]) if marks.exists() else []
        return {name for name in self.images if name in names}


def _crops(layout: Layout) -> dict[str, dict]:
    """Crop id -> provenance, of the crops that are there."""
    manifest = layout.crop_manifest
    listed = read_json(manifest) if manifest.exists() else {}
    there = [name for name in listed if (layout.no_text / f"{name}.jpg").exists()]
    crops = {name: listed[name] for name in there}
    if not crops:
        command = "`python comics2textareas.py --generate_dcm_without_text_areas`"
        raise UserError(f"{manifest} lists no crop that is there; run first: {command}")
    return crops


def accept_crops(layout: Layout, removed: set[str], by: str) -> int:
    """Writes `layout.no_text_checked`, whole or not at all: all crops but `removed`, and
    manifest.json {who: `by`, kept, removed: counts, crops: {id: provenance}}; returns how many were
    kept. Raises UserError if none is left or a foreign folder is in the way."""
    crops = _crops(layout)
    target = layout.no_text_checked
    kept = {name: value for name, value in crops.items() if name not in removed}
    if not kept:
        raise UserError(f"all {len(crops)} crops are marked as showing text: none is left to write")
    if target.exists() and any(target.iterdir()) and not layout.checked_manifest.exists():
        raise UserError(f"{target} was not written by this command; move it away first")
    try:
        lock(layout.no_text)
        with tempfile.TemporaryDirectory(dir=layout.no_text, prefix=PARTIAL) as scratch:
            fresh = Path(scratch, "fresh")
            for name in kept:
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(layout.no_text / f"{name}.jpg", fresh / f"{name}.jpg")
            counts = {"kept": len(kept), "removed": len(crops) - len(kept)}
            write_json(fresh / "manifest.json", {"who": by, **counts, "crops": kept})
            # What goes can be made again: crops and marks still lie in no_text.
            shutil.rmtree(target, ignore_errors=True)
            os.replace(fresh, target)
    except OSError as error:
        raise UserError(f"{target}: could not be written ({error})") from error
    return len(kept)
