"""The synthetic world: scenes rendered as photographs and as comics pages, written in the formats of the datasets.

Both renderings show the same kinds of scene, never the same scene, with exact inverse depth (1 / metres, sky 0).
Everything follows from a seed: item number n of a world is the same whatever the number of pages or workers.
"""

import functools
import itertools
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.files import UserError, parallel_map, read_json, write_image, write_json, write_text
from comics_depth.layout import SPLITS, Layout
from comics_depth.orderings import Point, write_ordering
from comics_depth.predictions import preview, write_depth
from comics_depth.scenes import KINDS, Camera, Scene, View, cast, make_scene, nearest

VERSION = 1
WHITE = (255, 255, 255)
FONTS = ("DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans", "STIXGeneralBolIta", "STIXGeneralBol", "cmss10",
         "DejaVuSerif-BoldItalic", "DejaVuSansMono-Bold")  # fmt: skip
SAYINGS = (
    "Look out!", "Did you hear that?", "It is getting late.", "Wait for me!", "Not again...", "Where did it go?",
    "I told you so.", "We should turn back.", "What a view!", "Nobody move.", "Is that yours?", "Closer, please.",
    "They are far away.", "I am right behind you!", "Mind the step.", "Who painted this?", "Hurry up!", "Hm.",
    "Everything looks flat here.", "Let us ask her.", "That bird is huge!", "One more page and we are home.",
    "You first.", "Oh no!", "I left the key inside.", "Yes!", "No way!", "Shh!", "Trust me, it is near.",
)  # fmt: skip
TELLINGS = ("Meanwhile...", "Later that day", "The next morning", "Far from there", "At the same time",
            "Nobody knew yet.", "It began like this.", "One hour before")  # fmt: skip
NOISES = ("BOOM", "CRASH", "WHOOSH", "TOK", "SPLASH", "ZZZ", "BANG", "RRRING", "KRAK", "POW")


@functools.cache
def _noise(power: float) -> np.ndarray:
    """A cloudy texture that tiles, (256, 256), standard deviation 1: white noise with amplitude 1 / frequency^power."""
    white = np.random.default_rng(0).standard_normal((256, 256))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    cloudy = np.fft.ifft2(np.fft.fft2(white) / np.maximum(frequency, 1 / 64) ** power).real
    return ((cloudy - cloudy.mean()) / cloudy.std()).astype(np.float32)


def _sample(u: np.ndarray, v: np.ndarray, power: float = 1.0) -> np.ndarray:
    """The noise at texture coordinates (one unit = one tile)."""
    x, y = u * 256, v * 256
    left, top = np.floor(x), np.floor(y)
    a, b = (x - left).astype(np.float32), (y - top).astype(np.float32)
    left, top, noise = left.astype(np.int64) & 255, top.astype(np.int64) & 255, _noise(power)
    right, bottom = (left + 1) & 255, (top + 1) & 255
    upper = noise[top, left] * (1 - a) + noise[top, right] * a
    return upper * (1 - b) + (noise[bottom, left] * (1 - a) + noise[bottom, right] * a) * b


# Pattern: size of a tile of noise in metres, and the height above which the second colour shows.
BLOTCHES = {"leaf": (1.7, 0.5), "grass": (14, 0.8), "bark": (2, 0.9), "rock": (4, 0.9), "patches": (3, 0.6)}
JOINTS = {"bricks": (0.25, 0.6), "planks": (0.22, 2.6), "tiles": (1.0, 1.0)}  # height and length of a course in metres


