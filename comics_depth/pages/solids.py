"""Frames in three dimensions: meshes and point clouds."""

import io
import math
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from comics_depth.pages.pictures import STEP, shrunk, stepped
from common.files import write_bytes

ANGLE = 50  # of view along the longer side, degrees, as of a usual camera
# the farthest point is taken to be so many times as far as the nearest: inverse depth does not tell
FARTHEST = 4.0
MOST_POINTS = 1_000_000
MOST_VERTICES = 250_000


def write_points(path: Path, image: np.ndarray, depth: np.ndarray) -> None:
    """Writes a frame, RGB uint8 (h, w, 3) and inverse depth (h, w), as a point cloud (PLY)."""
    factor = math.sqrt(MOST_POINTS / depth.size)
    image = shrunk(image, factor)
    points = _in_space(shrunk(depth.astype(np.float32), factor))
    _write(path, trimesh.PointCloud(points, colors=image.reshape(-1, 3)))


def write_mesh(path: Path, image: np.ndarray, depth: np.ndarray) -> None:
    """Writes a frame, RGB uint8 (h, w, 3) and inverse depth (h, w), as a mesh (GLB) that has the
    image as its texture and is cut where inverse depth jumps by more than STEP."""
    depth = stepped(shrunk(depth.astype(np.float32), math.sqrt(MOST_VERTICES / depth.size)))
    height, width = depth.shape
    corner = np.arange(depth.size).reshape(height, width)
    a, b = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel()
    c, d = corner[1:, :-1].ravel(), corner[1:, 1:].ravel()
    # counter-clockwise for who looks from the camera
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
    faces = faces[np.ptp(depth.ravel()[faces], axis=1) <= STEP]
    rows, columns = np.indices(depth.shape)
    uv = np.stack([(columns.ravel() + 0.5) / width, 1 - (rows.ravel() + 0.5) / height], axis=1)
    texture = io.BytesIO()
    Image.fromarray(image).save(texture, "JPEG", quality=90)
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.open(texture), metallicFactor=0.0, roughnessFactor=1.0
    )
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    _write(path, trimesh.Trimesh(_in_space(depth), faces, visual=visual, process=False))


def _in_space(depth: np.ndarray) -> np.ndarray:
    """Points (h * w, 3) of inverse depth (h, w), which 0 to 1 bound: x right, y up, z towards the
    camera, which is at the origin; the nearest are at distance 1, see FARTHEST."""
    height, width = depth.shape
    distance = 1 / (1 / FARTHEST + (1 - 1 / FARTHEST) * np.clip(depth, 0, 1))
    focal = max(height, width) / 2 / math.tan(math.radians(ANGLE / 2))
    rows, columns = np.indices(depth.shape)
    x = (columns - (width - 1) / 2) / focal * distance
    y = ((height - 1) / 2 - rows) / focal * distance
    return np.stack([x, y, -distance], axis=-1).reshape(-1, 3).astype(np.float32)


def _write(path: Path, thing: trimesh.parent.Geometry) -> None:
    write_bytes(path, thing.export(file_type=path.suffix[1:]))
