"""The synthetic world: scenes rendered as photographs and as comics pages, written in the formats of the datasets.

Both renderings show the same kinds of scene, never the same scene, with exact inverse depth (1 / metres, sky 0).
Everything follows from a seed: item number n of a world is the same whatever the number of pages or workers.
"""

import functools
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.files import UserError, parallel_map, read_json, write_image, write_json, write_text
from comics_depth.layout import SPLITS, Layout
from comics_depth.orderings import Point, write_ordering
from comics_depth.predictions import write_depth
from comics_depth.scenes import KINDS, Camera, Scene, View, cast, dot, largest, make_scene, nearest

VERSION = 1
WHITE = (255, 255, 255)
# fmt: off
FONTS = ("DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans", "STIXGeneralBolIta", "STIXGeneralBol", "cmss10",
         "DejaVuSerif-BoldItalic", "DejaVuSansMono-Bold")
SAYINGS = (
    "Look out!", "Did you hear that?", "It is getting late.", "Wait for me!", "Not again...", "Where did it go?",
    "I told you so.", "We should turn back.", "What a view!", "Nobody move.", "Is that yours?", "Closer, please.",
    "They are far away.", "I am right behind you!", "Mind the step.", "Who painted this?", "Hurry up!", "Hm.",
    "Everything looks flat here.", "Let us ask her.", "That bird is huge!", "One more page and we are home.",
    "You first.", "Oh no!", "I left the key inside.", "Yes!", "No way!", "Shh!", "Trust me, it is near.")
TELLINGS = ("Meanwhile...", "Later that day", "The next morning", "Far from there", "At the same time",
            "Nobody knew yet.", "It began like this.", "One hour before")
NOISES = ("BOOM", "CRASH", "WHOOSH", "TOK", "SPLASH", "ZZZ", "BANG", "RRRING", "KRAK", "POW")
PALETTES = {  # gain, offset and limit of saturation and of value
    "bright": ((1.7, 0.12, 1), (1.25, 0.08, 1)), "wild": ((1.7, 0.12, 1), (1.25, 0.08, 1)),
    "two hues": ((0.5, 0.35, 1), (1.3, 0.05, 1)), "night": ((0.6, 0.4, 1), (0.8, 0.18, 1)),
    "pastel": ((0.8, 0.08, 0.55), (0.5, 0.55, 1)), "grey": ((0, 0, 0), (1.6, -0.15, 1))}
# fmt: on
# Pattern: size of a tile of noise in metres, and the height above which the second colour shows.
BLOTCHES = {"leaf": (1.7, 0.5), "grass": (14, 0.8), "bark": (2, 0.9), "rock": (4, 0.9), "patches": (3, 0.6)}
JOINTS = {"bricks": (0.25, 0.6), "planks": (0.22, 2.6), "tiles": (1.0, 1.0)}  # height and length of a course in metres


@functools.cache
def _noise(power: float) -> np.ndarray:
    """A cloudy texture that tiles, 256 x 256 in a row, standard deviation 1: noise with amplitude frequency^-power."""
    white = np.random.default_rng(0).standard_normal((256, 256))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    cloudy = np.fft.ifft2(np.fft.fft2(white) / np.maximum(frequency, 1 / 64) ** power).real
    return ((cloudy - cloudy.mean()) / cloudy.std()).astype(np.float32).ravel()


def _sample(u: np.ndarray, v: np.ndarray, power: float = 1.0) -> np.ndarray:
    """The noise at texture coordinates (one unit = one tile)."""
    x, y = u * 256, v * 256
    left, top = np.floor(x), np.floor(y)
    a, b = x - left, y - top
    left, top = left.astype(np.int64) & 255, (top.astype(np.int64) & 255) << 8
    right, bottom = (left + 1) & 255, (top + 256) & 0xFFFF
    noise = _noise(power)
    upper = noise.take(top + left) * (1 - a) + noise.take(top + right) * a
    return upper * (1 - b) + (noise.take(bottom + left) * (1 - a) + noise.take(bottom + right) * a) * b