def _surface(view: View, scene: Scene, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pattern code (H, W): 1 where the second colour shows, 2 on thin joints; texture coordinates u, v in metres).
    Joints finer than the picture can show are left out."""
    face = np.abs(view.normal).argmax(-1)
    u = np.where(face == 0, view.point[..., 2], view.point[..., 0])
    v = np.where(face == 1, view.point[..., 2], view.point[..., 1])
    code = np.zeros(view.index.shape, np.uint8)
    half = np.array([np.linalg.norm(shape.axes, axis=0) for shape in scene.shapes], np.float32)
    for pattern in sorted({shape.pattern for shape in scene.shapes} - {""}):
        here = np.array([False, *(shape.pattern == pattern for shape in scene.shapes)])[view.index + 1]
        (x, y, z), a, b = view.local[here].T, u[here], v[here]
        if pattern in BLOTCHES:
            scale, limit = BLOTCHES[pattern]
            code[here] = _sample(a / scale, b / scale, 2.5) > limit
        elif pattern in JOINTS:
            high, long = JOINTS[pattern]
            fine = view.depth[here] / camera.scale
            shift = a / long + 0.37 * np.floor(b / high) * (pattern != "tiles")
            joint = np.minimum(np.mod(b, high), np.mod(shift, 1) * long) < np.maximum(0.03, fine)
            code[here] = 2 * (joint & (fine * 9 < high))
        elif pattern == "windows":
            side = np.where(np.abs(x) > 0.999 * half[view.index[here], 0], z, x)
            pane = (np.abs(np.mod(side / 2.4, 1) - 0.5) < 0.22) & (np.abs(np.mod(y / 2.8, 1) - 0.5) < 0.28)
            code[here] = pane & (np.abs(view.normal[here][:, 1]) < 0.7)
        elif pattern == "road":
            code[here] = (np.abs(a) < 0.09) & (np.mod(b, 4) < 2.2)
        elif pattern == "books":
            code[here] = np.where(np.mod(y, 0.38) < 0.06, 0, 1 + (np.mod(np.floor(z / 0.07) * 7.3, 3) > 1.4))
        else:  # stripes round a body (a tube, whose z runs along it), or down a wall or a cloth
            body = half[view.index[here]].max(1) < 0.4
            code[here] = np.mod(np.where(body, z / 0.12, a / 0.4), 1) < 0.5
    return code, u, v


def _colours(scene: Scene) -> np.ndarray:
    """Colours by shape index + 1 and pattern code, float (n, 3, 3) in 0..1; row 0 is the sky."""
    rows = [[(176, 196, 214)] * 3] + [[s.colour, s.second, tuple(0.62 * np.array(s.colour))] for s in scene.shapes]
    return np.array(rows, np.float32) / 255


def _shadow(view: View, scene: Scene, sun: np.ndarray) -> np.ndarray:
    """1 where something stands between a visible point and the sun, soft at the edge (by a shadow map)."""
    sun, right = sun / np.linalg.norm(sun), np.cross((0, 1, 0), sun) / np.hypot(sun[0], sun[2])
    axes = np.stack([right, np.cross(sun, right), -sun])
    near = np.isfinite(view.depth) & (view.depth < 45)
    middle = np.median(view.point[near], 0) if near.any() else scene.position
    reach = float(np.clip(np.abs(view.point[near] - middle).max() if near.any() else 5, 3, 24))
    camera = Camera(middle + sun * 80, axes, 150.0 / reach, 300, 300, parallel=True)
    seen = nearest([shape for shape in scene.shapes if shape.shadow], camera)[0]
    x, y, z = ((view.point - camera.position) @ axes.T).astype(np.float32).transpose(2, 0, 1)
    x, y = (149.5 + sign * c * np.float32(camera.scale) for sign, c in ((1, x), (-1, y)))
    depth = cv2.remap(seen, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1e4)
    return cv2.GaussianBlur((z > depth + 0.12 + 1.5 * reach / 150).astype(np.float32), (0, 0), 1.2)


def _shrink(image: np.ndarray, height: int, width: int) -> np.ndarray:
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _inverse(view: View) -> np.ndarray:
    """Inverse depth of a frame rendered at twice its size."""
    return (1 / view.depth[::2, ::2]).astype(np.float32)


def photograph(kind: str, rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(RGB uint8 (H, W, 3), inverse depth float32 (H, W)) of a scene: light, shadow, texture, haze, lens, noise."""
    scene = make_scene(kind, rng, height, width)
    camera = scene.camera(height * 2, width * 2)
    view = cast(scene.shapes, camera)
    code, u, v = _surface(view, scene, camera)
    image = _colours(scene)[view.index + 1, code]
    fine = np.clip(0.03 / np.maximum(view.depth / camera.scale, 1e-4), 0, 1)  # texture fades where it gets too fine
    rough = np.array([0.0, *[0.4 if s.pattern in ("leaf", "bark", "rock", "grass") else 0.1 for s in scene.shapes]])
    cloudy = 0.5 * _sample(u / 6, v / 6) + fine * 0.5 * _sample(u / 0.7, v / 0.7)
    image = image * (1 + rough[view.index + 1] * cloudy)[..., None]
    angle, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)
    sun = np.array([np.cos(angle) * np.cos(rise), np.sin(rise), np.sin(angle) * np.cos(rise)])
    towards, strength, ambient = sun, rng.uniform(0.6, 1.0), np.array((0.42, 0.45, 0.5))
    if scene.lamp is not None:
        sun, ambient = np.array((0.08, 0.99, 0.12)), np.array((0.5, 0.47, 0.43))
        towards = scene.lamp - view.point
        distance = np.linalg.norm(towards, axis=-1)
        towards, strength = towards / distance[..., None], 1.3 / (1 + (distance / 3.5) ** 2)
    lit = np.clip((view.normal * towards).sum(-1), 0, 1) * strength
    lit *= 1 - (0.85 if scene.lamp is None else 0.55) * _shadow(view, scene, sun)
    image = image * (ambient * (0.7 + 0.3 * view.normal[..., 1:2]) + lit[..., None] * np.array((1.0, 0.95, 0.86)))
    near = np.minimum(1 / view.depth, 3).astype(np.float32)
    closer = np.clip(cv2.GaussianBlur(near, (0, 0), width / 30) / (near + 0.1) - 1, 0, 2)
    image *= 1 - (0.9 * closer * np.exp(-4 * closer))[..., None]  # corners get less light, not what stands far behind
    sky = view.index < 0
    clouds = _sample(view.point[..., 0] / 3e4 + rng.random(), view.point[..., 1] / 1e4)
    up = (np.linspace(1, 0, height * 2)[:, None] + 0.25 * clouds)[..., None]
    haze = np.array((0.78, 0.81, 0.84)) * rng.uniform(0.85, 1.05)
    image = np.where(sky[..., None], haze + (np.array((0.45, 0.6, 0.82)) - haze) * np.clip(up, 0, 1), image)
    if scene.haze:
        thick = 1 - np.exp(-np.where(sky, 0, view.depth) / (scene.haze * rng.uniform(0.6, 1.6)))
        image += (haze - image) * thick[..., None]
    image = _shrink(image.astype(np.float32), height, width)
    inverse = _inverse(view)
    focus = np.quantile(inverse, rng.uniform(0.5, 0.9))
    unsharp = np.clip(np.abs(inverse - focus) / (focus + 0.1) - 0.15, 0, 1)[..., None]  # blur grows away from the focus
    unsharp = cv2.GaussianBlur(unsharp, (0, 0), 1.5)[..., None]
    image = cv2.GaussianBlur(image, (0, 0), 0.45)
    image = image + (cv2.GaussianBlur(image, (0, 0), rng.uniform(1.0, 2.0)) - image) * unsharp
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    image *= (1 - rng.uniform(0.1, 0.35) * (x * x + y * y) / 2)[..., None] * rng.normal(1, 0.03, 3)
    image = np.clip(image / image.mean() * rng.uniform(0.36, 0.5), 0, None)  # exposure
    image = np.where(image > 0.7, 1 - 0.3 * np.exp((0.7 - image) / 0.3), image)
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0.7, 1.0) + rng.normal(0, rng.uniform(0.008, 0.025), image.shape)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), inverse


