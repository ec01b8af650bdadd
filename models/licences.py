"""Licences of models and datasets: one table, for the documentation and for --licence-policy."""

import contextlib
import functools
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.files import file_hash

POLICIES = ("any", "open", "commercial")


class Terms(NamedTuple):
    """Licence of a model's weights or of a dataset, and what is to be known of it."""

    licence: str
    note: str = ""


# licence, in lower case and words of model cards -> uses it allows. open: anyone may use, change
# and pass it on, for any purpose; commercial: commercial use is allowed.
USES = {
    **dict.fromkeys(("mit", "apache-2.0", "bsd-3-clause", "cc0-1.0"), ("open", "commercial")),
    **dict.fromkeys(("cc-by-4.0", "cc-by-sa-4.0"), ("open", "commercial")),
    **dict.fromkeys(("openrail", "openrail++", "creativeml-openrail-m"), ("commercial",)),
    **dict.fromkeys(("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "research only"), ()),
}
_HUGE = "hf:depth-anything/Depth-Anything-V2-"
MODELS = {
    "default": Terms("MIT", "trained on free photographs of COCO and depth by Tiefenrausch"),
    "default-comics": Terms("MIT", "from `default`, on *Pepper&Carrot* (CC BY 4.0)"),
    "text_areas": Terms("MIT", "trained on *Pepper&Carrot* (CC BY 4.0)"),
    "page": Terms("MIT", "trained on *Pepper&Carrot* (CC BY 4.0), free photographs of COCO"),
    "MiDaS": Terms("MIT", "v2.1; its ten training datasets have terms of their own"),
    "MiDaS_small": Terms("MIT", "v2.1, as MiDaS"),
    "DPT_*": Terms("MIT", "v3.x through torch.hub, as MiDaS"),
    f"{_HUGE}Small-hf": Terms("Apache-2.0"),
    f"{_HUGE}Base-hf": Terms("CC-BY-NC-4.0"),
    f"{_HUGE}Large-hf": Terms("CC-BY-NC-4.0"),
    "tiefenrausch_float.ts": Terms("MIT", "Copyright (c) 2020 Facebook Research"),
    "hf:*": Terms("of its model card", "read there; unknown without a card"),
    "a file": Terms("unknown", "whoever made it says"),
}
# files that are known by what is in them: SHA-256 -> name
FILES = {
    "14e76bfdb09da9e60bb0c5a1414947f8e85db00dd38ed4f92ae68a3f726386dd": "tiefenrausch_float.ts",
}
DATASETS = {
    "synthetic world": Terms("MIT", "drawn by this repository"),
    "*Pepper&Carrot* with its boxes and orderings": Terms(
        "CC-BY-4.0", "David Revoy and translators: data/peppercarrot/sources.toml"
    ),
    "COCO 2017, photographs": Terms(
        "of each photograph", "111 that are free: data/coco_free_photographs.tsv"
    ),
    "DCM772": Terms("research only", "asked for at its authors"),
    "eBDtheque": Terms("research only", "asked for at its authors"),
    "DA-2K": Terms("Apache-2.0", "pairs for scoring"),
    "AI4VA": Terms("research only", "pairs for scoring"),
}


@functools.cache  # a hub that does not answer costs half a minute
def licence(model: str) -> str:
    """Licence of the weights of a depth model: of this table, or in the words of its card."""
    path = Path(model)
    if path.is_file():
        known = FILES.get(file_hash(path))
        return MODELS[known].licence if known else "unknown, ask who made the file"
    if model.startswith("DPT_"):
        return MODELS["DPT_*"].licence
    if model in MODELS:
        return MODELS[model].licence
    if not model.startswith("hf:"):
        return "unknown, ask who made the file"
    repository = model.removeprefix("hf:")
    found = None
    # Not known without a card, or without a network and a card that was read before.
    with contextlib.suppress(Exception):
        from huggingface_hub import ModelCard

        card = Path(repository, "README.md")
        data = ModelCard.load(card if Path(repository).is_dir() else repository).data
        found = data.get("license_name") or data.get("license")
    return str(found or "unknown, see the model's page")


def check_licence(model: str, policy: str) -> None:
    """Raises UserError if the licence of a depth model does not allow the use that `policy` names
    (any: everything does)."""
    if policy == "any":
        return
    found = licence(model)
    uses = USES.get(found.lower())
    if uses is None:
        raise UserError(
            f"{model}: its licence ({found}) is not known to allow {policy} use, which"
            f" --licence-policy {policy} asks for; read it, and say --licence-policy any"
        )
    if policy not in uses:
        raise UserError(
            f"{model}: its licence, {found}, does not allow {policy} use, which --licence-policy"
            f" {policy} asks for; take another model"
        )


def table(title: str, entries: dict[str, Terms]) -> str:
    """Markdown of one part of the table."""
    lines = [f"| {title} | licence | open | commercial | |", "|---|---|---|---|---|"]
    for name, terms in entries.items():
        uses = USES.get(terms.licence.lower())
        shown = ["?" if uses is None else "yes" if use in uses else "no" for use in POLICIES[1:]]
        lines.append(f"| {name} | {terms.licence} | {' | '.join(shown)} | {terms.note} |")
    return "\n".join(lines) + "\n"


def document() -> str:
    """docs/licences.md."""
    return f"""# Licences

Written by `python -m models.licences > docs/licences.md`; the same table decides what
`--licence-policy open|commercial` refuses. Open: anyone may use, change and pass it on, for any
purpose. Commercial: commercial use is allowed. A model whose licence is not known is refused under
both. What a card says is not legal advice, and weights may be bound by what they were trained on.

{table("model", MODELS)}
{table("dataset", DATASETS)}
The code is MIT ([LICENSE](../LICENSE)).
"""


if __name__ == "__main__":
    print(document(), end="")
