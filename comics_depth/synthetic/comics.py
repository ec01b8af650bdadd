"""Comics frames of drawn scenes: palettes, tones, outlines, exact depth."""

from typing import NamedTuple

import cv2
import numpy as np

from comics_depth.synthetic.camera import Camera, View, cast
from comics_depth.synthetic.kinds import make_scene
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import dot
from comics_depth.synthetic.surfaces import colour_table, halve, plane, shadow_of, surface

WHITE = (255, 255, 255)


FONTS = (
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans",
    "STIXGeneralBolIta",
    "STIXGeneralBol",
    "cmss10",
    "DejaVuSerif-BoldItalic",
    "DejaVuSansMono-Bold",
)


PALETTES = {  # gain, offset and limit of saturation and of value
    "bright": ((1.7, 0.12, 1), (1.25, 0.08, 1)),
    "wild": ((1.7, 0.12, 1), (1.25, 0.08, 1)),
    "two hues": ((0.5, 0.35, 1), (1.3, 0.05, 1)),
    "night": ((0.6, 0.4, 1), (0.8, 0.18, 1)),
    "pastel": ((0.8, 0.08, 0.55), (0.5, 0.55, 1)),
    "grey": ((0, 0, 0), (1.6, -0.15, 1)),
}


class Style(NamedTuple):
    """How one page is drawn: names of palette, shading and balloon, widths and sizes in pixels,
    colours RGB."""

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
    choices = (
        ("bright", "bright", "wild", "two hues", "night", "pastel", "grey"),
        ("none", "none", "flat", "flat", "hatch", "cross", "dots", "black"),
        ("oval", "oval", "rounded", "wobbly", "square"),
        FONTS,
        ((12, 10, 14), (12, 10, 14), (40, 24, 20), (18, 24, 56)),
        (WHITE, WHITE, WHITE, (250, 244, 226), (24, 22, 26)),
    )
    picked = [options[int(rng.integers(len(options)))] for options in choices]
    numbers = rng.random(), float(rng.uniform(0.9, 2.3)), rng.random() < 0.3
    return Style(*picked, *numbers, int(rng.integers(11, 15)), int(rng.integers(1, 4)))


def _recolour(colours: np.ndarray, style: Style) -> np.ndarray:
    """The palette of a page laid over natural colours, float RGB (..., 3) in 0..1: hue, saturation
    and value pushed."""
    hsv = cv2.cvtColor(np.ascontiguousarray(colours.reshape(1, -1, 3)), cv2.COLOR_RGB2HSV)[0]
    h, s, v = hsv[:, 0] / 360, hsv[:, 1], hsv[:, 2]
    h = {
        "bright": h + 0.03 * np.sin(2 * np.pi * style.hue),
        "wild": h + style.hue,
        "two hues": np.where(v > 0.5, style.hue, style.hue + 0.45),
        "night": 0.6 + 0.15 * (h - 0.5),
    }.get(style.palette, h)
    s, v = (
        np.clip(c * gain + offset, 0, limit)
        for c, (gain, offset, limit) in zip((s, v), PALETTES[style.palette], strict=True)
    )
    hsv = np.stack([np.mod(h, 1) * 360, s, np.round(v * 6) / 6], -1).astype(np.float32)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].reshape(colours.shape)


def _tone(kind: str, height: int, width: int, period: float) -> np.ndarray:
    """Where a hatching or a halftone puts ink in a full tone, bool (H, W)."""
    y, x = (along / period for along in np.ogrid[:height, :width])
    if kind == "dots":
        return np.hypot(np.mod(x + y, 1) - 0.5, np.mod(x - y, 1) - 0.5) < 0.33
    lines = np.mod(x + y, 1) < 0.24
    return lines | (np.mod(x - y * 0.8, 1) < 0.24) if kind == "cross" else lines


