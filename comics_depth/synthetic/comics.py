"""Comics frames of drawn scenes: palettes, tones, outlines, with exact depth."""

from typing import NamedTuple

import cv2
import numpy as np

from comics_depth.synthetic.camera import Camera, View, cast
from comics_depth.synthetic.kinds import make_scene
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import dot
from comics_depth.synthetic.surfaces import colour_table, halve, pattern_codes, plane, shadow

WHITE = (255, 255, 255)
PALETTES = {  # gain, offset and limit of saturation and of value
    "bright": ((1.7, 0.12, 1), (1.25, 0.08, 1)),
    "wild": ((1.7, 0.12, 1), (1.25, 0.08, 1)),
    "two hues": ((0.5, 0.35, 1), (1.3, 0.05, 1)),
    "night": ((0.6, 0.4, 1), (0.8, 0.18, 1)),
    "pastel": ((0.8, 0.08, 0.55), (0.5, 0.55, 1)),
    "grey": ((0, 0, 0), (1.6, -0.15, 1)),
}
SKIES = [(0.55, 0.75, 0.95), (0.95, 0.75, 0.4), (0.12, 0.13, 0.3), (0.95, 0.95, 0.9)]


class Style(NamedTuple):
    """How one page is drawn: names of palette, shading, balloon and font, colours RGB, widths and
    sizes in pixels."""

    palette: str
    shade: str
    balloon: str
    font: str
    ink: tuple
    paper: tuple
    hue: float
    width: float
    shadow: bool
    letters: int
    border: int


def draw_style(rng: np.random.Generator) -> Style:
    """A style at random; white paper and black ink are the likeliest."""

    def pick(*options: str | tuple) -> str | tuple:
        return options[rng.integers(len(options))]

    return Style(
        palette=pick("bright", *PALETTES),
        shade=pick("none", "none", "flat", "flat", "hatch", "dots", "black"),
        balloon=pick("oval", "oval", "rounded", "square"),
        font=pick("DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans", "STIXGeneralBolIta"),
        ink=pick((12, 10, 14), (12, 10, 14), (40, 24, 20), (18, 24, 56)),
        paper=pick(WHITE, WHITE, WHITE, (250, 244, 226), (24, 22, 26)),
        hue=rng.random(),
        width=rng.uniform(0.9, 2.3),
        shadow=rng.random() < 0.3,
        letters=int(rng.integers(11, 15)),
        border=int(rng.integers(1, 4)),
    )


class DrawnFrame(NamedTuple):
    """RGB uint8, inverse depth, object of every pixel, the scene and its camera (at this size)."""

    image: np.ndarray
    inverse_depth: np.ndarray
    group: np.ndarray
    scene: Scene
    camera: Camera