class Style(NamedTuple):
    """How one page is drawn: names of palette, shading and balloon, widths and sizes in pixels, colours RGB."""

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
    numbers = rng.random(), rng.uniform(0.9, 2.3), rng.random() < 0.3, rng.integers(11, 15), rng.integers(1, 4)
    return Style(*picked, *(number.item() if isinstance(number, np.generic) else number for number in numbers))


def _recolour(colours: np.ndarray, style: Style) -> np.ndarray:
    """The palette of a page laid over natural colours, float RGB (..., 3) in 0..1: hue, saturation and value pushed."""
    hsv = cv2.cvtColor(np.ascontiguousarray(colours.reshape(1, -1, 3)), cv2.COLOR_RGB2HSV)[0]
    h, s, v = hsv[:, 0] / 360, hsv[:, 1], hsv[:, 2]
    if style.palette in ("bright", "wild"):
        h = h + (style.hue if style.palette == "wild" else 0.03 * np.sin(2 * np.pi * style.hue))
        s, v = np.clip(s * 1.7 + 0.12, 0, 1), np.clip(v * 1.25 + 0.08, 0, 1)
    elif style.palette == "two hues":
        h = np.where(v > 0.5, style.hue, style.hue + 0.45)
        s, v = np.clip(0.35 + 0.5 * s, 0, 1), np.clip(v * 1.3 + 0.05, 0, 1)
    elif style.palette == "night":
        h, s, v = 0.6 + 0.15 * (h - 0.5), np.clip(0.4 + s * 0.6, 0, 1), np.clip(v * 0.8 + 0.18, 0, 1)
    elif style.palette == "pastel":
        s, v = np.clip(s * 0.8 + 0.08, 0, 0.55), np.clip(0.55 + v * 0.5, 0, 1)
    else:
        s, v = s * 0, np.clip(v * 1.6 - 0.15, 0, 1)
    v = np.round(v * 6) / 6
    hsv = np.stack([np.mod(h, 1) * 360, s, v], -1).astype(np.float32)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].reshape(colours.shape)


def _tone(kind: str, height: int, width: int, period: float) -> np.ndarray:
    """Where a hatching or a halftone puts ink in a full tone, bool (H, W)."""
    y, x = np.mgrid[:height, :width] / period
    if kind == "dots":
        return np.hypot(np.mod(x + y, 1) - 0.5, np.mod(x - y, 1) - 0.5) < 0.33
    lines = np.mod(x + y, 1) < 0.24
    return lines | (np.mod(x - y * 0.8, 1) < 0.24) if kind == "cross" else lines


class Frame(NamedTuple):
    """A drawn frame: RGB uint8, inverse depth, object of every pixel, the scene and its camera (at this size)."""

    image: np.ndarray
    inverse_depth: np.ndarray
    group: np.ndarray
    scene: Scene
    camera: Camera


