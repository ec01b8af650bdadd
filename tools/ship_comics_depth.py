"""Makes models/weights/default-comics.safetensors of runs of `depth_estimator.py orderings`:
python -m tools.ship_comics_depth RUN [RUN ...]

For each seed that is to take part, in a data root with frames and orderings:
  python depth_estimator.py orderings --train --lr 5e-4 --preset open --data-root DATA \\
    --teacher default --seed 1 --tag seed1
The weights of several runs from the same start are averaged (Wortsman et al. 2022,
arXiv:2203.05482), which costs nothing when the network is used."""

import sys
from pathlib import Path

import torch

from comics_depth.cli import run_main
from comics_depth.training.run import finished_run
from common.errors import UserError
from models.checkpoints import WEIGHTS, load_strictly, read_checkpoint, write_shipped
from models.depth_model import rebuild


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    again = "the command that trains it"
    files = [finished_run(Path(folder), again) for folder in sys.argv[1:]]
    path = WEIGHTS / "default-comics.safetensors"
    ship(files, path)
    print(f"wrote {path}")


def ship(files: list[Path], path: Path) -> None:
    """Writes the mean of the depth networks in these checkpoints. Raises UserError if they differ
    in architecture."""
    architectures, states = zip(*(read_checkpoint(file, "depth") for file in files), strict=True)
    if any(architecture != architectures[0] for architecture in architectures):
        raise UserError(f"{', '.join(map(str, files))}: expected runs of one depth model")
    model = rebuild(architectures[0])
    load_strictly(model, mean_of(states), files[0])
    write_shipped(path, model, model.architecture, "depth", licence="MIT")


def mean_of(states: tuple[dict[str, torch.Tensor], ...]) -> dict[str, torch.Tensor]:
    """The mean of every weight; counts, which are no weights, from the first."""
    return {
        key: torch.stack([state[key] for state in states]).mean(0)
        if value.is_floating_point()
        else value
        for key, value in states[0].items()
    }


if __name__ == "__main__":
    run_main(main)
