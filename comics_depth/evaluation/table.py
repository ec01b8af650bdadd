"""What a person reads of the scores: the table as Markdown, CSV and LaTeX, rows per image, and the
figure."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from comics_depth.evaluation.metrics import KINDS
from comics_depth.paths import APPROACHES
from common.files import write_text, written_atomically

TITLES = ("inter-objects", "against", "without the farthest", "intra-object")
HEAD = ("row", "split", *TITLES, "dB", "difference to baseline", "ties")
CAPTION = (
    "Share of right pairs, mean over images [95 % bootstrap interval over images] (images that have"
    " such pairs). against: the nearer point is not lower in the picture; without the farthest: the"
    " farther point is not on the last level. dB and paired difference [95 % interval]: of"
    " inter-objects to {baseline}; p: sign-flip permutation test, not adjusted for the number of"
    " rows. Ties (inter-objects / intra-object) count as not right. No stage here fits or chooses"
    " anything on the split test. Protocol: {protocol}."
)


class Row(NamedTuple):
    """Scores of one run on one split: `scores` as scores.summarise gives them, `counts` (images, 4,
    3), `frames` the ids of the images in the same order."""

    run: str
    split: str
    scores: dict[str, dict]
    counts: np.ndarray
    frames: list[str]


def number(value: float | None, form: str = ".3f") -> str:
    """The number, or a dash where it is not defined."""
    return "–" if value is None else format(value, form)


def row_cells(row: Row) -> list[str]:
    """What the table shows of a row, in the order of HEAD."""
    inter, against, without_farthest, intra = (row.scores[kind] for kind in KINDS)

    def accuracy(score: dict, with_interval: bool) -> str:
        between = (
            f" [{number(score['ci_low'])}, {number(score['ci_high'])}]" if with_interval else ""
        )
        return (
            f"{number(score['mean'])}{between} ({score['frames']})" if score["frames"] else "– (0)"
        )

    compared, decibel, difference = inter["compared"] or {}, "–", "–"
    if compared.get("difference") is not None:
        p, decibel = compared["p"], number(compared["decibel"], "+z.2f")
        low, middle, high = (
            number(compared[name], "+z.3f") for name in ("ci_low", "difference", "ci_high")
        )
        difference = f"{middle} [{low}, {high}] p " + (
            "–" if p is None else "< 0.001" if p < 0.001 else f"= {p:.3f}"
        )
    return [
        row.run,
        row.split,
        accuracy(inter, True),
        accuracy(against, False),
        accuracy(without_farthest, False),
        accuracy(intra, True),
        decibel,
        difference,
        f"{inter['ties']} / {intra['ties']}",
    ]


def markdown(rows: list[Row], caption: str) -> str:
    """The table of all rows; numbers that are not defined show as a dash."""
    lines = [HEAD, ["---"] * len(HEAD), *(row_cells(row) for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n" + caption + "\n"


def latex(rows: list[Row], caption: str) -> str:
    """The same table as a `table` with a `tabular` that needs no package."""

    def line(cells: Iterable[str]) -> str:
        escaped = (
            " & ".join(cells)
            .replace("_", r"\_")
            .replace("%", r"\%")
            .replace("–", "--")
            .replace("<", "$<$")
        )
        return re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped)

    body = "".join(f"{line(row_cells(row))} \\\\\n" for row in rows)
    return (
        f"\\begin{{table}}\n\\begin{{tabular}}{{ll{'r' * (len(HEAD) - 2)}}}\n\\hline\n{line(HEAD)}"
        " \\\\\n\\hline\n"
        f"{body}\\hline\n\\end{{tabular}}\n\\caption{{{line([caption])}}}\n\\end{{table}}\n"
    )


def _csv(head: list[str], lines: Iterable[list]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *lines])
    return text.getvalue()


def table_csv(rows: list[Row], protocol: str) -> str:
    """All numbers of the scores at full precision, one line a row; empty where not defined."""
    plain = ("mean", "ci_low", "ci_high", "pooled", "pairs", "ties", "frames")
    compared = ("difference", "ci_low", "ci_high", "p", "ratio", "decibel")
    head = [
        f"{kind}_{name}"
        for kind in KINDS
        for name in (*plain, *(f"compared_{name}" for name in compared))
    ]
    lines = []
    for row in rows:
        lines.append([row.run, row.split, protocol])
        for score in (row.scores[kind] for kind in KINDS):
            lines[-1] += [score[name] for name in plain] + [
                (score["compared"] or {}).get(name) for name in compared
            ]
    return _csv(["row", "split", "protocol", *head], lines)


def per_image_csv(rows: list[Row], protocol: str) -> str:
    """Right, wrong and tied pairs of each kind, one line for each row and image."""
    head = [f"{kind}_{name}" for kind in KINDS for name in ("right", "wrong", "ties")]
    images = [(row, *image) for row in rows for image in zip(row.frames, row.counts, strict=True)]
    lines = (
        [row.run, row.split, protocol, frame, *counts.ravel()] for row, frame, counts in images
    )
    return _csv(["row", "split", "protocol", "frame", *head], lines)


def figure(rows: list[Row], protocol: str) -> Figure:
    """One panel for each kind of pairs: every run's mean accuracy with its interval, one colour a
    split, runs grouped by approach; the dashed line is 0.5."""
    runs, splits = (
        list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("run", "split")
    )
    groups = [next((name for name in APPROACHES if run.startswith(name + "_")), "") for run in runs]
    height = {run: -at - 0.6 * len(set(groups[: at + 1])) for at, run in enumerate(runs)}
    canvas = Figure(figsize=(13, 1.6 + 0.45 * (len(runs) + len(set(groups)))), layout="constrained")
    for panel, (axes, kind) in enumerate(
        zip(canvas.subplots(1, len(KINDS), sharey=True), KINDS, strict=True)
    ):
        axes.axvline(0.5, color="0.6", linestyle="--", linewidth=1)
        for at, split in enumerate(splits):
            shown = [
                (row, row.scores[kind])
                for row in rows
                if row.split == split and row.scores[kind]["frames"]
            ]
            mean, low, high = (
                [score[name] for _, score in shown] for name in ("mean", "ci_low", "ci_high")
            )
            axes.errorbar(
                mean,
                [height[row.run] + 0.26 * ((len(splits) - 1) / 2 - at) for row, _ in shown],
                xerr=np.abs(np.array([low, high]) - mean) if shown else None,
                fmt="os^"[at % 3],
                color=f"C{at}",
                markersize=5,
                capsize=2.5,
                linewidth=1.4,
                label=split,
            )
        axes.set(title=TITLES[panel], xlim=(-0.02, 1.02), xlabel="share of right pairs")
        axes.grid(axis="x", color="0.92")
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    names = [
        re.sub(f"^{group}_", f"{group} ", run) if group else run
        for run, group in zip(runs, groups, strict=True)
    ]
    axes.set_yticks(list(height.values()), names)
    canvas.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(splits),
        frameon=False,
    )
    if protocol == "original":
        canvas.suptitle("protocol: original (2020)")
    return canvas


def write_results(folder: Path, rows: list[Row], caption: str, protocol: str) -> list[Path]:
    """Writes table.md, table.csv, table.tex, per_image.csv and figure.png to `folder`; returns
    their paths, the figure last."""
    texts = {
        "table.md": markdown(rows, caption),
        "table.csv": table_csv(rows, protocol),
        "table.tex": latex(rows, caption),
        "per_image.csv": per_image_csv(rows, protocol),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    with written_atomically(folder / "figure.png") as temporary:
        figure(rows, protocol).savefig(temporary, dpi=130)
    return [folder / name for name in (*texts, "figure.png")]