def _surface(view: View, scene: Scene, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pattern code (H, W): 1 where the second colour shows, 2 on thin joints; texture coordinates u, v in metres).
    Joints finer than the picture can show are left out."""
    face = largest(np.abs(view.normal))
    u, v = np.where(face == 0, view.point[2], view.point[0]), np.where(face == 1, view.point[2], view.point[1])
    code = np.zeros(view.index.size, np.uint8)
    patterns = np.array(["", *(shape.paint.pattern for shape in scene.shapes)])
    half = np.array([np.linalg.norm(shape.axes, axis=0) for shape in scene.shapes], np.float32).T
    for pattern in sorted({*patterns} - {""}):
        here = np.flatnonzero((patterns == pattern).take(view.index + 1))
        a, b, shape, depth = (plane.take(here) for plane in (u, v, view.index, view.depth))
        x, y, z = view.local.reshape(3, -1).take(here, 1) * half.take(shape, 1)
        if pattern in BLOTCHES:
            scale, limit = BLOTCHES[pattern]
            code[here] = _sample(a / scale, b / scale, 2.5) > limit
        elif pattern in JOINTS:
            high, long = JOINTS[pattern]
            fine = depth / camera.scale
            shift = a / long + 0.37 * np.floor(b / high) * (pattern != "tiles")
            joint = np.minimum(np.mod(b, high), np.mod(shift, 1) * long) < np.maximum(0.03, fine)
            code[here] = 2 * (joint & (fine * 9 < high))
        elif pattern == "windows":
            side = np.where(np.abs(x) > 0.999 * half[0].take(shape), z, x)
            pane = (np.abs(np.mod(side / 2.4, 1) - 0.5) < 0.22) & (np.abs(np.mod(y / 2.8, 1) - 0.5) < 0.28)
            code[here] = pane & (np.abs(view.normal[1].take(here)) < 0.7)
        elif pattern == "road":
            code[here] = (np.abs(a) < 0.09) & (np.mod(b, 4) < 2.2)
        elif pattern == "books":
            code[here] = np.where(np.mod(y, 0.38) < 0.06, 0, 1 + (np.mod(np.floor(z / 0.07) * 7.3, 3) > 1.4))
        else:  # stripes round a body (a tube, whose z runs along it), or down a wall or a cloth
            code[here] = np.mod(np.where(half.max(0).take(shape) < 0.4, z / 0.12, a / 0.4), 1) < 0.5
    return code.reshape(view.index.shape), u, v


def _colours(scene: Scene) -> np.ndarray:
    """Colours of shape n (-1: the sky) and pattern code c in row 3 (n + 1) + c, float (rows, 3) in 0..1."""
    rows = [(176, 196, 214)] * 3
    for shape in scene.shapes:
        rows += [shape.paint.colour, shape.paint.second, tuple(0.62 * np.array(shape.paint.colour))]
    return np.array(rows, np.float32) / 255


def _plane(values: Sequence[float], kind: type = np.float64) -> np.ndarray:
    """A colour that broadcasts over pictures (3, H, W): numpy is slow where the last axis is as short as three."""
    return np.array(values, kind).reshape(3, 1, 1)


def _shadow(view: View, scene: Scene, sun: np.ndarray) -> np.ndarray:
    """1 where something stands between a visible point and the sun, soft at the edge (by a shadow map)."""
    sun, right = sun / np.linalg.norm(sun), np.cross((0, 1, 0), sun) / np.hypot(sun[0], sun[2])
    axes = np.stack([right, np.cross(sun, right), -sun])
    near = view.point.reshape(3, -1).compress((view.depth < 45).ravel(), 1)
    middle = np.median(near, 1) if near.size else scene.position
    reach = float(np.clip(np.abs(near - middle[:, None]).max() if near.size else 5, 3, 24))
    camera = Camera(middle + sun * 80, axes, 150.0 / reach, 300, 300, parallel=True)
    seen, _ = nearest([shape for shape in scene.shapes if shape.shadow], camera, *camera.rays())
    from_camera = (view.point - _plane(camera.position)).reshape(3, -1)
    x, y, z = (axes @ from_camera).astype(np.float32).reshape(view.point.shape)
    x, y = (149.5 + sign * c * np.float32(camera.scale) for sign, c in ((1, x), (-1, y)))
    depth = cv2.remap(seen, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1e4)
    return cv2.GaussianBlur((z > depth + 0.12 + 1.5 * reach / 150).astype(np.float32), (0, 0), 1.2)


def _finish(image: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and its inverse depth, from the picture (3, 2 H, 2 W) and what was seen."""
    small = cv2.resize(np.stack([*image.astype(np.float32)], -1), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return small, (1 / view.depth[::2, ::2]).astype(np.float32)


def _light(view: View, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """What the sun or a lamp adds to and shadow and corners take from surfaces, factors (3, H, W)."""
    angle, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)
    sun = np.array([np.cos(angle) * np.cos(rise), np.sin(rise), np.sin(angle) * np.cos(rise)])
    towards, strength, ambient = sun, rng.uniform(0.6, 1.0), np.array((0.42, 0.45, 0.5))
    if scene.lamp is not None:
        sun, ambient = np.array((0.08, 0.99, 0.12)), np.array((0.5, 0.47, 0.43))
        towards = _plane(scene.lamp) - view.point
        distance = np.sqrt(dot(towards, towards))
        towards, strength = towards / distance, 1.3 / (1 + (distance / 3.5) ** 2)
    lit = np.clip(dot(view.normal, towards), 0, 1) * strength
    lit *= 1 - (0.85 if scene.lamp is None else 0.55) * _shadow(view, scene, sun)
    return _plane(ambient) * (0.7 + 0.3 * view.normal[1]) + lit * _plane((1.0, 0.95, 0.86))


def photograph(kind: str, rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(RGB uint8 (H, W, 3), inverse depth float32 (H, W)) of a scene: light, shadow, texture, haze, lens, noise."""
    scene = make_scene(kind, rng, height, width)
    camera = scene.camera(height * 2, width * 2)
    view = cast(scene.shapes, camera)
    code, u, v = _surface(view, scene, camera)
    fine = np.clip(0.03 / np.maximum(view.depth / camera.scale, 1e-4), 0, 1)  # texture fades where it gets too fine
    rough = [0.4 if s.paint.pattern in ("leaf", "bark", "rock", "grass") else 0.1 for s in scene.shapes]
    cloudy = 0.5 * _sample(u / 6, v / 6) + fine * 0.5 * _sample(u / 0.7, v / 0.7)
    image = _colours(scene).T.take((view.index + 1) * 3 + code, 1)
    image = image * (1 + np.array([0.0, *rough]).take(view.index + 1) * cloudy)
    image *= _light(view, scene, rng)
    near = np.minimum(1 / view.depth, 3).astype(np.float32)
    closer = np.clip(cv2.GaussianBlur(near, (0, 0), width / 30) / (near + 0.1) - 1, 0, 2)
    image *= 1 - 0.9 * closer * np.exp(-4 * closer)  # corners get less light, not what stands far behind
    row, column = np.nonzero(view.index < 0)  # the sky
    x, y, _ = view.point[:, row, column]
    up = np.linspace(1, 0, height * 2)[row] + 0.25 * _sample(x / 3e4 + rng.random(), y / 1e4)
    haze = _plane((0.78, 0.81, 0.84)) * rng.uniform(0.85, 1.05)
    image[:, row, column] = (haze + (_plane((0.45, 0.6, 0.82)) - haze) * np.clip(up, 0, 1))[:, 0]
    if scene.haze:
        thick = 1 - np.exp(-np.where(view.index < 0, 0, view.depth) / (scene.haze * rng.uniform(0.6, 1.6)))
        image += (haze - image) * thick
    image, inverse = _finish(image, view)
    focus = np.quantile(inverse, rng.uniform(0.5, 0.9))
    unsharp = np.clip(np.abs(inverse - focus) / (focus + 0.1) - 0.15, 0, 1)[..., None]  # blur grows away from the focus
    unsharp = cv2.GaussianBlur(unsharp, (0, 0), 1.5)[..., None]
    image = cv2.GaussianBlur(image, (0, 0), 0.45)
    image = image + (cv2.GaussianBlur(image, (0, 0), rng.uniform(1.0, 2.0)) - image) * unsharp
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
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
    numbers = rng.random(), float(rng.uniform(0.9, 2.3)), rng.random() < 0.3
    return Style(*picked, *numbers, int(rng.integers(11, 15)), int(rng.integers(1, 4)))


def _recolour(colours: np.ndarray, style: Style) -> np.ndarray:
    """The palette of a page laid over natural colours, float RGB (..., 3) in 0..1: hue, saturation and value pushed."""
    hsv = cv2.cvtColor(np.ascontiguousarray(colours.reshape(1, -1, 3)), cv2.COLOR_RGB2HSV)[0]
    h, s, v = hsv[:, 0] / 360, hsv[:, 1], hsv[:, 2]
    h = {
        "bright": h + 0.03 * np.sin(2 * np.pi * style.hue),
        "wild": h + style.hue,
        "two hues": np.where(v > 0.5, style.hue, style.hue + 0.45),
        "night": 0.6 + 0.15 * (h - 0.5),
    }.get(style.palette, h)
    s, v = (np.clip(c * gain + offset, 0, limit)
            for c, (gain, offset, limit) in zip((s, v), PALETTES[style.palette], strict=True))  # fmt: skip
    hsv = np.stack([np.mod(h, 1) * 360, s, np.round(v * 6) / 6], -1).astype(np.float32)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].reshape(colours.shape)


def _tone(kind: str, height: int, width: int, period: float) -> np.ndarray:
    """Where a hatching or a halftone puts ink in a full tone, bool (H, W)."""
    y, x = (along / period for along in np.ogrid[:height, :width])
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
    view = cast(scene.shapes, camera, cv2.resize(coarse, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC))
    code, _, _ = _surface(view, scene, camera)
    table = _recolour(_colours(scene), style)
    if rng.random() < {"bright": 0.5, "wild": 1.0}.get(style.palette, 0.0):  # an object may have any colour
        groups = np.repeat([0, *(shape.group for shape in scene.shapes)], 3)
        for group in range(1, len(scene.names)):
            if scene.names[group] not in ("person", "head", "hand") and rng.random() < 0.35:
                table[groups == group] = np.roll(table[groups == group], int(rng.integers(1, 3)), -1)
    flat = table.T.take((view.index + 1) * 3 + code, 1)
    sky, ink = view.index < 0, _plane(style.ink, np.float32) / 255
    towards = rng.normal(0, 1, 3) + (0, 0.8, -0.3)
    facing = np.stack([*view.normal], -1) @ (towards / np.linalg.norm(towards)).astype(np.float32)
    dark = (facing < rng.uniform(-0.25, 0.1)) & ~sky
    if style.shadow:
        dark |= _shadow(view, scene, np.array((0.45, 0.8, -0.4))) > 0.5
    tone = np.zeros(dark.shape, bool)
    if style.shade == "flat":
        flat = np.where(dark, flat * _plane((0.66, 0.6, 0.74), np.float32), flat)
    elif style.shade == "black":
        tone = dark & (facing < -0.65)
    elif style.shade != "none":
        tone = dark & _tone(style.shade, *dark.shape, rng.uniform(8, 12))
    if rng.random() < 0.35:  # the background in one colour, often a warm one
        far = view.depth > np.quantile(np.minimum(view.depth, 1e4), rng.uniform(0.45, 0.7))
        one = _plane(_recolour(np.array([[0.85, 0.6, 0.3]], np.float32), style)[0], np.float32)
        flat = np.where(far, 0.3 * flat + 0.7 * one * (0.7 + 0.3 * flat.mean(0)), flat)
    flat = np.where(tone, ink, np.where(sky, _drawn_sky(rng, style, *sky.shape), flat))
    lines = _ink(view, code, style, rng).astype(np.float32)
    image, inverse = _finish(flat * (1 - lines) + ink * lines, view)
    image = np.clip(image * 255 + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
    return Frame(image, inverse, view.group[::2, ::2], scene, scene.camera(height, width))


def _drawn_sky(rng: np.random.Generator, style: Style, height: int, width: int) -> np.ndarray:
    """Flat, banded, rayed or dotted, in any colour: (3, H, W) in 0..1, or what broadcasts to it."""
    colours = ((0.55, 0.75, 0.95), (0.95, 0.75, 0.4), (0.12, 0.13, 0.3), (0.95, 0.95, 0.9), (0.9, 0.4, 0.35))
    colours = _recolour(np.array(colours, np.float32), style)[rng.permutation(5)[:2]]
    first, second = (_plane(colour, np.float32) for colour in colours)
    y, x = np.ogrid[:height, :width]
    kind = rng.choice(("flat", "flat", "bands", "rays", "dots"))
    if kind == "flat":
        return first
    if kind == "bands":
        part = np.round(y / height * 4) / 4
    elif kind == "rays":
        part = np.mod(np.arctan2(y - height * 0.6, x - width * rng.random()) * 7, 1) < 0.5
    else:
        part = np.hypot(np.mod((x + y) / 14, 1) - 0.5, np.mod((x - y) / 14, 1) - 0.5) < 0.5 * y / height
    return first + (second - first) * np.asarray(part, np.float32)


def _ink(view: View, code: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Ink of the lines, 0..1 (H, W): thick round objects, thin at folds, overlaps and patterns, swelling."""
    outer, inner = np.zeros(code.shape, np.uint8), np.zeros(code.shape, np.uint8)
    material, depth = view.index * 4 + code * (code < 2), np.minimum(view.depth, 1e4)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        apart = np.abs(depth[a] - depth[b]) > np.maximum(0.05, 0.025 * np.minimum(depth[a], depth[b]))
        fold = dot(view.normal[:, *a], view.normal[:, *b]) < 0.6
        fold &= np.minimum(view.index[a], view.index[b]) >= 0
        outer[a] |= view.group[a] != view.group[b]
        inner[a] |= fold | np.where(view.index[a] != view.index[b], apart, material[a] != material[b])
    away = [cv2.distanceTransform(1 - lines, cv2.DIST_L2, 3) for lines in (outer, inner)]
    swell = cv2.resize(rng.uniform(0.45, 1.5, (code.shape[0] // 24 + 2, code.shape[1] // 24 + 2)), code.shape[::-1])
    width = style.width * swell
    thick, thin = np.clip(width + 0.5 - away[0], 0, 1), np.clip(width * 0.5 + 0.4 - away[1], 0, 1)
    return np.maximum(np.maximum(thick, thin), 0.55 * (code == 2))


# Lettering ------------------------------------------------------------------------------------------------------
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def _wrap(words: list[str], font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines = words[:1]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        lines[-1:] = [longer] if font.getlength(longer) <= width else [lines[-1], word]
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
        canvas, boxes = Image.fromarray(self.image), []
        draw = ImageDraw.Draw(canvas)
        for n, line in enumerate(lines):
            place = (float(centre[0]), round(float(centre[1] + font.size * 1.2 * (n - (len(lines) - 1) / 2))))
            draw.text(place, line, font=font, fill=ink, anchor="mm")
            boxes.append(np.array(draw.textbbox(place, line, font=font, anchor="mm")) + (-1, -1, 1, 1))
            self._record("Line", _corners(*boxes[-1]))
        self.image[:] = np.asarray(canvas)
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
            taken = self.mask[top - 4 : bottom + 4, left - 4 : right + 4].any()
            cost = avoid[top:bottom, left:right].mean() + 9 * taken
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
        if thought and gap >= 6:
            for away, size in ((8, 5), (20, 3.5)):
                bubble = place + way / length * (radius[turn] + away) + size * _outline("round", -8, -6, self.rng)
                if away < gap and not self._hits(bubble):
                    self._draw(bubble, WHITE)
        if thought or gap < 6:
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
        sheet = Image.new("L", (size * len(text) + 40, size * 2 + 20))
        middle, font = (sheet.width // 2, sheet.height // 2), _font("DejaVuSans-BoldOblique", size)
        ImageDraw.Draw(sheet).text(middle, text, 255, font, "mm", stroke_width=edge)
        outer = np.asarray(sheet.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True))
        rows, columns = np.nonzero(outer > 127)
        outer = outer[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2]
        height, width = outer.shape
        if width > x2 - x1 - 8 or height > (y2 - y1) * 0.5:
            return
        x, y = int(rng.integers(x1 + 3, x2 - width - 2)), int(rng.integers(y1 + 3, y2 - height - 2))
        here = np.s_[y : y + height, x : x + width]
        if self.mask[here].any():
            return
        face, solid = cv2.erode(outer, np.ones((3, 3)), iterations=edge)[..., None] / 255, outer[..., None] / 255
        colour = np.array(((255, 214, 30), (240, 60, 40), (255, 255, 255), (90, 210, 240))[int(rng.integers(4))])
        letters = np.array(self.style.ink) * (1 - face) + colour * face
        self.image[here] = self.image[here] * (1 - solid) + letters * solid
        for contour in cv2.findContours((outer > 100).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
            if len(contour) > 2:
                self._record("Line", contour[:, 0] + (x, y))


# Pages ----------------------------------------------------------------------------------------------------------
def _cut(start: float, end: float, gutter: float, shares: np.ndarray) -> list[tuple[float, float]]:
    """Parts of a length in these shares, a gutter apart: (from, to) of each."""
    edges = start + np.concatenate([[0], np.cumsum(shares / shares.sum())]) * (end - start + gutter)
    return list(zip(edges[:-1], edges[1:] - gutter, strict=True))


def _layout(rng: np.random.Generator, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Boxes of 2 to 6 frames: rows, some of them with one wide frame, sometimes a tall frame beside two short ones."""
    margin, gutter = int(rng.integers(14, 26)), int(rng.integers(6, 14))
    rows = ((1, 2), (2, 2), (2, 1, 2), (1, 2, 2), (2, 2, 1), (1, 1, 2), (2, 2, 2), (3, 2), (1, 3, 1))
    counts, boxes = rows[int(rng.integers(len(rows)))], []
    parts = _cut(margin, height - margin, gutter, rng.uniform(0.8, 1.25, len(counts)))
    for count, (top, bottom) in zip(counts, parts, strict=True):
        for n, (left, right) in enumerate(_cut(margin, width - margin, gutter, rng.uniform(0.75, 1.3, count))):
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
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        frames.append(comics_frame(str(kinds[(number * 5 + n) % len(kinds)]), rng, y2 - y1, x2 - x1, style))
        image[y1:y2, x1:x2] = frames[-1].image
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), style.ink, style.border)
    lettering, characters, orderings = Lettering(image, style, rng), [], []
    for frame, box in zip(frames, boxes, strict=True):
        characters += _letter_frame(lettering, frame, box, rng)
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
        (x, y), depth = frame.camera.project(centre)
        r = radius * frame.camera.scale / max(depth, 0.1)
        inside = depth > 0.3 and r > 3 and 0 <= x < x2 - x1 and 0 <= y < y2 - y1
        if inside and frame.group[int(y), int(x)] == group:
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
SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" {size}>
  <title>{name}</title>
  <svg class="Page">
    <image x="0" y="0" {size} xlink:href="../Pages/{name}.jpg"/>
  </svg>
{groups}</svg>
"""


def _svg(name: str, page: Page) -> str:
    """eBDtheque's nested SVG of a page."""
    groups = ""
    for group, polygons in page.polygons.items():
        groups += f'  <svg class="{group}">\n'
        for n, polygon in enumerate(polygons, 1):
            points = " ".join(f"{x:g},{y:g}" for x, y in np.round([*polygon, polygon[0]]).astype(int))
            groups += f'    <polygon id="{name}_{group.lower()}{n}" points="{points}"/>\n'
        groups += "  </svg>\n"
    return SVG.format(name=name, groups=groups, size='width="{1}" height="{0}"'.format(*page.image.shape))


def _write_page(job: tuple[Layout, int, int, str, str]) -> int:
    layout, seed, number, name, split = job
    page = comics_page(seed, number)
    write_image(layout.dcm_images / f"{name}.jpg", page.image, quality=92)
    if number % 2 == 0:
        write_image(layout.ebdtheque_pages / f"{name}.jpg", page.image, quality=92)
        write_text(layout.ebdtheque_svg / f"{name}.svg", _svg(name, page))
    rows = [(8, *box) for box in page.boxes] + [(1, *p[0], *p[2]) for p in page.polygons["Character"]]
    write_text(layout.dcm_boxes / f"{name}.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows))
    for k, (depth, points) in enumerate(zip(page.depths, page.orderings, strict=True), start=1):
        write_depth(layout.frame_truth / f"{name}_{k}.png", depth)
        if split != "train":
            write_ordering(layout.ordering(f"{name}_{k}"), points)
    return len(page.boxes)


def _write_photograph(job: tuple[Layout, int, int]) -> None:
    """About 256 x 192 pixels, lying or standing."""
    layout, seed, number = job
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 0, number))
    size = (192, int(rng.integers(240, 280)))
    kind = list(KINDS)[number % len(KINDS)]
    image, depth = photograph(kind, rng, *(size if rng.random() < 0.75 else size[::-1]))
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
        for split in SPLITS:
            layout.photograph_list(split).unlink(missing_ok=True)
    elif {key: found.get(key) for key in wanted} != wanted:
        raise UserError(f"{layout.data_root} holds the world {found}, asked for was {wanted}; "
                        "say --restart to replace it, or give --data-root another folder")  # fmt: skip
    elif done.exists():
        print(f"{layout.data_root}: the synthetic world is there already ({pages} pages, {photographs} photographs)")
        return
    write_json(begun, wanted)
    held = max(1, round(0.2 * pages)) if pages > 2 else 0
    split_of = ["train"] * (pages - 2 * held) + ["validation"] * held + ["test"] * held
    jobs = [(layout, seed, n, f"world_{n + 1:03d}", split) for n, split in enumerate(split_of)]
    frames = parallel_map(_write_page, jobs, "comics pages", workers)
    for split in SPLITS:
        write_text(layout.dcm_pages(split), "".join(f"{name}\n" for *_, name, its in jobs if its == split))
    parallel_map(_write_photograph, [(layout, seed, n) for n in range(photographs)], "photographs", workers)
    write_json(begun, {**wanted, "frames": sum(frames)})
    os.replace(begun, done)
