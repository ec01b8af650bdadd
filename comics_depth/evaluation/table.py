"""What a person reads of the scores: the table as Markdown, CSV and LaTeX, rows per image, and the
figure."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from comics_depth.evaluation.metrics import KINDS
from comics_depth.images import write_figure
from comics_depth.paths import APPROACHES
from common.files import write_text

CAPTION = (
    "Share of right pairs, mean over images [95 % bootstrap interval over images] (images that have"
    " such pairs). inter-objects: points on different objects; intra-object: on the same one."
    ' Against height: the nearer point is not the lower one, so the cue "lower is nearer" fails.'
    " Without background: the farther point is not on the last level. dB: 10 log10 of the ratio to"
    " {baseline} of inter-objects, 0 = equal; difference to it: paired [95 % interval], p of a"
    " sign-flip test, not adjusted for the number of rows. Ties (inter-objects / intra-object)"
    " count as not right. No stage here fits or chooses anything on the split test;"
    " depth_estimator_orderings is fitted to orderings of training frames and chosen on those of"
    " validation."
    " Protocol: {protocol}."
)


class Row(NamedTuple):
    """Scores of one set on one split: `scores` as of metrics.summarise, `counts` (images, kinds,
    3), `frames` the ids of the images."""

    name: str
    split: str
    scores: dict[str, dict]
    counts: np.ndarray
    frames: list[str]


def number(value: float | None, form: str = ".3f") -> str:
    """The number, or a dash where it is not defined."""
    return "–" if value is None else format(value, form)


def shown_share(score: dict, with_interval: bool) -> str:
    """Mean, interval and number of images of what metrics.share_right gives."""
    between = f" [{number(score['ci_low'])}, {number(score['ci_high'])}]" if with_interval else ""
    return f"{number(score['mean'])}{between if score['frames'] else ''} ({score['frames']})"


def shown_difference(compared: dict) -> str:
    if compared.get("difference") is None:
        return "–"
    low, middle, high = (
        number(compared[name], "+z.3f") for name in ("ci_low", "difference", "ci_high")
    )
    p = compared["p"]
    shown = "–" if p is None else "< 0.001" if p < 0.001 else f"= {p:.3f}"
    return f"{middle} [{low}, {high}] p {shown}"


def shown_table(rows: list[Row]) -> pd.DataFrame:
    """The table that people read, all cells text; numbers that are not defined are dashes."""
    lines = []
    for row in rows:
        line = {"row": row.name, "split": row.split}
        for kind, score in row.scores.items():
            wide = kind not in ("against_height", "without_background")
            line[KINDS.get(kind, kind)] = shown_share(score, wide)
        inter, intra = row.scores["inter_objects"], row.scores.get("intra_object", {})
        compared = inter["compared"] or {}
        line["dB"] = number(compared.get("decibel"), "+z.2f")
        line["difference to baseline"] = shown_difference(compared)
        line["ties"] = f"{inter['ties']} / {intra.get('ties', 0)}"
        lines.append(line)
    return pd.DataFrame(lines)


def markdown(rows: list[Row], caption: str) -> str:
    table = shown_table(rows)
    lines = [table.columns, ["---"] * table.shape[1], *table.to_numpy()]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n" + caption + "\n"


def latex(rows: list[Row], caption: str) -> str:
    """The same table as a `table` whose `tabular` needs the package booktabs."""
    escaped = re.sub(r"([%_#&{}$])", r"\\\1", caption)
    return shown_table(rows).to_latex(index=False, escape=True, caption=escaped)


def table_csv(rows: list[Row], protocol: str) -> str:
    """All numbers of the scores at full precision, one line a row; empty where not defined."""
    lines = [
        {"row": row.name, "split": row.split, "protocol": protocol, **row.scores} for row in rows
    ]
    return pd.json_normalize(lines, sep="_").to_csv(index=False)


def per_image_csv(rows: list[Row], protocol: str) -> str:
    """Right, wrong and tied pairs of each kind, one line for each row and image."""
    head = [f"{kind}_{name}" for kind in KINDS for name in ("right", "wrong", "ties")]
    lines = [
        [row.name, row.split, protocol, frame, *counts.ravel()]
        for row in rows
        for frame, counts in zip(row.frames, row.counts, strict=True)
    ]
    table = pd.DataFrame(lines, columns=["row", "split", "protocol", "frame", *head])
    return table.to_csv(index=False)


def figure(rows: list[Row], protocol: str) -> Figure:
    """A panel for each kind of pairs: mean accuracy of every row with its interval, coloured by
    split."""
    names = list(dict.fromkeys(row.name for row in rows))
    splits = list(dict.fromkeys(row.split for row in rows))
    groups = [
        next((word for word in APPROACHES if name.startswith(f"{word}_")), "") for name in names
    ]
    height = {name: -at - 0.6 * len(set(groups[: at + 1])) for at, name in enumerate(names)}
    size = (13, 1.6 + 0.45 * (len(names) + len(set(groups))))
    canvas = Figure(figsize=size, layout="constrained")
    panels = canvas.subplots(1, len(KINDS), sharey=True)
    for axes, (kind, title) in zip(panels, KINDS.items(), strict=True):
        axes.axvline(0.5, color="0.6", linestyle="--", linewidth=1)
        for at, split in enumerate(splits):
            shown = [row for row in rows if row.split == split and row.scores[kind]["frames"]]
            scores = [row.scores[kind] for row in shown]
            mean = np.array([score["mean"] for score in scores])
            limits = np.array([[score["ci_low"], score["ci_high"]] for score in scores])
            axes.errorbar(
                mean,
                [height[row.name] + 0.26 * ((len(splits) - 1) / 2 - at) for row in shown],
                xerr=np.abs(limits.reshape(-1, 2).T - mean),
                fmt="os^"[at % 3],
                color=f"C{at}",
                markersize=5,
                capsize=2.5,
                linewidth=1.4,
                label=split,
            )
        axes.set(title=title, xlim=(-0.02, 1.02), xlabel="share of right pairs")
        axes.grid(axis="x", color="0.92")
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    labels = [
        name.replace(f"{group}_", f"{group} ", 1) if group else name
        for name, group in zip(names, groups, strict=True)
    ]
    axes.set_yticks(list(height.values()), labels)
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(splits), frameon=False)
    if protocol == "original":
        canvas.suptitle("protocol: original (2020)")
    return canvas


def write_results(folder: Path, rows: list[Row], caption: str, protocol: str) -> list[Path]:
    """Writes table.{md,csv,tex}, per_image.csv and figure.png; returns their paths, the figure
    last."""
    texts = {
        "table.md": markdown(rows, caption),
        "table.csv": table_csv(rows, protocol),
        "table.tex": latex(rows, caption),
        "per_image.csv": per_image_csv(rows, protocol),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    write_figure(folder / "figure.png", figure(rows, protocol))
    return [folder / name for name in (*texts, "figure.png")]
