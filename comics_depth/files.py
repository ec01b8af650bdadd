"""Reading images and writing files so that bad input is named and nothing is ever half-written."""

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")  # and none of Pillow's readers that start programs
MAX_PIXELS = 120_000_000
Image.MAX_IMAGE_PIXELS = None  # read_image has its own limit and its own message


class UserError(Exception):
    """Something the user can mend: the message says what was expected, what was found, and what to do next."""

    user_error = True  # models.depth.ModelError, which cannot import this class, says the same


def read_image(path: Path) -> np.ndarray:
    """RGB image, uint8 (H, W, 3): EXIF rotation applied, alpha laid over white, 16 bit scaled to 8, grey and CMYK
    converted. Raises UserError naming the file if it is missing, broken or larger than MAX_PIXELS."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UserError(f"{path}: {image.width}x{image.height} pixels, more than the limit of {MAX_PIXELS}")
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


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) after EXIF rotation, from the header alone."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            turned = image.getexif().get(0x0112, 1) >= 5
            return (image.width, image.height) if turned else (image.height, image.width)
    except Exception as error:
        raise UserError(f"{path}: not a readable image ({error})") from error


def image_count(path: Path) -> int:
    """How many images a file holds (a TIFF, an animation), of which read_image gives the first; 1 where what follows it
    cannot be counted."""
    with contextlib.suppress(Exception), Image.open(path, formats=FORMATS) as image:
        return getattr(image, "n_frames", 1)
    return 1


@contextlib.contextmanager
def counted(skipped: list[str]) -> Iterator[None]:
    """What the user can mend in one of many files goes to `skipped` and does not stop the others."""
    try:
        yield
    except UserError as error:
        skipped.append(str(error))


def list_images(folder: Path) -> list[Path]:
    """All image files below `folder`, sorted. Raises UserError if the folder is missing or holds none."""
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise UserError(
            f"{folder}: no images there; data/README.md says where datasets come from, --preset demo needs none"
        )
    return found


def find_image(folder: Path, name: str) -> Path | None:
    """The image `<folder>/<name>.<any image suffix>`, or None. `name` may hold slashes and dots."""
    spelled = (folder / (name + spell(suffix)) for suffix in IMAGE_SUFFIXES for spell in (str, str.upper, _capitalised))
    return next((path for path in spelled if path.exists()), None)


def _capitalised(suffix: str) -> str:
    return "." + suffix[1:].capitalize()


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that replaces it when the block ends well and vanishes when it fails."""
    path = Path(path)
    temporary = path.with_name(f".partial-{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: could not be written ({error}); nothing was left there half-written") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_image(path: Path, image: np.ndarray, **options: Any) -> None:
    """Writes uint8 (H, W[, 3]) or uint16 (H, W) by the suffix of `path`; `options` go to Pillow (quality, pnginfo)."""
    if Path(path).suffix.lower() in (".jpg", ".jpeg"):
        options = {"quality": 95, "subsampling": 0, **options}
    with written_atomically(path) as temporary:
        Image.fromarray(image).save(temporary, **options)


def write_text(path: Path, text: str) -> None:
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Raises UserError if the file is missing or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not readable as JSON ({error})") from error


def parallel_map(function: Callable, items: Iterable, description: str, workers: int | None = None) -> list:
    """[function(item) for item in items] over processes (default: all cores), in order, with a progress bar."""
    items = list(items)
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers <= 1 or len(items) < 2:
        return [function(item) for item in tqdm(items, desc=description, disable=None)]
    with ProcessPoolExecutor(workers) as pool:
        return list(tqdm(pool.map(function, items), total=len(items), desc=description, disable=None))


def run_main(main: Callable[[], None]) -> None:
    """Runs a script's main: a UserError becomes one line and exit code 2, Ctrl-C one line and exit code 130."""
    try:
        return main()
    except KeyboardInterrupt:
        message, code = "interrupted; run the same command again to go on", 130
    except Exception as error:
        if not getattr(error, "user_error", False):
            raise
        message, code = f"error: {error}", 2
    print(message, file=sys.stderr)
    sys.exit(code)
