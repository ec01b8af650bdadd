"""Photographs of drawn scenes: light, shadow, texture, haze, lens and noise, with exact depth."""

import cv2
import numpy as np

from comics_depth.synthetic.camera import View, cast
from comics_depth.synthetic.kinds import make_scene
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import dot
from comics_depth.synthetic.surfaces import (
    colour_table,
    halve,
    noise,
    pattern_codes,
    plane,
    shadow,
    texture_coordinates,
)


def photograph(
    kind: str, rng: np.random.Generator, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """(RGB uint8 (H, W, 3), inverse depth float32 (H, W)) of a scene."""
    scene = make_scene(kind, rng, height, width)
    camera = scene.camera(height * 2, width * 2)
    view = cast(scene.shapes, camera)
    image = colour_table(scene).T[:, (view.index + 1) * 3 + pattern_codes(view, scene, camera)]
    u, v = texture_coordinates(view)
    # Texture fades where it gets too fine.
    fine = np.clip(0.03 * camera.scale / np.maximum(view.depth, 1e-4), 0, 1)
    grain = 0.5 * noise(u / 6, v / 6) + fine * 0.5 * noise(u / 0.7, v / 0.7)
    natural = ("leaf", "bark", "rock", "grass")
    rough = [0.1 + 0.3 * (shape.paint.pattern in natural) for shape in scene.shapes]
    image = image * (1 + np.array([*rough, 0.0])[view.index] * grain) * _light(view, scene, rng)
    image = _air(image, view, scene, rng)
    return _lens(*halve(image, view), rng)


def _light(view: View, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """What the sun or a lamp adds to and shadow takes from surfaces, factors (3, H, W)."""
    if scene.lamp is None:
        angle, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)
        sun = np.array([np.cos(angle) * np.cos(rise), np.sin(rise), np.sin(angle) * np.cos(rise)])
        lit = np.clip(dot(view.normal, sun), 0, 1) * rng.uniform(0.6, 1.0)
        lit *= 1 - 0.85 * shadow(view, scene, sun)
        ambient = plane((0.42, 0.45, 0.5))
    else:
        towards = plane(scene.lamp) - view.point
        away = np.sqrt(dot(towards, towards))
        lit = np.clip(dot(view.normal, towards) / away, 0, 1) * 1.3 / (1 + (away / 3.5) ** 2)
        lit *= 1 - 0.55 * shadow(view, scene, np.array((0.08, 0.99, 0.12)))
        ambient = plane((0.5, 0.47, 0.43))
    return ambient * (0.7 + 0.3 * view.normal[1]) + lit * plane((1.0, 0.95, 0.86))


def _air(image: np.ndarray, view: View, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The picture (3, H, W) with a cloudy sky and haze."""
    sky = view.index < 0
    haze = plane((0.78, 0.81, 0.84)) * rng.uniform(0.85, 1.05)
    clouds = 0.25 * noise(view.point[0] / 3e4 + rng.random(), view.point[1] / 1e4)
    up = np.clip(np.linspace(1, 0, len(sky))[:, None] + clouds, 0, 1)
    image = np.where(sky, haze + (plane((0.45, 0.6, 0.82)) - haze) * up, image)
    if scene.haze is None:
        return image
    thick = 1 - np.exp(-np.where(sky, 0, view.depth) / (scene.haze * rng.uniform(0.6, 1.6)))
    return image + (haze - image) * thick


def _lens(
    image: np.ndarray, inverse: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The picture as a camera gives it, uint8, with blur that grows away from the focus."""
    focus = np.quantile(inverse, rng.uniform(0.5, 0.9))
    unsharp = np.clip(np.abs(inverse - focus) / (focus + 0.1) - 0.15, 0, 1)
    unsharp = cv2.GaussianBlur(unsharp, (0, 0), 1.5)[..., None]
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(1.0, 2.0))
    image = image + (blurred - image) * unsharp
    image *= rng.normal(1, 0.03, 3)  # white balance
    image *= rng.uniform(0.36, 0.5) / image.mean()  # exposure
    image = np.where(image > 0.7, 1 - 0.3 * np.exp((0.7 - image) / 0.3), image)
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0.7, 1.0)
    image += rng.normal(0, rng.uniform(0.008, 0.025), image.shape)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), inverse
