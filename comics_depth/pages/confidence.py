"""How sure boxes of frames are, and whether a picture can be a single one, from straight lines."""

import cv2
import numpy as np

from comics_depth.data.annotations import Box

STEEP = 40  # grey levels (0 to 255) between neighbours, from which on there is a line between them
REACH = 0.006  # of the longer side of a page, within which a line belongs to the side of a box
UNSURE = 0.55  # below it a person should look: on 18 pages 6 % of right boxes, 3 in 4 moved ones
# Share of a row or column that is one line. On twelve pages with frames the most is 0.74 to 1, on
# photographs at most 0.44, inside frames 0.58 save for 3 of 40 (a door, a letter, a cut frame).
ONE_PICTURE = 0.65


def confidence(page: np.ndarray, box: Box) -> float:
    """Share of the outline of a box, 0 to 1, that lies on lines of the page, RGB uint8 (H, W, 3),
    or on its border."""
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    x1, y1, x2, y2 = box
    reach = max(round(REACH * max(grey.shape)), 2)
    on_line = []
    for values, ends, (start, stop) in ((grey, (y1, y2), (x1, x2)), (grey.T, (x1, x2), (y1, y2))):
        for at in ends:
            near = values[max(at - reach, 0) : at + reach, start:stop].astype(np.int16)
            at_border = at <= reach or at >= len(values) - reach
            found = np.abs(near[2:] - near[:-2]).max(axis=0, initial=0) > STEEP
            on_line.append(np.full(stop - start, True) if at_border else found)
    return float(np.concatenate(on_line).mean())


def is_one_picture(image: np.ndarray) -> bool:
    """Whether nothing in an RGB uint8 (H, W, 3) image looks like the frames of a page: a straight
    line through most of its width or height."""
    small = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    factor = 512 / max(small.shape)
    if factor < 1:
        size = [max(round(side * factor), 1) for side in small.shape[::-1]]
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    for values in (small, small.T):
        step = np.abs(np.diff(values.astype(np.int16), axis=0)) > STEEP
        # of a line that is not quite straight, part lies in the next row
        if len(step) > 1 and (step[1:] | step[:-1]).mean(axis=1).max() > ONE_PICTURE:
            return False
    return True
