"""The licences of models, what --licence-policy refuses, and that the documentation agrees."""

import re
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

import evaluation
from common.errors import UserError
from models.checkpoints import SHIPPED
from models.external import HUB_MODELS, OFFICIAL
from models.licences import MODELS, USES, check_licence, licence

ROOT = Path(__file__).parents[2]
POLICIES = ("open", "commercial")
TEACHER = ROOT.parent / "shared/realdata/depth_teacher/tiefenrausch_float.ts"


def test_the_document_says_what_the_code_says():
    text = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S.*?) \| (.+?) \| (yes|no|\?) \| (yes|no|\?) \|", text, re.MULTILINE)
    found = {name: said for name, *said in rows}
    assert {name: found[name][0] for name in MODELS} == MODELS and len(found) > len(MODELS)
    for said, *allowed in found.values():
        uses = USES.get(said.lower())
        shown = ["?" if uses is None else "no" if use not in uses else "yes" for use in POLICIES]
        assert allowed == shown, said


def test_models_in_the_box_have_the_licence_of_their_files():
    for name, path in SHIPPED.items():
        with safe_open(path, "np") as file:
            assert file.metadata()["licence"] == licence(name)
    assert {licence(name) for name in (*OFFICIAL, *HUB_MODELS)} == {"MIT"}


def card(folder, text):
    folder.mkdir()
    (folder / "README.md").write_text(f"---\nlicense: {text}\n---\n")
    return f"hf:{folder}"


def test_what_is_refused(tmp_path):
    free, rail, research = (
        card(tmp_path / name, text)
        for name, text in (("a", "apache-2.0"), ("b", "openrail"), ("c", "cc-by-nc-4.0"))
    )
    odd = tmp_path / "odd.ts"
    odd.write_bytes(b"a network")
    for model in (free, rail, research, str(odd), "hf:nobody/nothing"):
        check_licence(model, "any")
    for policy in POLICIES:
        check_licence(free, policy)
        check_licence("default-comics", policy)
        with pytest.raises(UserError, match=f"cc-by-nc-4.0, does not allow {policy} use"):
            check_licence(research, policy)
        with pytest.raises(UserError, match=r"unknown, ask who made the file\) is not known"):
            check_licence(str(odd), policy)
        with pytest.raises(UserError, match=r"CC-BY-NC-4\.0, does not allow"):
            check_licence("hf:depth-anything/Depth-Anything-V2-Large-hf", policy)
    check_licence(rail, "commercial")
    with pytest.raises(UserError, match="openrail, does not allow open use"):
        check_licence(rail, "open")


def test_commands_refuse(tmp_path, monkeypatch):
    words = ["models", "default", card(tmp_path / "c", "cc-by-nc-4.0"), "--licence-policy", "open"]
    monkeypatch.setattr(sys, "argv", ["evaluation.py", *words, "--data-root", str(tmp_path)])
    with pytest.raises(UserError, match="does not allow open use"):
        evaluation.main()


@pytest.mark.skipif(not TEACHER.exists(), reason="the depth teacher is not here")
def test_a_file_is_known_by_what_is_in_it():
    assert licence(str(TEACHER)) == "MIT"
