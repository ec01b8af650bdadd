"""Pictures drawn as printed comics, without a network: flat inks and black lines on old paper."""

import math

import cv2
import numpy as np

# cyan, magenta and yellow on newsprint: the share of red, green and blue light that they let pass
INKS = np.float32([[0.10, 0.55, 0.75], [0.85, 0.15, 0.40], [0.98, 0.86, 0.15]])
SCREEN_ANGLES = (15.0, 75.0, 0.0)  # degrees, of these inks
BLACK_ANGLE = 45.0
PAPERS = np.float32([[1.0, 1.0, 0.99], [0.97, 0.93, 0.80], [0.88, 0.79, 0.62]])  # new to old


def print_style(
    image: np.ndarray, rng: np.random.Generator, unit: float | None = None
) -> np.ndarray:
    """The picture as a printed comic of random style: RGB uint8 (H, W, 3) -> the same shape.
    `unit`: width of lines and dots (None: that of a frame of this size).

    Two in three are in colour, the others in one ink with grey screens, or lines and spotted blacks
    alone. Things move by less than 1 % of the longer side (misregistration), so the picture's depth
    holds for the print."""
    # lengths below are pixels at a long side of 384
    unit = unit or max(0.5, max(image.shape[:2]) / 384)
    kind = rng.choice(["colour", "monochrome", "line art"], p=[0.65, 0.2, 0.15])
    smooth = flat_regions(image, rng)
    # some artists draw the texture too
    drawn = smooth if rng.random() < 0.7 else image.astype(np.float32) / 255
    black = ink_lines(cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY), unit, rng)
    light = np.ones_like(smooth)
    if kind == "colour":
        light = printed_colours(recoloured(smooth, rng), unit, rng)
    elif kind == "monochrome":
        steps = int(rng.choice([2, 3, 4, 255]))
        tones = lifted(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), rng)
        tint = np.round((1 - tones) * steps) / np.float32(steps)
        shape = "dots" if rng.random() < 0.6 else "lines"
        screened = screen(tint, BLACK_ANGLE, screen_period(unit, rng), shape, rng)
        black = np.maximum(black, screened * np.float32(rng.uniform(0.4, 0.9)))
    ink = np.float32(rng.uniform(0.02, 0.25) + rng.uniform(-0.02, 0.08, 3))  # old: grey or brown
    if kind != "colour" and rng.random() < 0.2:
        ink = np.float32(rng.uniform(0.05, 0.5, 3))  # a page in sepia, blue, green
    light *= 1 - black[..., None] * (1 - ink)
    light *= paper(image.shape[:2], rng)
    return scanned(light, unit, rng)


