"""The scores as a page that opens from disk: the table, the figure, and each frame beside its depth
by every row."""

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from PIL import Image
from tqdm import tqdm

from comics_depth.data.depth_files import preview, read_depth
from comics_depth.data.orderings import Point
from comics_depth.evaluation.metrics import RIGHT
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.evaluation.scoring import OrderedFrame
from comics_depth.evaluation.sets import PredictionSet
from comics_depth.evaluation.table import Row, number, shown_table, write_results
from comics_depth.images import read_image
from common.files import write_bytes, write_text

SIDE = 320  # pixels, the long side of a picture


def write_report(
    folder: Path,
    rows: list[Row],
    caption: str,
    protocol: str,
    frames: list[OrderedFrame],
    maps: dict[PredictionSet, list[Path]],
    image_of: Callable[[str], Path],
) -> list[Path]:
    """Writes the files of table.write_results, `report.html` and its pictures (`report/`) to
    `folder`; prints and returns their paths, that of the page last. `maps`: depth maps of the rows
    in the order of `frames`; `image_of`: path of a frame's image, which need not exist. Frames
    stand by their mean accuracy (inter-objects) over the rows of networks, worst first."""
    names = list(dict.fromkeys(row.name for row in rows))
    networks = [name for name in names if name.removeprefix("baseline_") not in REFERENCES]
    counts: dict[str, dict[str, np.ndarray]] = {}  # frame -> row -> its inter-objects pairs
    for row in rows:
        for frame, pairs in zip(row.frames, row.counts, strict=True):
            counts.setdefault(frame, {})[row.name] = pairs[0]
    # of one name, the first is the row
    paths = {predictions.name: found for predictions, found in reversed(maps.items())}
    cards = []
    for at, frame in enumerate(tqdm(frames, desc="pictures of the report", disable=None)):
        if frame.name in counts:
            depths = {name: read_depth(paths[name][at]) for name in names}
            image = image_of(frame.name)
            own = counts[frame.name]
            cards.append(_card(folder, frame, own, depths, networks or names, image))
    # a frame without pairs has no mean and comes last
    cards.sort(key=lambda card: (card["scores"][0] is None, card["scores"][0], card["name"]))
    *files, figure = write_results(folder, rows, caption, protocol)
    template = jinja2.Template(
        Path(__file__).with_suffix(".html").read_text(encoding="utf-8"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = template.render(
        table=shown_table(rows),
        caption=caption,
        orders=[f"mean of the {'networks' if networks else 'rows'}", *names],
        cards=cards,
    )
    write_text(folder / "report.html", page)
    for path in (folder / "report").glob("*.jpg"):  # of an earlier page
        if re.fullmatch("[0-9a-f]{20}", path.stem) and path.name not in page:
            path.unlink()
    print(f"\nwrote {', '.join(str(path) for path in files)}")
    print(f"figure: {figure}\npage: {folder / 'report.html'}")
    return [*files, figure, folder / "report.html"]


def _card(
    folder: Path,
    frame: OrderedFrame,
    pairs: dict[str, np.ndarray],
    depths: dict[str, np.ndarray],
    networks: list[str],
    image: Path,
) -> dict[str, Any]:
    """What the template shows of a frame; `scores`: the mean and every row's share, or None."""
    shares = {}
    shown = []
    for name, depth in depths.items():
        right, total = pairs[name][RIGHT], pairs[name].sum()
        shares[name] = float(right / total) if total else None
        score = f"{number(shares[name])} ({right}/{total})"
        shown.append((name, score, _picture(folder, depth)))
    mean = None
    if None not in shares.values():
        mean = sum(shares[name] for name in networks) / len(networks)
    height, width = next(iter(depths.values())).shape
    scale = SIDE / max(height, width)
    there = image.exists()
    drawn = read_image(image) if there else np.full((height, width, 3), 255, np.uint8)
    return {
        "name": frame.name,
        "split": frame.split or "",
        "mean": number(mean),
        "scores": [mean, *shares.values()],
        "key": "p" + hashlib.sha256(frame.name.encode()).hexdigest()[:12],
        "box": f"0 0 {width * scale:.1f} {height * scale:.1f}",
        "points": _marks([point for points in frame.orderings for point in points], scale),
        "title": "frame and points" if there else "points (no image of the frame is there)",
        "picture": _picture(folder, drawn),
        "depths": shown,
    }


def _picture(folder: Path, picture: np.ndarray) -> dict[str, Any]:
    """Writes an image (H, W, 3) or inverse depth (H, W), reduced, to `report/`; its src and
    size."""
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    content = io.BytesIO()
    Image.fromarray(preview(small) if small.ndim == 2 else small).save(content, "JPEG", quality=82)
    # Named by its content: an earlier page never shows a picture that it does not mean.
    name = f"report/{hashlib.sha256(content.getvalue()).hexdigest()[:20]}.jpg"
    if not (folder / name).exists():
        write_bytes(folder / name, content.getbuffer())
    return {"src": name, "width": size[0], "height": size[1]}


def _marks(points: list[Point], scale: float) -> list[dict[str, Any]]:
    """The points as the template shows them, `scale` units a pixel: red is near, blue far, and
    `object.intra` labels those of objects with several intra levels."""
    last = max((point.object_level for point in points), default=1)
    deep = {point.object_level for point in points if point.intra_level > 1}
    return [
        {
            "place": f"{(x + 0.5) * scale:.1f} {(y + 0.5) * scale:.1f}",
            "hue": round(230 * (level - 1) / max(last - 1, 1)),
            "label": f"{level}.{intra}" if level in deep else str(level),
            "radius": 9.5 if level in deep else 8,
        }
        for level, intra, x, y in points
    ]
