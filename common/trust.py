"""Models that bring code of their own: it runs only if the user trusts it."""

import os
from pathlib import Path

from common.errors import UserError
from common.files import lines_of

VARIABLE = "COMICS_DEPTH_TRUST_CODE"  # not empty: the code of every model is trusted


def trust_code() -> None:
    """Trusts the code of every model, in this process and in those that it starts."""
    os.environ[VARIABLE] = "1"


def check_trust(source: str, key: str) -> None:
    """Raises UserError unless the code of the model `source` is trusted. key: what begins its line
    in the user's list, the SHA-256 of its file or the repository and revision of its code."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    path = Path(folder).expanduser() / "comics-depth" / "trusted.txt"
    lines = lines_of(path) if path.exists() else []
    if not os.environ.get(VARIABLE) and key not in {line.split()[0] for _, line in lines}:
        raise UserError(
            f"{source}: brings code that runs when it is loaded; if you trust who made it, give "
            f"--trust-code, or add this line to {path}: {key} {Path(source).name}"
        )
