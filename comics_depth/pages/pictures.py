"""Pictures for people: pages beside their depth, what was found on them, contact sheets."""

import math

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.data.annotations import Box
from comics_depth.data.depth_files import preview

# of inverse depth in the range of a frame, from which on two pixels belong to two surfaces
STEP = 0.15
BAND = 20  # pixels of a name on a contact sheet
BOXES, TEXT = (220, 40, 60), (40, 120, 255)  # colours of what was found


def marked(image: np.ndarray, numbered: list[tuple[int, Box]], text: np.ndarray) -> np.ndarray:
    """A page, RGB uint8 (H, W, 3), with its numbered boxes and its text areas, boolean (H, W),
    drawn on it."""
    image = image.copy()
    image[text] = (0.6 * image[text] + 0.4 * np.array(TEXT)).astype(np.uint8)
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    unit = max(min(image.shape[:2]) // 250, 1)
    font = ImageFont.load_default(12 * unit)
    for k, (x1, y1, x2, y2) in numbered:
        draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=BOXES, width=unit)
        plate = draw.textbbox((x1 + 3 * unit, y1 + 2 * unit), str(k), font)
        draw.rectangle((x1, y1, plate[2] + 3 * unit, plate[3] + 3 * unit), fill=BOXES)
        draw.text((x1 + 3 * unit, y1 + 2 * unit), str(k), "white", font)
    return np.array(picture)


def beside_depth(image: np.ndarray, depth: np.ndarray, height: int = 1600) -> np.ndarray:
    """RGB image (H, W, 3) to the left of its inverse depth (H, W) in colours, at most `height`
    pixels high. What is much higher than wide stands there in columns, read from left to right."""
    columns = max(round(math.sqrt(image.shape[0] / image.shape[1] / 1.5)), 1)
    rows = math.ceil(image.shape[0] / columns)
    padded = ((0, rows * columns - image.shape[0]), (0, 0), (0, 0))
    folded = [
        np.hstack(np.split(np.pad(half, padded), columns)) for half in (image, preview(depth))
    ]
    return shrunk(np.hstack(folded), height / rows)


def shrunk(image: np.ndarray, factor: float) -> np.ndarray:
    """The image at `factor` times its size, where that is less than 1."""
    size = [max(round(side * factor), 1) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1 else image


def contact_sheet(
    pictures: dict[str, np.ndarray], height: int = 380, width: int = 2400
) -> np.ndarray:
    """RGB pictures in rows, each below its name, together `height` or less high, and at most
    `width` wide."""
    placed = []
    x = y = 0
    for name, picture in pictures.items():
        small = shrunk(picture, min((height - BAND) / picture.shape[0], width / picture.shape[1]))
        small = _under_name(small, name)
        if x and x + small.shape[1] > width:
            x = 0
            y += height + 8
        placed.append((x, y, small))
        x += small.shape[1] + 8
    right = max(x + small.shape[1] + 8 for x, _, small in placed)
    sheet = np.full((y + height + 8, min(right, width), 3), 64, np.uint8)
    for x, y, small in placed:
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet


def _under_name(picture: np.ndarray, name: str) -> np.ndarray:
    """The picture below its name, of which the end stands where there is no room for all of it."""
    band = Image.new("RGB", (picture.shape[1], BAND), (64, 64, 64))
    font = ImageFont.load_default(13)
    while len(name) > 1 and font.getlength(name) > picture.shape[1]:
        name = "…" + name.lstrip("…")[1:]
    ImageDraw.Draw(band).text((0, 2), name, "white", font)
    return np.vstack([np.array(band), picture])


def stepped(depth: np.ndarray) -> np.ndarray:
    """Inverse depth whose steep slopes are steps: networks blur the edges of objects, which would
    stretch like rubber. Most of a slope goes to the object, so that no rim of it stays behind.
    Medians keep single pixels from going another way than those around them."""
    depth = cv2.medianBlur(depth.astype(np.float32), 5)
    around = np.ones((max(9, max(depth.shape) // 53),) * 2, np.uint8)
    low, high = cv2.erode(depth, around), cv2.dilate(depth, around)
    steps = np.where(depth - low < 0.2 * (high - low), low, high)
    return cv2.medianBlur(np.where(high - low > 2 * STEP, steps, depth), 5)
