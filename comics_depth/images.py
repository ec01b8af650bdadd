"""Reading images so that bad input is named; writing and finding them."""

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from common.errors import UserError
from common.files import regular, write_bytes

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
# none of Pillow's readers that start programs
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
MAX_PIXELS = 120_000_000
Image.MAX_IMAGE_PIXELS = None  # read_image has its own limit and its own message


def open_image(source: Path | io.BytesIO, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """An image file whose header is read. Raises UserError for what is no file."""
    return Image.open(regular(source), formats=formats)


def read_image(path: Path) -> np.ndarray:
    """RGB image, uint8 (H, W, 3): EXIF rotation applied, alpha laid over white, 16 bit scaled to 8,
    grey and CMYK converted. Raises UserError naming the file if it is missing, broken or larger
    than MAX_PIXELS."""
    try:
        with open_image(path) as image:
            check_size(path, image)
            pixels = _jpeg(image)
            if pixels is not None:
                return pixels
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I") or image.mode == "F":
                values = np.asarray(image, dtype=np.float64)
                top = 65535 if image.mode.startswith("I") else max(values.max(), 1)
                image = Image.fromarray(np.clip(values / top * 255 + 0.5, 0, 255).astype(np.uint8))
            if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such image") from None
    except UserError:
        raise
    except Exception as error:  # readers of foreign files fail in any way
        raise UserError(f"{path}: not a readable image ({error})") from error


def _jpeg(image: Image.Image) -> np.ndarray | None:
    """The pixels of an opened JPEG by OpenCV, the same as Pillow's in three quarters of the time;
    None for other files, and for those cut off, which OpenCV fills up without a word."""
    if image.format != "JPEG" or image.mode not in ("RGB", "L"):
        return None
    image.fp.seek(0)
    content = image.fp.read()
    if not content.endswith(b"\xff\xd9"):
        return None
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)


def check_size(path: Path, image: Image.Image) -> None:
    """Raises UserError if an image has more than MAX_PIXELS."""
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width}x{image.height} pixels"
        raise UserError(f"{path}: {size}, more than the limit of {MAX_PIXELS}")


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) after EXIF rotation, from the header alone."""
    try:
        with open_image(path) as image:
            turned = image.getexif().get(0x0112, 1) >= 5
            return (image.width, image.height) if turned else (image.height, image.width)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: not a readable image ({error})") from error


def image_count(path: Path) -> int:
    """How many images a file holds (a TIFF, an animation), of which read_image gives the first; 1
    where what follows it cannot be counted."""
    with contextlib.suppress(Exception), open_image(path) as image:
        return getattr(image, "n_frames", 1)
    return 1


def list_images(folder: Path) -> list[Path]:
    """All image files below `folder`, sorted. Raises UserError if the folder is missing or holds
    none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise UserError(f"{folder}: no images there; data/README.md says where they come from")
    return found


def find_image(folder: Path, name: str) -> Path | None:
    """The image `<folder>/<name>.<any image suffix>`, or None. `name` may hold slashes and dots."""
    for suffix in IMAGE_SUFFIXES:
        for spelled in (suffix, suffix.upper(), "." + suffix[1:].capitalize()):
            if os.path.exists(path := folder / (name + spelled)):  # a name may be too long
                return path
    return None


def write_image(path: Path, image: np.ndarray, **options: Any) -> None:
    """Writes uint8 (H, W[, 3]) or uint16 (H, W) by the suffix of `path`; `options` go to Pillow
    (quality, pnginfo)."""
    if path.suffix.lower() in (".jpg", ".jpeg"):
        options = {"quality": 95, "subsampling": 0, **options}
    content = io.BytesIO()
    kind = Image.registered_extensions()[path.suffix.lower()]
    Image.fromarray(image).save(content, kind, **options)
    write_bytes(path, content.getbuffer())


def write_figure(path: Path, figure: Any) -> None:
    """Writes a figure of matplotlib, which is slow to import, as PNG."""
    content = io.BytesIO()
    figure.savefig(content, dpi=110, bbox_inches="tight")
    write_bytes(path, content.getbuffer())


def label(image: np.ndarray, text: str) -> np.ndarray:
    """The picture with a line of text above it."""
    band = np.full((18, image.shape[1], 3), 255, np.uint8)
    cv2.putText(band, text, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([band, image])
