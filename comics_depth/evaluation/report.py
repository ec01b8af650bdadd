"""The scores as a page that opens from disk: the table, the figure, and each frame beside its depth
by every row."""

import hashlib
import io
import json
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from string import Template

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from comics_depth.data.depth_files import preview, read_depth
from comics_depth.evaluation.metrics import RIGHT
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.evaluation.scoring import Frame, Run
from comics_depth.evaluation.table import HEAD, Row, number, row_cells, write_results
from comics_depth.images import read_image
from common.files import write_text, written_atomically

SIDE = 320  # pixels, the long side of a picture


def write_report(
    folder: Path,
    rows: list[Row],
    caption: str,
    protocol: str,
    frames: list[Frame],
    maps: dict[Run, list[Path]],
    image: Callable[[str], Path],
) -> list[Path]:
    """Writes the files of results.write_results and `report.html` to `folder`, its pictures to
    `report/` there; prints and returns their paths, that of the page last. `maps` holds the depth
    maps of the rows' runs in the order of `frames`; `image` gives the path of a frame's image,
    which need not exist. The frames stand in the order of their mean accuracy (inter-objects) over
    the rows of networks, worst first; the page can order them by any row."""
    runs = list(dict.fromkeys(row.run for row in rows))
    networks = [run for run in runs if run.removeprefix("baseline_") not in REFERENCES]
    pairs: dict[
        str, dict[str, np.ndarray]
    ] = {}  # frame -> row -> (right, wrong, tied) of inter-objects
    for row in rows:
        for frame, counts in zip(row.frames, row.counts, strict=True):
            pairs.setdefault(frame, {})[row.run] = counts[0]
    paths = {
        run.name: found for run, found in reversed(maps.items())
    }  # of one name, the first is the row
    cards = []
    for at, frame in enumerate(tqdm(frames, desc="pictures of the report", disable=None)):
        if frame.name in pairs:
            depths = {run: read_depth(paths[run][at]) for run in runs}
            cards.append(
                _card(
                    folder / "report",
                    frame,
                    pairs[frame.name],
                    depths,
                    networks or runs,
                    image(frame.name),
                )
            )
    *files, figure = write_results(folder, rows, caption, protocol)
    choices = [f"mean of the {'networks' if networks else 'rows'}", *runs]
    page = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8")).substitute(
        number=len(cards),
        caption=escape(caption).replace("\n", "<br>"),
        head=_cells("th", HEAD),
        rows="\n".join(f"<tr>{_cells('td', row_cells(row))}" for row in rows),
        choices="".join(
            f'<option value="{value}">{escape(name)}' for value, name in enumerate(choices)
        ),
        cards="\n".join(card for _, card in sorted(cards)),
    )
    write_text(folder / "report.html", page)
    for path in (folder / "report").glob("*.jpg"):  # of an earlier page
        if re.fullmatch("[0-9a-f]{20}", path.stem) and path.name not in page:
            path.unlink()
    print(
        f"\nwrote {', '.join(str(path) for path in files)}\nfigure: {figure}\npage:"
        f" {folder / 'report.html'}"
    )
    return [*files, figure, folder / "report.html"]


def _card(
    pictures: Path,
    frame: Frame,
    pairs: dict[str, np.ndarray],
    depths: dict[str, np.ndarray],
    networks: list[str],
    image: Path,
) -> tuple[float, str]:
    """(mean accuracy, HTML) of a frame; 2 stands for the mean of a frame without pairs, which comes
    last."""
    shares = {
        run: float(counts[RIGHT] / counts.sum()) if counts.any() else None
        for run, counts in ((run, pairs[run]) for run in depths)
    }
    mean = None if None in shares.values() else sum(shares[run] for run in networks) / len(networks)
    height, width = next(iter(depths.values())).shape
    drawn = read_image(image) if image.exists() else np.full((height, width, 3), 255, np.uint8)
    key = "p" + hashlib.sha256(frame.name.encode()).hexdigest()[:12]
    scale = SIDE / max(height, width)
    box = f'<svg aria-hidden="true" viewBox="0 0 {width * scale:.1f} {height * scale:.1f}">'
    about = "frame and points" if image.exists() else "points (no image of the frame is there)"
    figures = [
        _figure(
            pictures,
            drawn,
            f"Frame {frame.name} with the points of its ordering",
            about,
            f"{box}{_points(frame, key, scale)}</svg>",
        )
    ]
    for run, depth in depths.items():
        score = f"{number(shares[run])} ({pairs[run][RIGHT]}/{pairs[run].sum()})"
        alt = f"Inverse depth of frame {frame.name} by {run}, bright is near; right pairs: {score}"
        figures.append(
            _figure(pictures, depth, alt, run, f'{box}<use href="#{key}"/></svg>', score)
        )
    title = f"{escape(frame.name)} <small>{frame.split or ''} mean {number(mean)}</small>"
    values = escape(json.dumps([mean, *shares.values()]))
    html = (
        f'<article data-scores="{values}"><h3>{title}</h3><div'
        f' class="grid">{"".join(figures)}</div></article>'
    )
    return 2.0 if mean is None else mean, html


def _figure(
    pictures: Path, picture: np.ndarray, alt: str, name: str, overlay: str, score: str = ""
) -> str:
    """HTML of a picture: an image (H, W, 3) or inverse depth (H, W), reduced and written to the
    folder `pictures`."""
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    small, content = (
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA),
        io.BytesIO(),
    )
    Image.fromarray(preview(small) if small.ndim == 2 else small).save(content, "JPEG", quality=82)
    # Named by its content: a page that was written before never shows a picture that it does not
    # mean.
    path = pictures / f"{hashlib.sha256(content.getvalue()).hexdigest()[:20]}.jpg"
    if not path.exists():
        with written_atomically(path) as temporary:
            temporary.write_bytes(content.getvalue())
    said = escape(name).replace("_", "_<wbr>") + (f" <b>{score}</b>" if score else "")
    return (
        f'<figure><div><img loading="lazy" src="report/{path.name}" width="{width}"'
        f' height="{height}"'
        f' alt="{escape(alt)}">{overlay}</div><figcaption>{said}</figcaption></figure>'
    )


def _points(frame: Frame, key: str, scale: float) -> str:
    """SVG group `key` of the points, `scale` units a pixel: numbered `object` or, where an object
    has several intra levels, `object.intra`; red is the nearest level, blue the farthest."""
    last = max((point.object_level for point in frame.points), default=1)
    deep = {point.object_level for point in frame.points if point.intra_level > 1}
    circles = []
    for level, intra, x, y in frame.points:
        label, radius = (f"{level}.{intra}", 9.5) if level in deep else (str(level), 8)
        place, hue = (
            f"{(x + 0.5) * scale:.1f} {(y + 0.5) * scale:.1f}",
            230 * (level - 1) / max(last - 1, 1),
        )
        circles.append(
            f'<g transform="translate({place})"><circle r="{radius}" fill="hsl({hue:.0f} 85%'
            f' 36%)"/><text>{label}</text></g>'
        )
    return f'<g id="{key}">{"".join(circles)}</g>'


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}" for text in texts)