def comics_frame(kind: str, rng: np.random.Generator, height: int, width: int, style: Style) -> Frame:
    """Draws a scene in flat or hatched colour with ink lines. The hand wobbles, and the depth with it."""
    scene = make_scene(kind, rng, height, width, drawn=True)
    camera = scene.camera(height * 2, width * 2)
    coarse = rng.normal(0, 0.9, (height // 14 + 2, width // 14 + 2, 2))
    wobble = cv2.resize(coarse, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC)
    view = cast(scene.shapes, camera, wobble)
    code, _, _ = _surface(view, scene, camera)
    table = _recolour(_colours(scene), style)
    if rng.random() < {"bright": 0.5, "wild": 1.0}.get(style.palette, 0.0):  # an object may have any colour
        for group in range(1, len(scene.names)):
            if scene.names[group] not in ("person", "head", "hand") and rng.random() < 0.35:
                rows = [n + 1 for n, shape in enumerate(scene.shapes) if shape.group == group]
                table[rows] = np.roll(table[rows], int(rng.integers(1, 3)), -1)
    flat = table[view.index + 1, code]
    towards = rng.normal(0, 1, 3) + (0, 0.8, -0.3)
    facing = view.normal @ (towards / np.linalg.norm(towards)).astype(np.float32)
    dark = (facing < rng.uniform(-0.25, 0.1)) & (view.index >= 0)
    if style.shadow:
        dark |= _shadow(view, scene, np.array((0.45, 0.8, -0.4))) > 0.5
    tone = np.zeros(dark.shape, bool)
    if style.shade == "flat":
        flat = np.where(dark[..., None], flat * np.float32((0.66, 0.6, 0.74)), flat)
    elif style.shade == "black":
        tone = dark & (facing < -0.65)
    elif style.shade != "none":
        tone = dark & _tone(style.shade, *dark.shape, rng.uniform(8, 12))
    if rng.random() < 0.35:  # the background in one colour, often a warm one
        far = view.depth > np.quantile(np.minimum(view.depth, 1e4), rng.uniform(0.45, 0.7))
        one = _recolour(np.array([[0.85, 0.6, 0.3]], np.float32), style)[0]
        flat = np.where(far[..., None], 0.3 * flat + 0.7 * one * (0.7 + 0.3 * flat.mean(-1, keepdims=True)), flat)
    flat = np.where((view.index < 0)[..., None], _drawn_sky(rng, style, *dark.shape), flat)
    flat = np.where(tone[..., None], np.float32(style.ink) / 255, flat)
    ink = _ink(view, code, style, rng)[..., None].astype(np.float32)
    image = flat * (1 - ink) + np.float32(style.ink) / 255 * ink
    image = _shrink(image.astype(np.float32), height, width)
    image = np.clip(image * 255 + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
    return Frame(image, _inverse(view), view.group[::2, ::2], scene, scene.camera(height, width))


def _drawn_sky(rng: np.random.Generator, style: Style, height: int, width: int) -> np.ndarray:
    """Flat, banded, rayed or dotted, in any colour: (H, W, 3) in 0..1."""
    colours = ((0.55, 0.75, 0.95), (0.95, 0.75, 0.4), (0.12, 0.13, 0.3), (0.95, 0.95, 0.9), (0.9, 0.4, 0.35))
    first, second = _recolour(np.array(colours, np.float32), style)[rng.permutation(5)[:2]]
    y, x = np.mgrid[:height, :width]
    kind = rng.choice(("flat", "flat", "bands", "rays", "dots"))
    if kind == "flat":
        return np.broadcast_to(first, (height, width, 3))
    if kind == "bands":
        part = np.round(y / height * 4) / 4
    elif kind == "rays":
        part = np.mod(np.arctan2(y - height * 0.6, x - width * rng.random()) * 7, 1) < 0.5
    else:
        part = np.hypot(np.mod((x + y) / 14, 1) - 0.5, np.mod((x - y) / 14, 1) - 0.5) < 0.5 * y / height
    return first + (second - first) * np.asarray(part, np.float32)[..., None]


def _ink(view: View, code: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Ink of the lines, 0..1 (H, W): thick round objects, thin at folds, overlaps and patterns, swelling."""
    outer, inner = np.zeros(code.shape, np.uint8), np.zeros(code.shape, np.uint8)
    material = view.index.astype(np.int32) * 4 + code * (code < 2)
    depth = np.minimum(view.depth, 1e4)
    all_, first, second = slice(None), slice(None, -1), slice(1, None)
    for a, b in (((all_, second), (all_, first)), ((second,), (first,))):
        apart = np.abs(depth[a] - depth[b]) > np.maximum(0.05, 0.025 * np.minimum(depth[a], depth[b]))
        other_shape = view.index[a] != view.index[b]
        turned = np.einsum("hwc,hwc->hw", view.normal[a], view.normal[b]) < 0.6
        fold = turned & (view.index[a] >= 0) & (view.index[b] >= 0)
        outer[a] |= view.group[a] != view.group[b]
        inner[a] |= (other_shape & (apart | fold)) | (material[a] != material[b]) & ~other_shape | (fold & ~other_shape)
    away = [cv2.distanceTransform(1 - lines, cv2.DIST_L2, 3) for lines in (outer, inner)]
    swell = cv2.resize(rng.uniform(0.45, 1.5, (code.shape[0] // 24 + 2, code.shape[1] // 24 + 2)), code.shape[::-1])
    width = style.width * swell
    thick = np.clip(width + 0.5 - away[0], 0, 1)
    thin = np.clip(width * 0.5 + 0.4 - away[1], 0, 1)
    return np.maximum(np.maximum(thick, thin), 0.55 * (code == 2))


# Lettering ------------------------------------------------------------------------------------------------------
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def _wrap(words: list[str], font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        if font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _outline(kind: str, width: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """A balloon's contour round the origin that holds a text of this size, (N, 2)."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    power = {"oval": 2.4, "rounded": 5.0, "square": 40.0, "caption": 80.0}.get(kind, 2.6)
    grow = 2 ** (1 / power)  # the corner of the text lies on the curve
    radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power) * grow
    if kind == "cloud":
        radius *= 1.06 + 0.09 * np.abs(np.sin(angle * rng.integers(4, 7)))
    elif kind == "shout":
        radius *= 1.1 + 0.28 * (np.mod(np.arange(96), 8) == 0) * rng.uniform(0.6, 1.3, 96)
        angle, radius = angle[::4], radius[::4]
    elif kind == "wobbly":
        radius *= 1.06 + 0.04 * np.sin(angle * 3 + rng.uniform(0, 6)) + 0.02 * np.sin(angle * 7)
    return np.stack([np.cos(angle) * radius * (width / 2 + 5), np.sin(angle) * radius * (height / 2 + 4)], -1)


def _corners(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


class Lettering:
    """Balloons, captions and sound effects on a page: draws them, keeps the mask and the polygons by SVG class."""

    def __init__(self, page: np.ndarray, style: Style, rng: np.random.Generator) -> None:
        self.image, self.style, self.rng = page, style, rng
        self.mask = np.zeros(page.shape[:2], np.uint8)
        self.polygons: dict[str, list[np.ndarray]] = {"Balloon": [], "Line": [], "TextArea": []}

    def _record(self, name: str, polygon: np.ndarray) -> None:
        self.polygons[name].append(polygon)
        cv2.fillPoly(self.mask, [np.round(polygon).astype(np.int32)], 255)

    def _write(self, lines: list[str], centre: np.ndarray, font: ImageFont.FreeTypeFont, ink: tuple) -> None:
        canvas, step = Image.fromarray(self.image), font.size * 1.2
        draw, boxes = ImageDraw.Draw(canvas), []
        for n, line in enumerate(lines):
            place = (float(centre[0]), round(float(centre[1] + step * (n - (len(lines) - 1) / 2))))
            draw.text(place, line, font=font, fill=ink, anchor="mm")
            boxes.append(np.array(draw.textbbox(place, line, font=font, anchor="mm")) + (-1, -1, 1, 1))
        self.image[:] = np.asarray(canvas)
        for box in boxes:
            self._record("Line", _corners(*box))
        self._record("TextArea", _corners(*np.min(boxes, 0)[:2], *np.max(boxes, 0)[2:]))

    def _draw(self, polygon: np.ndarray, fill: tuple) -> None:
        fixed = np.round(polygon * 16).astype(np.int32)
        cv2.fillPoly(self.image, [fixed], fill, cv2.LINE_AA, 4)
        cv2.polylines(self.image, [fixed], True, self.style.ink, max(1, round(self.style.width)), cv2.LINE_AA, 4)
        self._record("Balloon", polygon)

    def _hits(self, polygon: np.ndarray) -> bool:
        """Whether other lettering lies there."""
        shape = cv2.fillPoly(np.zeros_like(self.mask), [np.round(polygon).astype(np.int32)], 255)
        return bool((shape & self.mask).any())

    def balloon(self, kind: str, text: str, box: tuple, avoid: np.ndarray, mouth: np.ndarray | None) -> None:
        """Places a balloon in the frame `box` where it hides least of `avoid` (page-sized, 0..1)."""
        rng, style = self.rng, self.style
        x1, y1, x2, y2 = box
        font = _font(style.font, style.letters + (3 if kind == "shout" else 0))
        words = (text if style.font.startswith("cm") else text.upper()).split()
        lines = _wrap(words, font, min(0.5 * (x2 - x1), 60 + 3.2 * len(text)))
        contour = _outline(kind, max(map(font.getlength, lines)), len(lines) * font.size * 1.2, rng)
        half = np.abs(contour).max(0)
        room = np.array((x2 - x1, y2 - y1)) - 2 * half
        if room[0] < 8 or room[1] < 0.4 * (y2 - y1):
            return
        best, place = 0.4, None
        for _ in range(24):
            share = rng.random(2) * (1, 0.7 * rng.random())  # rather high in the frame
            spot = (x1, y1) + half + 1 + room * (share if kind != "caption" else (0.02, rng.choice((0.02, 0.94))))
            left, top, right, bottom = np.maximum([*(spot - half), *(spot + half)], 4).astype(int)
            cost = (
                avoid[top:bottom, left:right].mean() + 9 * self.mask[top - 4 : bottom + 4, left - 4 : right + 4].any()
            )
            if cost < best:
                best, place = cost, spot
        if place is None:
            return
        fill, ink = WHITE, style.ink
        if kind == "caption":
            fill = (WHITE, (255, 240, 170), (190, 220, 240), (30, 28, 34))[int(rng.integers(4))]
            ink = (240, 240, 240) if sum(fill) < 200 else ink
        whole = contour + place if mouth is None else self._with_tail(contour + place, kind == "cloud", place, mouth)
        self._draw(contour + place if self._hits(whole) else whole, fill)
        self._write(lines, place, font, ink)

    def _with_tail(self, contour: np.ndarray, thought: bool, place: np.ndarray, mouth: np.ndarray) -> np.ndarray:
        """The contour with a pointed tail towards the mouth; a thought gets bubbles instead."""
        way, radius = mouth - place, np.linalg.norm(contour - place, axis=1)
        length = float(np.linalg.norm(way))
        turn = int(np.argmax((contour - place) @ way / radius))
        gap = length - radius[turn]
        if gap < 6:
            return contour
        if thought:
            for away, size in ((8, 5), (20, 3.5)):
                bubble = place + way / length * (radius[turn] + away) + size * _outline("round", -8, -6, self.rng)
                if away < gap and not self._hits(bubble):
                    self._draw(bubble, WHITE)
            return contour
        tip = mouth - way / length * max(gap - 45, min(8, gap / 2))
        middle, foot = len(contour) // 2, 3 if len(contour) > 50 else 1
        contour = np.roll(contour, middle - turn, 0)
        return np.concatenate([contour[: middle - foot + 1], tip[None], contour[middle + foot :]])

    def noise(self, text: str, box: tuple) -> None:
        """A sound effect: large letters, turned, with a coloured face and an ink edge."""
        x1, y1, x2, y2 = box
        rng, edge = self.rng, max(2, round(self.style.width * 1.3))
        size = int(rng.uniform(0.14, 0.24) * (x2 - x1))
        font = _font("DejaVuSans-BoldOblique", size)
        sheet = Image.new("L", (size * len(text) + 40, size * 2 + 20))
        middle = (sheet.width // 2, sheet.height // 2)
        ImageDraw.Draw(sheet).text(middle, text, 255, font, "mm", stroke_width=edge)
        outer = np.asarray(sheet.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True))
        rows, columns = np.nonzero(outer > 127)
        outer = outer[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2]
        height, width = outer.shape
        if width > x2 - x1 - 8 or height > (y2 - y1) * 0.5:
            return
        x, y = int(rng.integers(x1 + 3, x2 - width - 2)), int(rng.integers(y1 + 3, y2 - height - 2))
        if self.mask[y : y + height, x : x + width].any():
            return
        face = cv2.erode(outer, np.ones((3, 3)), iterations=edge)[..., None] / 255
        colour = np.array(((255, 214, 30), (240, 60, 40), (255, 255, 255), (90, 210, 240))[int(rng.integers(4))])
        part, solid = self.image[y : y + height, x : x + width], outer[..., None] / 255
        part[:] = part * (1 - solid) + (np.array(self.style.ink) * (1 - face) + colour * face) * solid
        for contour in cv2.findContours((outer > 100).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
            if len(contour) > 2:
                self._record("Line", contour[:, 0] + (x, y))


# Pages ----------------------------------------------------------------------------------------------------------
def _layout(rng: np.random.Generator, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Boxes of 2 to 6 frames: rows, some of them with one wide frame, sometimes a tall frame beside two short ones."""
    margin, gutter = int(rng.integers(14, 26)), int(rng.integers(6, 14))
    rows = ((1, 2), (2, 2), (2, 1, 2), (1, 2, 2), (2, 2, 1), (1, 1, 2), (2, 2, 2), (3, 2), (1, 3, 1))
    counts = rows[int(rng.integers(len(rows)))]
    shares = rng.uniform(0.8, 1.25, len(counts))
    edges = margin + np.concatenate([[0], np.cumsum(shares / shares.sum())]) * (height - 2 * margin + gutter)
    boxes = []
    for count, top, bottom in zip(counts, edges[:-1], edges[1:] - gutter, strict=True):
        parts = rng.uniform(0.75, 1.3, count)
        across = margin + np.concatenate([[0], np.cumsum(parts / parts.sum())]) * (width - 2 * margin + gutter)
        for n, (left, right) in enumerate(zip(across[:-1], across[1:] - gutter, strict=True)):
            if n == 1 and count == 2 and len(counts) == 2 and rng.random() < 0.5:  # the second one is split
                middle = (top + bottom) / 2
                boxes += [(left, top, right, middle - gutter / 2), (left, middle + gutter / 2, right, bottom)]
            else:
                boxes.append((left, top, right, bottom))
    return [tuple(round(float(v)) for v in box) for box in boxes]


class Page(NamedTuple):
    """A comics page: RGB, frame boxes (x2, y2 exclusive), inverse depth and ordering of each frame, exact text mask,
    lettering polygons by SVG class, and boxes of characters."""

    image: np.ndarray
    boxes: list[tuple[int, int, int, int]]
    depths: list[np.ndarray]
    orderings: list[list[Point]]
    text_mask: np.ndarray
    polygons: dict[str, list[np.ndarray]]


def comics_page(seed: int, number: int) -> Page:
    """Page `number` of the world `seed`."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 1, number))
    style, height, width = draw_style(rng), int(rng.integers(720, 830)), int(rng.integers(520, 600))
    image = np.full((height, width, 3), style.paper, np.uint8)
    boxes, frames = _layout(rng, height, width), []
    kinds = np.random.default_rng((seed, 2)).permutation(list(KINDS))
    lettering = Lettering(image, style, rng)
    characters = []
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        frame = comics_frame(str(kinds[(number * 5 + n) % len(kinds)]), rng, y2 - y1, x2 - x1, style)
        frames.append(frame)
        image[y1:y2, x1:x2] = frame.image
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), style.ink, style.border)
    for frame, box in zip(frames, boxes, strict=True):
        characters += _letter_frame(lettering, frame, box, rng)
    orderings = []
    for n, (frame, (x1, y1, x2, y2)) in enumerate(zip(frames, boxes, strict=True)):
        own = np.random.default_rng((seed, 3, number, n))
        orderings.append(order_points(frame.inverse_depth, frame.group, lettering.mask[y1:y2, x1:x2], own))
    polygons = {"Panel": [_corners(*box) for box in boxes], **lettering.polygons, "Character": characters}
    polygons = {name: [np.clip(p, 0, (width - 1, height - 1)) for p in group] for name, group in polygons.items()}
    return Page(image, boxes, [f.inverse_depth for f in frames], orderings, lettering.mask > 0, polygons)


def _letter_frame(lettering: Lettering, frame: Frame, box: tuple, rng: np.random.Generator) -> list[np.ndarray]:
    """Puts lettering into a frame; returns the boxes of the characters in it as polygons on the page."""
    x1, y1, x2, y2 = box
    avoid = np.zeros(lettering.mask.shape, np.float32)
    people = np.isin(frame.group, [n for n, name in enumerate(frame.scene.names) if name in ("person", "head")])
    avoid[y1:y2, x1:x2] = 0.25 * people + 0.05
    speakers, characters = [], []
    for group, centre, radius in frame.scene.heads:
        pixels, depth = frame.camera.project(centre[None])
        x, y = pixels[0]
        r = radius * frame.camera.scale / max(depth[0], 0.1)
        inside = depth[0] > 0.3 and r > 3 and 0 <= x < x2 - x1 and 0 <= y < y2 - y1
        if not inside or frame.group[int(y), int(x)] != group:
            continue
        rows, columns = np.nonzero(frame.group == group)
        characters.append(_corners(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) + (x1, y1))
        cv2.circle(avoid, (int(x + x1), int(y + y1)), int(r * 1.3) + 2, 1.0, -1)
        speakers.append((r, np.array((x + x1, y + y1 - r * 0.2))))
    if rng.random() < 0.3:
        lettering.balloon("caption", str(rng.choice(TELLINGS)), box, avoid, None)
    speakers.sort(key=lambda item: -item[0])
    for _, mouth in speakers[: int(rng.integers(1, 4))] if rng.random() < 0.85 else []:
        kind = str(rng.choice((lettering.style.balloon,) * 4 + ("cloud", "shout")))
        words = " ".join(rng.choice(SAYINGS, int(rng.integers(1, 3)), replace=False))
        lettering.balloon(kind, words, box, avoid, mouth)
    if rng.random() < 0.18:
        lettering.noise(str(rng.choice(NOISES)), box)
    return characters


def order_points(inverse: np.ndarray, group: np.ndarray, text: np.ndarray, rng: np.random.Generator) -> list[Point]:
    """Up to ten points on clearly visible places, off the text, whose order is certain: the nearness ranges of two
    objects are a factor apart, and so are points inside an object. Level 1 is the nearest."""
    free = cv2.erode((text == 0).astype(np.uint8), np.ones((9, 9)))
    free[:5], free[-5:], free[:, :5], free[:, -5:] = 0, 0, 0, 0
    seen, area = np.unique(group, return_counts=True)
    order = seen[np.argsort(-np.log(area) - 1.5 * rng.gumbel(size=len(seen)))]  # larger ones are likelier to come first
    chosen: dict[int, list[tuple[float, int, int]]] = {}
    for factor, number in itertools.product((1.18, 1.08), order):
        taken = sum(map(len, chosen.values()))
        if taken >= (9 if factor > 1.1 else 6) or number in chosen:
            continue
        rows, columns = np.nonzero(cv2.erode(((group == number) & (free > 0)).astype(np.uint8), np.ones((7, 7))))
        for _ in range(12 if len(rows) > 11 else 0):
            count = 1 if rng.random() < 0.45 or number == 0 else int(rng.integers(2, 4))
            take = (len(rows) * rng.random(count) ** 0.36).astype(int)  # rather low on the object, where it stands
            points = sorted(((inverse[rows[n], columns[n]], int(columns[n]), int(rows[n])) for n in take), reverse=True)
            apart = all(a[0] > 1.12 * b[0] for a, b in itertools.pairwise(points))
            for others in chosen.values():
                apart &= points[-1][0] > factor * others[0][0] or others[-1][0] > factor * points[0][0]
            if apart and taken + count <= 10:
                chosen[number] = points
                break
    objects = enumerate(sorted(chosen.values(), reverse=True), 1)
    return [Point(level, n, x, y) for level, points in objects for n, (_, x, y) in enumerate(points, 1)]


# Files ----------------------------------------------------------------------------------------------------------
def _svg(name: str, page: Page) -> str:
    """eBDtheque's nested SVG of a page."""
    height, width = page.image.shape[:2]
    size = f'width="{width}" height="{height}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    lines = ['<?xml version="1.0" encoding="UTF-8" standalone="no"?>', f'<svg {spaces} version="1.1" {size}>']
    lines += [f"  <title>{name}</title>", '  <svg class="Page">']
    lines += [f'    <image x="0" y="0" {size} xlink:href="../Pages/{name}.jpg"/>', "  </svg>"]
    for group, polygons in page.polygons.items():
        lines.append(f'  <svg class="{group}">')
        for n, polygon in enumerate(polygons, 1):
            points = " ".join(f"{x:g},{y:g}" for x, y in np.round(np.concatenate([polygon, polygon[:1]])).astype(int))
            lines.append(f'    <polygon id="{name}_{group.lower()}{n}" points="{points}"/>')
        lines.append("  </svg>")
    return "\n".join([*lines, "</svg>", ""])


def _write_page(job: tuple[Layout, int, int, str, str]) -> int:
    layout, seed, number, name, split = job
    page = comics_page(seed, number)
    write_image(layout.dcm_images / f"{name}.jpg", page.image, quality=92)
    if number % 2 == 0:
        write_image(layout.ebdtheque / "Pages" / f"{name}.jpg", page.image, quality=92)
        write_text(layout.ebdtheque / "GT" / f"{name}.svg", _svg(name, page))
    lines = [f"8 {x1} {y1} {x2} {y2}" for x1, y1, x2, y2 in page.boxes]
    lines += [f"1 {p[0, 0]} {p[0, 1]} {p[2, 0]} {p[2, 1]}" for p in page.polygons["Character"]]
    write_text(layout.dcm_boxes / f"{name}.txt", "\n".join(lines) + "\n")
    for k, (depth, points) in enumerate(zip(page.depths, page.orderings, strict=True), start=1):
        write_depth(layout.frame_truth / f"{name}_{k}.png", depth)
        if split != "train":
            write_ordering(layout.ordering(f"{name}_{k}"), points)
    return len(page.boxes)


def world_photograph(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Photograph `number` of the world `seed`: RGB and inverse depth, about 256 x 192 pixels, lying or standing."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 0, number))
    size = (192, int(rng.integers(240, 280)))
    return photograph(list(KINDS)[number % len(KINDS)], rng, *(size if rng.random() < 0.75 else size[::-1]))


def _write_photograph(job: tuple[Layout, int, int]) -> None:
    layout, seed, number = job
    image, depth = world_photograph(seed, number)
    write_image(layout.photographs / f"{number + 1:012d}.jpg", image, quality=93)
    write_depth(layout.photograph_truth / f"{number + 1:012d}.png", depth)


def write_world(layout: Layout, *, pages: int, photographs: int, seed: int = 0, workers: int | None = None,
                restart: bool = False) -> None:  # fmt: skip
    """Writes a world into the dataset folders of `layout`: pages with boxes and lists, every other page also for
    eBDtheque, photographs, exact depths, and orderings of the validation and test frames. `world.json` is written last;
    a finished world is left as it is. Raises UserError if another world, or real data, lies there."""
    truth = layout.photograph_truth.parent
    done, begun = truth / "world.json", truth / "unfinished.json"
    wanted = {"version": VERSION, "seed": seed, "pages": pages, "photographs": photographs}
    ours = (layout.dcm, layout.ebdtheque, layout.photographs, truth, layout.cropped, layout.text_frames, layout.no_text,
            layout.no_text_checked, layout.photograph_depth)  # fmt: skip
    found = next((read_json(path) for path in (done, begun) if path.exists()), None)
    if found is None:
        real = [path for path in ours[:3] if path.exists() and any(path.iterdir())]
        if real:
            raise UserError(f"{real[0]} holds data that is not of the synthetic world; give --data-root another folder")
    elif restart:
        for path in ours:
            shutil.rmtree(path, ignore_errors=True)
        found = None
    elif {key: found.get(key) for key in wanted} != wanted:
        raise UserError(f"{layout.data_root} holds the world {found}, asked for was {wanted}; "
                        "say --restart to replace it, or give --data-root another folder")  # fmt: skip
    if found and done.exists():
        print(f"{layout.data_root}: the synthetic world is there already ({pages} pages, {photographs} photographs)")
        return
    write_json(begun, wanted)
    names = [f"world_{n + 1:03d}" for n in range(pages)]
    held = max(1, round(0.2 * pages)) if pages > 2 else 0
    split_of = ["train"] * (pages - 2 * held) + ["validation"] * held + ["test"] * held
    jobs = [(layout, seed, n, names[n], split_of[n]) for n in range(pages)]
    frames = parallel_map(_write_page, jobs, "comics pages", workers)
    for split in SPLITS:
        write_text(layout.dcm_pages(split), "".join(f"{names[n]}\n" for n in range(pages) if split_of[n] == split))
    parallel_map(_write_photograph, [(layout, seed, n) for n in range(photographs)], "photographs", workers)
    write_json(begun, {**wanted, "frames": sum(frames)})
    os.replace(begun, done)


def contact_sheet(seed: int, rendering: str, kinds: tuple[str, ...] = tuple(KINDS), rows: int = 1) -> np.ndarray:
    """RGB uint8: a column for each kind of scene, `rows` times a "photograph" or "comics" above its inverse depth."""
    columns = []
    for n, kind in enumerate(kinds):
        cells: list[np.ndarray] = []
        for row in range(rows):
            rng = np.random.default_rng((seed, 4, n, row))
            if rendering == "photograph":
                cells += photograph(kind, rng, 150, 180)
            else:
                cells += comics_frame(kind, rng, 150, 180, draw_style(rng))[:2]
            cells[-1] = preview(cells[-1])
        columns.append(np.concatenate([np.pad(cell, ((0, 4), (0, 4), (0, 0)), constant_values=255) for cell in cells]))
    return np.concatenate(columns, 1)
