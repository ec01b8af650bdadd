"""What photographs and comics share: patterns on surfaces, their colours, shadows."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from comics_depth.synthetic.camera import Camera, View, nearest
from comics_depth.synthetic.scene import Scene

# Size of a tile of noise in metres, and the height above which the second colour shows.
BLOTCHES = {
    **{"leaf": (1.7, 0.5), "grass": (14, 0.8), "bark": (2, 0.9)},
    **{"rock": (4, 0.9), "patches": (3, 0.6)},
}
# Height and length of a course in metres.
JOINTS = {"bricks": (0.25, 0.6), "planks": (0.22, 2.6), "tiles": (1.0, 1.0)}


@functools.cache
def _noise_tile(power: float) -> np.ndarray:
    """Tiling noise (256, 256), amplitude frequency^-power, standard deviation 1."""
    white = np.random.default_rng(0).standard_normal((256, 256))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    cloudy = np.fft.ifft2(np.fft.fft2(white) / np.maximum(frequency, 1 / 64) ** power).real
    return ((cloudy - cloudy.mean()) / cloudy.std()).astype(np.float32)


def noise(u: np.ndarray, v: np.ndarray, power: float = 1.0) -> np.ndarray:
    """Cloudy noise, standard deviation 1, at texture coordinates; it repeats every unit."""
    return map_coordinates(_noise_tile(power), (v * 256, u * 256), order=1, mode="grid-wrap")


def texture_coordinates(view: View) -> tuple[np.ndarray, np.ndarray]:
    """(u, v), each (H, W) in metres, on the wall or floor that the surface resembles most."""
    x, y, z = view.point
    across, up, along = np.abs(view.normal)
    sideways = (across > up) & (across > along)
    return np.where(sideways, z, x), np.where((up > along) & ~sideways, z, y)


def pattern_codes(view: View, scene: Scene, camera: Camera) -> np.ndarray:
    """1 where the second colour of a surface shows, 2 on thin joints, else 0; uint8 (H, W). Joints
    finer than the picture can show are left out."""
    codes = np.zeros(view.index.shape, np.uint8)
    patterns = np.array([*(shape.paint.pattern for shape in scene.shapes), ""])
    half = np.array([np.linalg.norm(shape.axes, axis=0) for shape in scene.shapes])
    u, v = texture_coordinates(view)
    for pattern in sorted({*patterns} - {""}):
        here = (patterns == pattern)[view.index]
        a, b, size = u[here], v[here], half[view.index[here]].T
        if pattern in BLOTCHES:
            scale, limit = BLOTCHES[pattern]
            codes[here] = noise(a / scale, b / scale, 2.5) > limit
        elif pattern in JOINTS:
            high, long = JOINTS[pattern]
            fine = view.depth[here] / camera.scale
            shift = a / long + 0.37 * np.floor(b / high) * (pattern != "tiles")
            joint = np.minimum(np.mod(b, high), np.mod(shift, 1) * long) < np.maximum(0.03, fine)
            codes[here] = 2 * (joint & (fine * 9 < high))
        elif pattern == "road":
            codes[here] = (np.abs(a) < 0.09) & (np.mod(b, 4) < 2.2)
        elif pattern == "windows":
            x, y, z = view.local[:, here] * size
            along = np.where(np.abs(x) > 0.999 * size[0], z, x)
            pane = np.abs(np.mod(along / 2.4, 1) - 0.5) < 0.22
            pane &= np.abs(np.mod(y / 2.8, 1) - 0.5) < 0.28
            codes[here] = pane & (np.abs(view.normal[1][here]) < 0.7)
        else:  # stripes round a body (a tube, whose z runs along it), or down a wall or a cloth
            along = view.local[2][here] * size[2] / 0.12
            codes[here] = np.mod(np.where(size.max(0) < 0.4, along, a / 0.4), 1) < 0.5
    return codes


def colour_table(scene: Scene) -> np.ndarray:
    """Colours of shape n (-1: the sky) and pattern code c in row 3 (n + 1) + c, float (rows, 3) in
    0..1."""
    rows = [(176, 196, 214)] * 3
    for shape in scene.shapes:
        rows += [shape.paint.colour, shape.paint.second, tuple(0.62 * np.array(shape.paint.colour))]
    return np.array(rows, np.float32) / 255


def plane(values: Sequence[float]) -> np.ndarray:
    """A colour that broadcasts over pictures (3, H, W): numpy is slow where the last axis is as
    short as three."""
    return np.array(values, np.float32).reshape(3, 1, 1)


def shadow(view: View, scene: Scene, sun: np.ndarray) -> np.ndarray:
    """1 where something stands between a visible point and the sun, soft at the edge (by a shadow
    map, a picture taken from the sun)."""
    sun = sun / np.linalg.norm(sun)
    right = np.cross((0, 1, 0), sun) / np.hypot(sun[0], sun[2])
    axes = np.stack([right, np.cross(sun, right), -sun])
    near = view.point[:, view.depth < 45]
    middle = np.median(near, 1) if near.size else scene.position
    reach = float(np.clip(np.abs(near - middle[:, None]).max() if near.size else 5, 3, 24))
    camera = Camera(middle + sun * 80, axes, 150.0 / reach, 300, 300, parallel=True)
    seen, _ = nearest([shape for shape in scene.shapes if shape.shadow], camera)
    pixels, depth = camera.project(np.moveaxis(view.point, 0, -1))
    seen = cv2.remap(
        seen, pixels.astype(np.float32) - 0.5, None, cv2.INTER_NEAREST, borderValue=1e4
    )
    hidden = depth > seen + 0.12 + 1.5 * reach / 150
    return cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), 1.2)


def halve(image: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and its inverse depth (H, W), from the picture (3, 2 H, 2 W) and what
    was seen."""
    image = np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return small, (1 / view.depth[::2, ::2]).astype(np.float32)