def comics_frame(
    kind: str, rng: np.random.Generator, height: int, width: int, style: Style
) -> DrawnFrame:
    """Draws a scene in flat or hatched colour with ink lines. The hand wobbles, and the depth with
    it."""
    scene = make_scene(kind, rng, height, width, drawn=True)
    camera = scene.camera(height * 2, width * 2)
    wobble = rng.normal(0, 0.9, (height // 14 + 2, width // 14 + 2, 2))
    wobble = cv2.resize(wobble, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC)
    view = cast(scene.shapes, camera, wobble)
    codes = pattern_codes(view, scene, camera)
    flat = _palette(scene, style, rng).T[:, (view.index + 1) * 3 + codes]
    sky = view.index < 0
    flat = np.where(sky, _sky(rng, style, *sky.shape), flat)
    flat = _shade(flat, view, scene, style, rng)
    lines = _lines(view, codes, style, rng)
    image, inverse = halve(flat * (1 - lines) + plane(style.ink) / 255 * lines, view)
    image = np.clip(image * 255 + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
    return DrawnFrame(image, inverse, view.group[::2, ::2], scene, scene.camera(height, width))


def _recolour(colours: np.ndarray, style: Style) -> np.ndarray:
    """The palette of a page laid over natural colours, float RGB (N, 3) in 0..1: hue, saturation
    and value pushed."""
    h, s, v = cv2.cvtColor(colours[None], cv2.COLOR_RGB2HSV)[0].T
    h = h / 360
    hue = {
        "bright": h + 0.03 * np.sin(2 * np.pi * style.hue),
        "wild": h + style.hue,
        "two hues": np.where(v > 0.5, style.hue, style.hue + 0.45),
        "night": 0.6 + 0.15 * (h - 0.5),
    }.get(style.palette, h)
    gain, offset, limit = np.float32(PALETTES[style.palette]).T[..., None]
    s, v = np.clip(np.stack([s, v]) * gain + offset, 0, limit)
    pushed = np.stack([np.mod(hue, 1) * 360, s, np.round(v * 6) / 6], -1).astype(np.float32)
    return cv2.cvtColor(pushed[None], cv2.COLOR_HSV2RGB)[0]


def _palette(scene: Scene, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The colour table of a scene in a style, in which an object may have any colour."""
    table = _recolour(colour_table(scene), style)
    if style.palette == "wild" or (style.palette == "bright" and rng.random() < 0.5):
        groups = np.repeat([0, *(shape.group for shape in scene.shapes)], 3)
        for group, name in enumerate(scene.names):
            if name not in ("sky", "person", "head", "hand") and rng.random() < 0.35:
                here = groups == group
                table[here] = np.roll(table[here], rng.integers(1, 3), -1)
    return table


def _sky(rng: np.random.Generator, style: Style, height: int, width: int) -> np.ndarray:
    """Flat, banded, rayed or dotted, in any colour: (3, H, W) in 0..1, or what broadcasts to it."""
    colours = _recolour(np.array(SKIES, np.float32), style)
    first, second = (plane(colour) for colour in rng.permutation(colours)[:2])
    y, x = np.mgrid[:height, :width].astype(np.float32)
    kind = rng.choice(("flat", "flat", "bands", "rays", "dots"))
    if kind == "flat":
        return first
    if kind == "bands":
        part = np.round(y / height * 4) / 4
    elif kind == "rays":
        part = np.mod(np.arctan2(y - height * 0.6, x - width * rng.random()) * 7, 1) < 0.5
    else:
        part = _dots(x / 14, y / 14) < 0.5 * y / height
    return first + (second - first) * part


def _dots(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to the nearest dot of a halftone."""
    return np.hypot(np.mod(x + y, 1) - 0.5, np.mod(x - y, 1) - 0.5)


def _shade(
    flat: np.ndarray, view: View, scene: Scene, style: Style, rng: np.random.Generator
) -> np.ndarray:
    """The dark sides (3, H, W) in a darker colour, hatched, dotted or black."""
    light = rng.normal(0, 1, 3) + (0, 0.8, -0.3)
    facing = dot(view.normal, light / np.linalg.norm(light))
    dark = (facing < rng.uniform(-0.25, 0.1)) & (view.index >= 0)
    if style.shadow:
        dark |= shadow(view, scene, np.array((0.45, 0.8, -0.4))) > 0.5
    if style.shade == "none":
        return flat
    if style.shade == "flat":
        return np.where(dark, flat * plane((0.66, 0.6, 0.74)), flat)
    y, x = np.mgrid[: dark.shape[0], : dark.shape[1]] / rng.uniform(8, 12)
    tone = {
        "hatch": np.mod(x + y, 1) < 0.24,
        "dots": _dots(x, y) < 0.33,
        "black": facing < -0.65,
    }[style.shade]
    return np.where(dark & tone, plane(style.ink) / 255, flat)


def _lines(view: View, codes: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Ink of the lines, 0..1 (H, W): thick round objects, thin at folds, overlaps and patterns,
    swelling."""
    outer, inner = np.zeros_like(codes), np.zeros_like(codes)
    depth = np.minimum(view.depth, 1e4)
    material = view.index * 4 + codes * (codes < 2)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        step = np.abs(depth[a] - depth[b])
        apart = step > np.maximum(0.05, 0.025 * np.minimum(depth[a], depth[b]))
        fold = dot(view.normal[:, *a], view.normal[:, *b]) < 0.6
        fold &= np.minimum(view.index[a], view.index[b]) >= 0
        other = view.index[a] != view.index[b]
        outer[a] |= view.group[a] != view.group[b]
        inner[a] |= fold | np.where(other, apart, material[a] != material[b])
    to_outer, to_inner = (cv2.distanceTransform(1 - c, cv2.DIST_L2, 3) for c in (outer, inner))
    height, width = codes.shape
    swell = rng.uniform(0.45, 1.5, (height // 24 + 2, width // 24 + 2)).astype(np.float32)
    pen = style.width * cv2.resize(swell, (width, height))
    thick, thin = np.clip(pen + 0.5 - to_outer, 0, 1), np.clip(pen * 0.5 + 0.4 - to_inner, 0, 1)
    return np.maximum(np.maximum(thick, thin), 0.55 * (codes == 2))
