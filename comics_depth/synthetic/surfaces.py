"""What photographs and comics share: patterns on surfaces, colours, shadows."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from comics_depth.synthetic.camera import Camera, View, nearest
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import largest

# Pattern: size of a tile of noise in metres, and the height above which the second colour shows.
BLOTCHES = {
    "leaf": (1.7, 0.5),
    "grass": (14, 0.8),
    "bark": (2, 0.9),
    "rock": (4, 0.9),
    "patches": (3, 0.6),
}
JOINTS = {
    "bricks": (0.25, 0.6),
    "planks": (0.22, 2.6),
    "tiles": (1.0, 1.0),
}  # height and length of a course in metres


@functools.cache
def _noise(power: float) -> np.ndarray:
    """A cloudy texture that tiles, 256 x 256 in a row, standard deviation 1: noise with amplitude
    frequency^-power."""
    white = np.random.default_rng(0).standard_normal((256, 256))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    cloudy = np.fft.ifft2(np.fft.fft2(white) / np.maximum(frequency, 1 / 64) ** power).real
    return ((cloudy - cloudy.mean()) / cloudy.std()).astype(np.float32).ravel()


def sample_noise(u: np.ndarray, v: np.ndarray, power: float = 1.0) -> np.ndarray:
    """The noise at texture coordinates (one unit = one tile)."""
    x, y = u * 256, v * 256
    left, top = np.floor(x), np.floor(y)
    a, b = x - left, y - top
    left, top = left.astype(np.int64) & 255, (top.astype(np.int64) & 255) << 8
    right, bottom = (left + 1) & 255, (top + 256) & 0xFFFF
    noise = _noise(power)
    upper = noise.take(top + left) * (1 - a) + noise.take(top + right) * a
    return (
        upper * (1 - b) + (noise.take(bottom + left) * (1 - a) + noise.take(bottom + right) * a) * b
    )


def surface(view: View, scene: Scene, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pattern code (H, W): 1 where the second colour shows, 2 on thin joints; texture coordinates
    u, v in metres). Joints finer than the picture can show are left out."""
    face = largest(np.abs(view.normal))
    u, v = (
        np.where(face == 0, view.point[2], view.point[0]),
        np.where(face == 1, view.point[2], view.point[1]),
    )
    code = np.zeros(view.index.size, np.uint8)
    patterns = np.array(["", *(shape.paint.pattern for shape in scene.shapes)])
    half = np.array([np.linalg.norm(shape.axes, axis=0) for shape in scene.shapes], np.float32).T
    for pattern in sorted({*patterns} - {""}):
        here = np.flatnonzero((patterns == pattern).take(view.index + 1))
        a, b, shape, depth = (plane.take(here) for plane in (u, v, view.index, view.depth))
        x, y, z = view.local.reshape(3, -1).take(here, 1) * half.take(shape, 1)
        if pattern in BLOTCHES:
            scale, limit = BLOTCHES[pattern]
            code[here] = sample_noise(a / scale, b / scale, 2.5) > limit
        elif pattern in JOINTS:
            high, long = JOINTS[pattern]
            fine = depth / camera.scale
            shift = a / long + 0.37 * np.floor(b / high) * (pattern != "tiles")
            joint = np.minimum(np.mod(b, high), np.mod(shift, 1) * long) < np.maximum(0.03, fine)
            code[here] = 2 * (joint & (fine * 9 < high))
        elif pattern == "windows":
            side = np.where(np.abs(x) > 0.999 * half[0].take(shape), z, x)
            pane = (np.abs(np.mod(side / 2.4, 1) - 0.5) < 0.22) & (
                np.abs(np.mod(y / 2.8, 1) - 0.5) < 0.28
            )
            code[here] = pane & (np.abs(view.normal[1].take(here)) < 0.7)
        elif pattern == "road":
            code[here] = (np.abs(a) < 0.09) & (np.mod(b, 4) < 2.2)
        elif pattern == "books":
            code[here] = np.where(
                np.mod(y, 0.38) < 0.06, 0, 1 + (np.mod(np.floor(z / 0.07) * 7.3, 3) > 1.4)
            )
        else:  # stripes round a body (a tube, whose z runs along it), or down a wall or a cloth
            code[here] = np.mod(np.where(half.max(0).take(shape) < 0.4, z / 0.12, a / 0.4), 1) < 0.5
    return code.reshape(view.index.shape), u, v


def colour_table(scene: Scene) -> np.ndarray:
    """Colours of shape n (-1: the sky) and pattern code c in row 3 (n + 1) + c, float (rows, 3) in
    0..1."""
    rows = [(176, 196, 214)] * 3
    for shape in scene.shapes:
        rows += [shape.paint.colour, shape.paint.second, tuple(0.62 * np.array(shape.paint.colour))]
    return np.array(rows, np.float32) / 255


def plane(values: Sequence[float], kind: type = np.float64) -> np.ndarray:
    """A colour that broadcasts over pictures (3, H, W): numpy is slow where the last axis is as
    short as three."""
    return np.array(values, kind).reshape(3, 1, 1)


def shadow_of(view: View, scene: Scene, sun: np.ndarray) -> np.ndarray:
    """1 where something stands between a visible point and the sun, soft at the edge (by a shadow
    map)."""
    sun, right = sun / np.linalg.norm(sun), np.cross((0, 1, 0), sun) / np.hypot(sun[0], sun[2])
    axes = np.stack([right, np.cross(sun, right), -sun])
    near = view.point.reshape(3, -1).compress((view.depth < 45).ravel(), 1)
    middle = np.median(near, 1) if near.size else scene.position
    reach = float(np.clip(np.abs(near - middle[:, None]).max() if near.size else 5, 3, 24))
    camera = Camera(middle + sun * 80, axes, 150.0 / reach, 300, 300, parallel=True)
    seen, _ = nearest([shape for shape in scene.shapes if shape.shadow], camera, *camera.rays())
    from_camera = (view.point - plane(camera.position)).reshape(3, -1)
    x, y, z = (axes @ from_camera).astype(np.float32).reshape(view.point.shape)
    x, y = (149.5 + sign * c * np.float32(camera.scale) for sign, c in ((1, x), (-1, y)))
    depth = cv2.remap(
        seen, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1e4
    )
    return cv2.GaussianBlur((z > depth + 0.12 + 1.5 * reach / 150).astype(np.float32), (0, 0), 1.2)


def halve(image: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and its inverse depth, from the picture (3, 2 H, 2 W) and what was
    seen."""
    small = cv2.resize(
        np.stack([*image.astype(np.float32)], -1),
        None,
        fx=0.5,
        fy=0.5,
        interpolation=cv2.INTER_AREA,
    )
    return small, (1 / view.depth[::2, ::2]).astype(np.float32)
