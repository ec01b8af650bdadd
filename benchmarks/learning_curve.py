"""How many frames one has to order: python -m benchmarks.learning_curve DATA_ROOT RUNS_ROOT FIGURE
[DRAWS]

Fits the depth model in the box to the orderings of 0, 10, 25, 50, 100 and all training frames that
have one, in random draws, for the same number of steps each, and scores the last weights on the
validation frames. Prints a table and writes the curve to FIGURE. Run it again to go on."""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from comics_depth.cli import run_main
from comics_depth.data.prepared import frame_orderings, frames_with_points
from comics_depth.evaluation.orderings import score_orderings, starting_depth
from comics_depth.images import write_figure
from comics_depth.paths import Layout
from comics_depth.training.devices import default_device
from comics_depth.training.loop import TrainingOptions, fit
from comics_depth.training.run import Run
from models.checkpoints import SHIPPED, model_fingerprint
from models.depth_model import AveragedDepth, depth_model
from models.depth_objectives import DepthOrdering

START = "default"
COUNTS = (10, 25, 50, 100)
STEPS = 200
BATCH = 2
KINDS = ("inter_objects", "against_height", "without_background")


def main() -> None:
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    layout = Layout(Path(sys.argv[1]), Path(sys.argv[2]))
    draws = int(sys.argv[4]) if len(sys.argv) == 5 else 3
    names = sorted(frame_orderings(layout, "train"))
    print(f"| frames | {' | '.join(KINDS)} | spread |\n|---|---|---|---|---|")
    scores = {0: [score(layout, START)]}
    told(0, scores[0])
    for count in [*(count for count in COUNTS if count < len(names)), len(names)]:
        scores[count] = []
        for seed in range(draws):
            drawn = np.random.default_rng(seed).permutation(names)[:count]
            scores[count].append(score(layout, str(train(layout, sorted(drawn), seed))))
        told(count, scores[count])
    draw(Path(sys.argv[3]), scores)


def train(layout: Layout, names: list[str], seed: int) -> Path:
    """Fits the depth model to the orderings of these frames; returns the last checkpoint."""
    start = model_fingerprint(START)
    run = Run(
        layout.run(f"learning_curve_{len(names)}_{seed}"),
        {"frames": names, "steps": STEPS, "seed": seed, "start": start},
        {"start": SHIPPED[START]},
    )
    before = AveragedDepth(depth_model(START))
    depth = starting_depth(layout, names, before, start, default_device())
    every = frame_orderings(layout, "train").items()
    orderings = {name: path for name, path in every if name in names}
    data = frames_with_points(layout, orderings, depth, print_share=0.5, resolution=256, seed=seed)
    epochs = max(1, round(STEPS * BATCH / len(names)))
    options = TrainingOptions(epochs, BATCH, seed, "linear", workers=0)
    fit(DepthOrdering(depth_model(START), 5e-4, regulariser=0.5), data, run, options)
    return run.last


def score(layout: Layout, model: str) -> dict[str, float]:
    frames = frame_orderings(layout, "validation")
    return score_orderings(depth_model(model), layout, frames, default_device())


def told(count: int, scores: list[dict[str, float]]) -> None:
    means = (f"{np.mean([s[kind] for s in scores]):.3f}" for kind in KINDS)
    spread = np.ptp([s["inter_objects"] for s in scores])
    print(f"| {count} | {' | '.join(means)} | {spread:.3f} |", flush=True)


def draw(path: Path, scores: dict[int, list[dict[str, float]]]) -> None:
    """Mean and draws of each kind of pair over the number of frames."""
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    places = np.arange(len(scores))
    for kind, colour in zip(KINDS, ("tab:blue", "tab:orange", "tab:green"), strict=True):
        drawn = [[s[kind] for s in found] for found in scores.values()]
        axes.plot(places, [np.mean(d) for d in drawn], color=colour, label=kind.replace("_", " "))
        for place, values in zip(places, drawn, strict=True):
            axes.plot([place] * len(values), values, ".", color=colour)
    axes.set_xticks(places, [str(count) for count in scores])
    axes.set(xlabel="training frames with an ordering", ylabel="pairs in order, validation")
    axes.legend()
    write_figure(path, figure)


if __name__ == "__main__":
    run_main(main)
