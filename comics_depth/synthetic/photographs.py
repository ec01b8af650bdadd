"""Photographs of drawn scenes: shading, texture, noise, haze, shadows, exact depth."""

import cv2
import numpy as np

from comics_depth.synthetic.camera import View, cast
from comics_depth.synthetic.kinds import make_scene
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import dot
from comics_depth.synthetic.surfaces import (
    colour_table,
    halve,
    plane,
    sample_noise,
    shadow_of,
    surface,
)


def _light(view: View, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """What the sun or a lamp adds to and shadow and corners take from surfaces, factors (3, H,
    W)."""
    angle, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)
    sun = np.array([np.cos(angle) * np.cos(rise), np.sin(rise), np.sin(angle) * np.cos(rise)])
    towards, strength, ambient = sun, rng.uniform(0.6, 1.0), np.array((0.42, 0.45, 0.5))
    if scene.lamp is not None:
        sun, ambient = np.array((0.08, 0.99, 0.12)), np.array((0.5, 0.47, 0.43))
        towards = plane(scene.lamp) - view.point
        distance = np.sqrt(dot(towards, towards))
        towards, strength = towards / distance, 1.3 / (1 + (distance / 3.5) ** 2)
    lit = np.clip(dot(view.normal, towards), 0, 1) * strength
    lit *= 1 - (0.85 if scene.lamp is None else 0.55) * shadow_of(view, scene, sun)
    return plane(ambient) * (0.7 + 0.3 * view.normal[1]) + lit * plane((1.0, 0.95, 0.86))


def photograph(
    kind: str, rng: np.random.Generator, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """(RGB uint8 (H, W, 3), inverse depth float32 (H, W)) of a scene: light, shadow, texture, haze,
    lens, noise."""
    scene = make_scene(kind, rng, height, width)
    camera = scene.camera(height * 2, width * 2)
    view = cast(scene.shapes, camera)
    code, u, v = surface(view, scene, camera)
    fine = np.clip(
        0.03 / np.maximum(view.depth / camera.scale, 1e-4), 0, 1
    )  # texture fades where it gets too fine
    rough = [
        0.4 if s.paint.pattern in ("leaf", "bark", "rock", "grass") else 0.1 for s in scene.shapes
    ]
    cloudy = 0.5 * sample_noise(u / 6, v / 6) + fine * 0.5 * sample_noise(u / 0.7, v / 0.7)
    image = colour_table(scene).T.take((view.index + 1) * 3 + code, 1)
    image = image * (1 + np.array([0.0, *rough]).take(view.index + 1) * cloudy)
    image *= _light(view, scene, rng)
    near = np.minimum(1 / view.depth, 3).astype(np.float32)
    closer = np.clip(cv2.GaussianBlur(near, (0, 0), width / 30) / (near + 0.1) - 1, 0, 2)
    image *= 1 - 0.9 * closer * np.exp(
        -4 * closer
    )  # corners get less light, not what stands far behind
    row, column = np.nonzero(view.index < 0)  # the sky
    x, y, _ = view.point[:, row, column]
    up = np.linspace(1, 0, height * 2)[row] + 0.25 * sample_noise(x / 3e4 + rng.random(), y / 1e4)
    haze = plane((0.78, 0.81, 0.84)) * rng.uniform(0.85, 1.05)
    image[:, row, column] = (haze + (plane((0.45, 0.6, 0.82)) - haze) * np.clip(up, 0, 1))[:, 0]
    if scene.haze:
        thick = 1 - np.exp(
            -np.where(view.index < 0, 0, view.depth) / (scene.haze * rng.uniform(0.6, 1.6))
        )
        image += (haze - image) * thick
    image, inverse = halve(image, view)
    focus = np.quantile(inverse, rng.uniform(0.5, 0.9))
    unsharp = np.clip(np.abs(inverse - focus) / (focus + 0.1) - 0.15, 0, 1)[
        ..., None
    ]  # blur grows away from the focus
    unsharp = cv2.GaussianBlur(unsharp, (0, 0), 1.5)[..., None]
    image = cv2.GaussianBlur(image, (0, 0), 0.45)
    image = image + (cv2.GaussianBlur(image, (0, 0), rng.uniform(1.0, 2.0)) - image) * unsharp
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    image *= (1 - rng.uniform(0.1, 0.35) * (x * x + y * y) / 2)[..., None] * rng.normal(1, 0.03, 3)
    image = np.clip(image / image.mean() * rng.uniform(0.36, 0.5), 0, None)  # exposure
    image = np.where(image > 0.7, 1 - 0.3 * np.exp((0.7 - image) / 0.3), image)
    grey = image.mean(-1, keepdims=True)
    image = (
        grey
        + (image - grey) * rng.uniform(0.7, 1.0)
        + rng.normal(0, rng.uniform(0.008, 0.025), image.shape)
    )
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), inverse
