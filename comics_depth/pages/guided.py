"""Depth at the size of the drawing, whose edges follow those of the drawing."""

import cv2
import numpy as np

# Of the long side of a depth map, 6 pixels at 384; of 3 to 16, best on validation orderings.
RADIUS = 1 / 64
EPSILON = 1e-3  # variance of a colour (0 to 1) from which on it is an edge
LINE = 1 / 180  # of the long side of a drawing, wider than an ink line


def guided_upsampling(depth: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Inverse depth (h, w) at the size of the image, RGB uint8 (H, W, 3), that it belongs to:
    float32 (H, W), in each neighbourhood a linear function of the colours.

    The guided filter (He, Sun, Tang 2010; equations 19 to 21 for colours) with coefficients at the
    size of the depth map (He & Sun 2015). Dark lines are taken out of the drawing first, or they
    would be lines in the depth."""
    line = round(LINE * max(image.shape)) // 2 * 2 + 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (line, line))
    image = cv2.morphologyEx(image, cv2.MORPH_CLOSE, pen)
    small = cv2.resize(image, depth.shape[::-1], interpolation=cv2.INTER_AREA)
    guide = small.astype(np.float32) / 255  # (h, w, 3)
    side = 2 * max(round(RADIUS * max(depth.shape)), 1) + 1

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (side, side))

    middle = float(depth.mean())  # float32 has few digits for the difference of large products
    depth = depth.astype(np.float32) - middle
    mean_guide, mean_depth = mean(guide), mean(depth)
    products = guide[..., :, None] * guide[..., None, :]  # (h, w, 3, 3)
    variance = mean(products.reshape(*depth.shape, 9)).reshape(products.shape)
    variance -= mean_guide[..., :, None] * mean_guide[..., None, :]
    covariance = mean(guide * depth[..., None]) - mean_guide * mean_depth[..., None]
    slope = np.linalg.solve(variance + EPSILON * np.eye(3, dtype=np.float32), covariance[..., None])
    slope = slope[..., 0]  # (h, w, 3)
    offset = mean(mean_depth - (slope * mean_guide).sum(axis=-1))
    slope = mean(slope)

    def enlarged(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    found = enlarged(offset) + middle
    for channel in range(3):
        found += enlarged(slope[..., channel]) * (image[..., channel] / np.float32(255))
    return found
