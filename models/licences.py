"""Licences of depth models, and what --licence-policy refuses; docs/licences.md is the table."""

import contextlib
import functools
from pathlib import Path

from common.errors import UserError
from common.files import file_hash

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
    **dict.fromkeys(("default", "default-comics", "text_areas", "page"), "MIT"),
    **dict.fromkeys(("MiDaS", "MiDaS_small"), "MIT"),
    f"{_HUGE}Small-hf": "Apache-2.0",
    f"{_HUGE}Base-hf": "CC-BY-NC-4.0",
    f"{_HUGE}Large-hf": "CC-BY-NC-4.0",
}
# files that are known by what is in them, by SHA-256
FILES = {"14e76bfdb09da9e60bb0c5a1414947f8e85db00dd38ed4f92ae68a3f726386dd": "MIT"}  # Tiefenrausch


@functools.cache  # a hub that does not answer costs half a minute
def licence(model: str) -> str:
    """Licence of the weights of a depth model: of this table, or in the words of its card."""
    path = Path(model)
    unknown = "unknown, ask who made the file"
    if path.is_file():
        return FILES.get(file_hash(path), unknown)
    if model.startswith("DPT_"):
        return "MIT"
    if model in MODELS or not model.startswith("hf:"):
        return MODELS.get(model, unknown)
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