class DrawnFrame(NamedTuple):
    """A drawn frame: RGB uint8, inverse depth, object of every pixel, the scene and its camera (at
    this size)."""

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
    coarse = rng.normal(0, 0.9, (height // 14 + 2, width // 14 + 2, 2))
    view = cast(
        scene.shapes,
        camera,
        cv2.resize(coarse, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC),
    )
    code, _, _ = surface(view, scene, camera)
    table = _recolour(colour_table(scene), style)
    if rng.random() < {"bright": 0.5, "wild": 1.0}.get(
        style.palette, 0.0
    ):  # an object may have any colour
        groups = np.repeat([0, *(shape.group for shape in scene.shapes)], 3)
        for group in range(1, len(scene.names)):
            if scene.names[group] not in ("person", "head", "hand") and rng.random() < 0.35:
                table[groups == group] = np.roll(
                    table[groups == group], int(rng.integers(1, 3)), -1
                )
    flat = table.T.take((view.index + 1) * 3 + code, 1)
    sky, ink = view.index < 0, plane(style.ink, np.float32) / 255
    towards = rng.normal(0, 1, 3) + (0, 0.8, -0.3)
    facing = np.stack([*view.normal], -1) @ (towards / np.linalg.norm(towards)).astype(np.float32)
    dark = (facing < rng.uniform(-0.25, 0.1)) & ~sky
    if style.shadow:
        dark |= shadow_of(view, scene, np.array((0.45, 0.8, -0.4))) > 0.5
    tone = np.zeros(dark.shape, bool)
    if style.shade == "flat":
        flat = np.where(dark, flat * plane((0.66, 0.6, 0.74), np.float32), flat)
    elif style.shade == "black":
        tone = dark & (facing < -0.65)
    elif style.shade != "none":
        tone = dark & _tone(style.shade, *dark.shape, rng.uniform(8, 12))
    if rng.random() < 0.35:  # the background in one colour, often a warm one
        far = view.depth > np.quantile(np.minimum(view.depth, 1e4), rng.uniform(0.45, 0.7))
        one = plane(_recolour(np.array([[0.85, 0.6, 0.3]], np.float32), style)[0], np.float32)
        flat = np.where(far, 0.3 * flat + 0.7 * one * (0.7 + 0.3 * flat.mean(0)), flat)
    flat = np.where(tone, ink, np.where(sky, _drawn_sky(rng, style, *sky.shape), flat))
    lines = _ink(view, code, style, rng).astype(np.float32)
    image, inverse = halve(flat * (1 - lines) + ink * lines, view)
    image = np.clip(image * 255 + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
    return DrawnFrame(image, inverse, view.group[::2, ::2], scene, scene.camera(height, width))


def _drawn_sky(rng: np.random.Generator, style: Style, height: int, width: int) -> np.ndarray:
    """Flat, banded, rayed or dotted, in any colour: (3, H, W) in 0..1, or what broadcasts to it."""
    colours = (
        (0.55, 0.75, 0.95),
        (0.95, 0.75, 0.4),
        (0.12, 0.13, 0.3),
        (0.95, 0.95, 0.9),
        (0.9, 0.4, 0.35),
    )
    colours = _recolour(np.array(colours, np.float32), style)[rng.permutation(5)[:2]]
    first, second = (plane(colour, np.float32) for colour in colours)
    y, x = np.ogrid[:height, :width]
    kind = rng.choice(("flat", "flat", "bands", "rays", "dots"))
    if kind == "flat":
        return first
    if kind == "bands":
        part = np.round(y / height * 4) / 4
    elif kind == "rays":
        part = np.mod(np.arctan2(y - height * 0.6, x - width * rng.random()) * 7, 1) < 0.5
    else:
        part = (
            np.hypot(np.mod((x + y) / 14, 1) - 0.5, np.mod((x - y) / 14, 1) - 0.5)
            < 0.5 * y / height
        )
    return first + (second - first) * np.asarray(part, np.float32)


def _ink(view: View, code: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Ink of the lines, 0..1 (H, W): thick round objects, thin at folds, overlaps and patterns,
    swelling."""
    outer, inner = np.zeros(code.shape, np.uint8), np.zeros(code.shape, np.uint8)
    material, depth = view.index * 4 + code * (code < 2), np.minimum(view.depth, 1e4)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        apart = np.abs(depth[a] - depth[b]) > np.maximum(
            0.05, 0.025 * np.minimum(depth[a], depth[b])
        )
        fold = dot(view.normal[:, *a], view.normal[:, *b]) < 0.6
        fold &= np.minimum(view.index[a], view.index[b]) >= 0
        outer[a] |= view.group[a] != view.group[b]
        inner[a] |= fold | np.where(
            view.index[a] != view.index[b], apart, material[a] != material[b]
        )
    away = [cv2.distanceTransform(1 - lines, cv2.DIST_L2, 3) for lines in (outer, inner)]
    swell = cv2.resize(
        rng.uniform(0.45, 1.5, (code.shape[0] // 24 + 2, code.shape[1] // 24 + 2)), code.shape[::-1]
    )
    width = style.width * swell
    thick, thin = np.clip(width + 0.5 - away[0], 0, 1), np.clip(width * 0.5 + 0.4 - away[1], 0, 1)
    return np.maximum(np.maximum(thick, thin), 0.55 * (code == 2))