def flat_regions(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture without texture, float32 (H, W, 3) in [0, 1]: a bilateral filter at half size
    (Tomasi and Manduchi 1998), once or twice, or a median."""
    height, width = image.shape[:2]
    half = (max(1, width // 2), max(1, height // 2))
    small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        small = cv2.medianBlur(small, int(rng.choice([3, 5, 7])))
    else:
        deviation = rng.uniform(15, 50)
        for _ in range(rng.integers(1, 3)):
            small = cv2.bilateralFilter(small, 5, deviation, 4)
    return cv2.resize(small, (width, height)).astype(np.float32) / 255


def ink_lines(grey: np.ndarray, unit: float, rng: np.random.Generator) -> np.ndarray:
    """Coverage by black ink (H, W) in [0, 1] of grey tones in [0, 1]: lines at edges and spotted
    blacks, by the extended difference of Gaussians (Winnemoeller, Kyprianidis and Olsen 2012,
    without the flow)."""
    sigma = unit * rng.uniform(0.5, 1.4)
    sharpening = rng.uniform(8, 35)
    near = cv2.GaussianBlur(grey, (0, 0), sigma)
    wide = cv2.GaussianBlur(grey, (0, 0), 1.6 * sigma)
    sharpened = near + sharpening * (near - wide)
    # a quantile of the picture itself: 4 to 30 % are ink, and a dark picture is not drowned in it
    darkest = np.quantile(sharpened[::3, ::3], rng.uniform(0.04, 0.3))
    threshold = min(darkest, 0.95 * np.quantile(near[::3, ::3], 0.5))
    softness = rng.uniform(4, 20)
    coverage = np.tanh(np.maximum(softness * (np.float32(threshold) - sharpened), 0))
    return coverage if rng.random() < 0.7 else coverage * rng.uniform(0.5, 1)


def recoloured(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture in the colours of a colourist, (H, W, 3) in [0, 1]."""
    if rng.random() < 0.5:
        mixing = rng.dirichlet([0.35] * 3, size=3)  # rows add up to 1, so greys stay grey
        colours = cv2.transform(colours, mixing)
    grey = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
    tone = lifted(grey, rng)
    if rng.random() < 0.3:
        tone = 0.4 + 0.6 * tone  # pastel, as many skies and walls are
    chroma = (colours - grey[..., None]) * np.float32(rng.uniform(0.6, 3.0))
    return np.clip(tone[..., None] + chroma, 0, 1)


def lifted(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tones (H, W) stretched from black to white, lighter in between."""
    low, high = np.quantile(grey[::4, ::4], [0.02, rng.uniform(0.85, 1)])
    stretched = np.clip((grey - low) / max(high - low, 0.1), 0, 1).astype(np.float32)
    return cv2.pow(stretched, rng.uniform(0.3, 0.9))


def screen_period(unit: float, rng: np.random.Generator) -> float:
    """Pixels from dot to dot; 65 lines an inch on a frame 3 inches wide make 2."""
    return unit * (1.7 + 4.8 * rng.random() ** 2)


def screen(
    coverage: np.ndarray, angle: float, period: float, shape: str, rng: np.random.Generator
) -> np.ndarray:
    """Halftone of a coverage (H, W) in [0, 1]: dots or lines of the same local mean, `period`
    pixels apart, at `angle` degrees."""
    turn = math.radians(angle + rng.uniform(-5, 5))
    wave = plane_wave(coverage.shape, turn, period, rng)
    # its values are spread evenly over [0, 1], which keeps the mean
    if shape == "dots":
        across = plane_wave(coverage.shape, turn + math.pi / 2, period, rng)
        wave = 0.5 + 0.25 * (wave + across)
        wave = wave * wave * (3 - 2 * wave)
    else:
        wave = np.arccos(np.clip(wave, -1, 1)) * np.float32(1 / math.pi)
    sharpness = np.float32(max(1.0, period / 3))
    dots = np.clip((coverage - wave) * sharpness + 0.5, 0, 1)
    between = np.minimum(np.minimum(coverage, 1 - coverage) * 10, 1)
    return coverage + (dots - coverage) * between


def plane_wave(
    size: tuple[int, int], turn: float, period: float, rng: np.random.Generator
) -> np.ndarray:
    """A cosine wave of random phase, float32 (H, W)."""
    # a product of rows and columns, which costs no cosine for each pixel
    frequency = 2 * math.pi / period
    rows = np.arange(size[0]) * (frequency * math.sin(turn)) + rng.uniform(0, 2 * math.pi)
    columns = np.arange(size[1]) * (frequency * math.cos(turn))
    left = np.stack([np.cos(rows), -np.sin(rows)], axis=1).astype(np.float32)  # (H, 2)
    right = np.stack([np.cos(columns), np.sin(columns)]).astype(np.float32)  # (2, W)
    return left @ right


def printed_colours(colours: np.ndarray, unit: float, rng: np.random.Generator) -> np.ndarray:
    """Colours (H, W, 3) in [0, 1] as what light cyan, magenta and yellow let pass: in few steps,
    screened or flat, half of the time beside their place."""
    steps = int(rng.choice([1, 2, 3, 4, 8]))
    tints = np.round((1 - colours) * steps) * np.float32(rng.uniform(0.7, 1.0) / steps)
    height, width = tints.shape[:2]
    screened = rng.random() < 0.65
    period = screen_period(unit, rng)
    misplaced = unit * rng.uniform(0, 2.5) * rng.integers(0, 2)
    light = np.ones_like(tints)
    for ink in range(3):
        coverage = np.ascontiguousarray(tints[..., ink])
        if screened:
            coverage = screen(coverage, SCREEN_ANGLES[ink], period, "dots", rng)
        x, y = np.clip(rng.normal(0, 0.5, 2) * misplaced, -2.5 * unit, 2.5 * unit)
        if misplaced:
            move = np.float32([[1, 0, x], [0, 1, y]])
            size = (width, height)
            coverage = cv2.warpAffine(coverage, move, size, borderMode=cv2.BORDER_REPLICATE)
        passes = np.clip(INKS[ink] + np.float32(rng.uniform(-0.08, 0.08, 3)), 0, 1)
        light *= 1 - coverage[..., None] * (1 - passes)
    return light


def paper(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Light from the bare paper, float32 (H, W, 3): new to old, tinted, uneven and grainy."""
    height, width = size
    age = rng.uniform(0, 2)
    older = min(int(age), 1)
    colour = PAPERS[older] + np.float32(age - older) * (PAPERS[older + 1] - PAPERS[older])
    if rng.random() < 0.3:
        colour = colour * np.float32(rng.uniform(0.7, 1.05, 3))
    clouds = np.float32(rng.normal(0, rng.uniform(0, 0.06), rng.integers(2, 7, 2)))
    uneven = cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=np.float32)
    uneven += cv2.resize(grain, (width, height)) * np.float32(rng.uniform(0, 0.05))
    return colour * (1 + uneven[..., None])


def scanned(light: np.ndarray, unit: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 picture (H, W, 3) of a page that reflects `light`, soft and exposed at random."""
    blur = unit * rng.uniform(0, 0.9)
    if blur > 0.3:
        light = cv2.GaussianBlur(light, (0, 0), blur)
    exposure = rng.uniform(0.85, 1.1)
    return (np.clip(light * exposure, 0, 1) * 255 + 0.5).astype(np.uint8)
