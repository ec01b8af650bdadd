"""What the variants optimise: losses by hand, who learns from which of them, and what the networks
are shown."""

import copy
import math

import pytest
import torch
from torch import nn

from models.cyclegan import ResnetGenerator
from models.depth_model import DepthModel
from models.depth_objectives import DepthOrdering, DepthTraining
from models.gan_objectives import AddText, CycleGAN, ImagePool, add_text, depth_view
from models.losses import (
    _standardised,
    discriminator_loss,
    edge_aware_smoothness,
    l1,
    lsgan,
    pairs_in_order,
    ranking,
    scale_and_shift_invariant,
)
from models.objectives import TextAreas

torch.set_num_threads(1)
ALL = torch.ones(1, 2, 2)
TINY = {"features": 2, "blocks": 1}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class TinyDepth(nn.Module):
    """A depth network of one convolution and a BatchNorm, which would show if somebody trained
    it."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 1, 3, padding=1), nn.BatchNorm2d(1)

    def forward(self, x):
        return 1000 * self.norm(self.convolution(x)) - 500


def tiny_depth():
    return DepthModel(TinyDepth(), {"kind": "MiDaS", "resolution": 32}, ((0.5,) * 3, (0.5,) * 3))


def images(count=2, side=32, channels=3):
    return torch.rand(count, channels, side, side)


def batch_of(count=2, side=32):
    mask = torch.zeros(count, 1, side, side)
    mask[..., :8, :] = 1
    return {
        "natural": {"image": images(count, side), "depth": images(count, side, 1) * 10},
        "comics": {"image": images(count, side), "text_mask": mask},
    }


def state(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def unchanged(network, before):
    return all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def gradients(network):
    return [parameter.grad for parameter in network.parameters()]


def step(objective, request):
    """What the training loop does with a request."""
    name, losses = request
    objective.optimizers[name].zero_grad()
    sum(losses.values()).backward()
    objective.optimizers[name].step()
    objective.after_step(name)
    return name, {term: float(value.detach()) for term, value in losses.items()}


def measured(objective, batch):
    """Optimiser name -> term -> value, without stepping."""
    return {
        name: {term: float(value.detach()) for term, value in losses.items()}
        for name, losses in objective.steps(batch)
    }


# Losses by hand
def test_l1_is_the_mean_over_valid_pixels():
    predicted, target = (
        torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]),
        torch.tensor([[[0.0, 4.0], [3.0, 400.0]]]),
    )
    valid = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    assert float(l1(predicted, target, valid)) == pytest.approx((1 + 2 + 0) / 3)
    assert float(l1(predicted, target, ALL)) == pytest.approx((1 + 2 + 0 + 396) / 4)
    assert float(l1(predicted, target, torch.tensor([[[1.0, 0.5], [0.0, 0.0]]]))) == pytest.approx(
        (1 + 1) / 1.5
    )
    assert float(l1(predicted, target, 0 * valid)) == 0
    # over the batch as a whole: an image that is all text does not count as zero
    both = (
        torch.cat([predicted, predicted]),
        torch.cat([target, target]),
        torch.cat([valid, 0 * valid]),
    )
    assert float(l1(*both)) == pytest.approx(1)


def test_standardising_by_hand():
    depth = torch.tensor([[[1.0, 2.0, 3.0, 100.0]], [[0.0, 0.0, 10.0, 0.0]]])
    valid = torch.tensor([[[1.0, 1.0, 1.0, 0.0]], [[1.0, 1.0, 1.0, 1.0]]])
    # medians 2 and 0; mean absolute deviations 2/3 and 10/4
    assert _standardised(depth, valid)[0, 0, :3].tolist() == pytest.approx([-1.5, 0, 1.5])
    assert _standardised(depth, valid)[1, 0].tolist() == pytest.approx([0, 0, 4, 0])


def test_scale_and_shift_invariant_by_hand():
    # target (0, 1, 2): median 1, deviation 2/3 -> (-1.5, 0, 1.5); predicted (0, 2, 1) -> (-1.5,
    # 1.5, 0)
    predicted, target = torch.tensor([[[0.0, 2.0, 1.0]]]), torch.tensor([[[0.0, 1.0, 2.0]]])
    # difference (0, 1.5, -1.5), so 0.5 * 3 / 3 = 0.5 gradients: scale 1: (1.5 + 3) / 3 pixels;
    # scale 2, pixels 0 and 2: 1.5 / 2; scales 4 and 8: one pixel, none
    expected = 0.5 + 0.5 * (4.5 / 3 + 1.5 / 2)
    assert float(
        scale_and_shift_invariant(predicted, target, torch.ones(1, 1, 3))
    ) == pytest.approx(expected)
    upright = [depth.transpose(1, 2) for depth in (predicted, target, torch.ones(1, 1, 3))]
    assert float(scale_and_shift_invariant(*upright)) == pytest.approx(expected)
    # a fourth pixel that is not valid changes nothing: the gradient to it, and its own value, are
    # left out
    wider = [torch.cat([depth, torch.full((1, 1, 1), 77.0)], 2) for depth in (predicted, target)]
    valid = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    assert float(scale_and_shift_invariant(*wider, valid)) == pytest.approx(expected)


def test_scale_and_shift_do_not_matter_but_order_and_mask_do():
    depth, valid = torch.rand(3, 20, 24), torch.ones(3, 20, 24)
    scale, shift = (
        torch.tensor([0.01, 3.0, 900.0])[:, None, None],
        torch.tensor([5.0, -70.0, 0.0])[:, None, None],
    )
    assert float(scale_and_shift_invariant(scale * depth + shift, depth, valid)) == pytest.approx(
        0, abs=1e-3
    )
    for other in (-depth, depth**3, torch.rand(3, 20, 24), torch.zeros(3, 20, 24)):
        assert float(scale_and_shift_invariant(other, depth, valid)) > 0.05
    valid[:, 4:9, 3:17] = 0
    spoiled = depth.clone()
    spoiled[:, 4:9, 3:17] += 50 * torch.rand(3, 5, 14)
    assert float(scale_and_shift_invariant(2 * spoiled, depth, valid)) == pytest.approx(0, abs=1e-4)
    assert float(scale_and_shift_invariant(2 * spoiled, depth, torch.ones_like(valid))) > 0.05
    assert float(scale_and_shift_invariant(spoiled, depth, 0 * valid)) == 0
    learning = torch.rand(3, 20, 24, requires_grad=True)
    scale_and_shift_invariant(learning, depth, valid).backward()
    assert learning.grad.isfinite().all() and learning.grad[valid > 0].abs().max() > 0
    flat = torch.zeros(3, 20, 24, requires_grad=True)
    scale_and_shift_invariant(flat, depth, valid).backward()
    assert flat.grad.isfinite().all()


def test_least_squares_gan_by_hand():
    verdict = torch.tensor([[[[0.0, 1.0], [2.0, -1.0]]]])
    assert float(lsgan(verdict, True)) == pytest.approx((1 + 0 + 1 + 4) / 4)
    assert float(lsgan(verdict, False)) == pytest.approx((0 + 1 + 4 + 1) / 4)
    assert float(discriminator_loss(nn.Identity(), verdict, 2 * verdict)) == pytest.approx(
        0.5 * (1.5 + 6)
    )


def test_smoothness_counts_changes_where_the_source_has_none():
    stripes = torch.zeros(1, 3, 4, 4)
    stripes[..., 1::2, :] = 0.5
    flat = torch.full_like(stripes, 0.7)
    assert edge_aware_smoothness(stripes, flat).item() == pytest.approx(0.5)
    edges = edge_aware_smoothness(stripes, stripes).item()
    assert edges == pytest.approx(0.5 * math.exp(-5))
    assert edge_aware_smoothness(flat, stripes).item() == 0


def test_text_areas_is_the_mean_squared_error():
    objective = TextAreas(features=2, lr=1e-3)
    objective.networks["text"] = nn.Conv2d(3, 1, 1)
    nn.init.constant_(objective.networks["text"].weight, 0)
    nn.init.constant_(objective.networks["text"].bias, 0.25)
    mask = torch.tensor([[[[0.0, 1.0], [1.0, 1.0]]]])
    ((name, losses),) = objective.steps({"image": images(1, 2), "text_mask": mask})
    assert name == "text" and float(losses["mse"].detach()) == pytest.approx(
        (0.0625 + 3 * 0.5625) / 4
    )


# Past fakes
def numbered(*values):
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def test_pool_fills_up_then_trades_half_of_the_fakes():
    pool = ImagePool(size=3)
    assert pool.exchange(numbered(0, 1, 2)).flatten().tolist() == [0, 1, 2]
    swapped = 0
    for number in range(3, 203):
        held = [float(image) for image in pool.images]
        shown = float(pool.exchange(numbered(number)))
        assert len(pool.images) == 3
        now = [float(image) for image in pool.images]
        if shown == number:
            assert now == held
        else:
            swapped += 1
            assert shown in held and now == [number if value == shown else value for value in held]
    assert 70 < swapped < 130
    learning = torch.rand(5, 1, 1, 1, requires_grad=True)
    assert not pool.exchange(learning).requires_grad
    assert ImagePool().size == 50


def test_pool_is_part_of_the_state():
    objective = CycleGAN(TINY, 1e-3, 0.5)
    objective.pools["natural"].exchange(numbered(4, 5))
    other = CycleGAN(TINY, 1e-3, 0.5)
    other.load_state(objective.state())
    assert [float(image) for image in other.pools["natural"].images] == [4, 5] and other.pools[
        "comics"
    ].images == []


# Translation
NAMES = ["generators", "natural_discriminator", "comics_discriminator"]


@pytest.mark.parametrize("aware", [False, True])
def test_each_step_of_a_cyclegan_learns_its_own_networks(aware):
    teacher = tiny_depth().train() if aware else None
    objective = CycleGAN(TINY, 1e-2, 0.5, teacher)
    assert objective.networks["natural_discriminator"].architecture["in_channels"] == (
        4 if aware else 3
    )
    before_teacher = state(teacher) if aware else None
    generators = ["natural2comics", "comics2natural"]
    learned = {"generators": generators, **{name: [name] for name in NAMES[1:]}}
    seen = []
    for request in objective.steps(batch_of()):
        before = {name: state(network) for name, network in objective.networks.items()}
        objective.networks.zero_grad()
        name, losses = step(objective, request)
        seen.append(name)
        assert set(losses) == ({"gan", "cycle", "identity"} if name == "generators" else {"gan"})
        for network_name, network in objective.networks.items():
            mine = network_name in learned[name]
            assert unchanged(network, before[network_name]) != mine
            assert all(
                (grad is not None and grad.abs().sum() > 0) == mine for grad in gradients(network)
            )
    assert seen == NAMES
    if aware:
        assert unchanged(teacher, before_teacher) and gradients(teacher) == [None] * 4
        assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_the_average_of_the_generators_is_drawn_and_the_others_learn():
    objective = CycleGAN(TINY, 1e-2, 0.5, average=0.75)
    used = objective.networks["natural2comics"]
    start = state(used)
    assert unchanged(objective.learning("natural2comics"), start)
    expected = start
    for _ in range(2):
        for request in objective.steps(batch_of()):
            step(objective, request)
        now = state(objective.learning("natural2comics"))
        assert not unchanged(objective.learning("natural2comics"), expected)
        expected = {key: 0.75 * expected[key] + 0.25 * now[key] for key in now}
        for key, value in used.state_dict().items():
            assert torch.allclose(value, expected[key], atol=1e-6)
    assert gradients(used) == [None] * len(list(used.parameters()))
    batch = batch_of()
    (_, photograph), (_, drawn) = objective.pictures(batch)[:2]
    assert torch.equal(drawn, used(photograph))


def test_without_average_and_spectral_norm_a_cyclegan_is_what_it_was():
    plain = CycleGAN(TINY, 1e-2, 0.5)
    assert list(plain.networks) == ["natural2comics", "comics2natural", *NAMES[1:]]
    assert plain.learning("natural2comics") is plain.networks["natural2comics"]
    torch.manual_seed(3)
    one = CycleGAN(TINY, 1e-2, 0.5)
    torch.manual_seed(3)
    spelled = {"features": 2, "patch": 70, "spectral": False}
    other = CycleGAN({**TINY, "skips": False}, 1e-2, 0.5, discriminator=spelled, average=0)
    batch = batch_of()
    assert measured(one, batch) == measured(other, batch)


class Constant(nn.Module):
    """A network whose picture, or verdict, is one number."""

    def __init__(self, value, channels=None):
        super().__init__()
        self.architecture = {"residual": False}
        self.value = nn.Parameter(torch.tensor(float(value)))
        self.channels = channels
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        shape = (len(x), self.channels or 3, *x.shape[-2:])
        return self.value.expand(shape)


def test_losses_of_a_cyclegan_by_hand():
    objective = CycleGAN(TINY, 1e-3, 0.5)
    for name, value in {
        "natural2comics": 0.2,
        "comics2natural": 0.6,
        "natural_discriminator": 0.5,
        "comics_discriminator": 0.1,
    }.items():
        objective.networks[name] = Constant(value)
    natural, comics = torch.full((1, 3, 4, 4), 0.9), torch.full((1, 3, 4, 4), 0.3)
    steps = measured(objective, {"natural": {"image": natural}, "comics": {"image": comics}})
    # natural 0.9 -> 0.2 -> 0.6, comics 0.3 -> 0.6 -> 0.2
    assert steps["generators"]["cycle"] == pytest.approx(10 * (0.3 + 0.1) / 2)
    assert steps["generators"]["identity"] == pytest.approx(5 * (0.1 + 0.3) / 2)
    assert steps["generators"]["gan"] == pytest.approx((0.5**2 + 0.9**2) / 2)
    assert steps["natural_discriminator"]["gan"] == pytest.approx(0.5 * (0.5**2 + 0.5**2))
    assert steps["comics_discriminator"]["gan"] == pytest.approx(0.5 * (0.9**2 + 0.1**2))
    discriminator = objective.networks["comics_discriminator"]
    assert [float(seen.mean()) for seen in discriminator.seen] == pytest.approx(
        [0.2, 0.3, 0.2]
    )  # fake, then real and fake


def test_a_weight_on_smoothness_adds_its_term_for_both_directions():
    objective = CycleGAN(TINY, 1e-3, 0.5, smooth=2)
    batch = batch_of()
    natural, comics = batch["natural"]["image"], batch["comics"]["image"]
    with torch.no_grad():
        there = edge_aware_smoothness(objective.networks["natural2comics"](natural), natural)
        back = edge_aware_smoothness(objective.networks["comics2natural"](comics), comics)
    expected = float(there + back)
    assert measured(objective, batch)["generators"]["smooth"] == pytest.approx(expected, rel=1e-4)


def test_depth_view_is_between_zero_and_one_per_image_and_passes_gradients():
    teacher = tiny_depth().eval().requires_grad_(False)
    natural = images(3).requires_grad_(True)
    seen = depth_view(teacher, natural)
    assert seen.shape == (3, 4, 32, 32) and torch.equal(seen[:, :3], natural)
    assert seen[:, 3].amin((1, 2)).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert seen[:, 3].amax((1, 2)).tolist() == pytest.approx([1, 1, 1])
    depth = teacher(natural).detach()
    low, high = depth.amin((1, 2), True), depth.amax((1, 2), True)
    assert torch.allclose(seen[:, 3], (depth - low) / (high - low))
    seen[:, 3].square().sum().backward()
    assert all(natural.grad[index].abs().sum() > 0 for index in range(3))
    nn.init.zeros_(teacher.network.convolution.weight)
    assert depth_view(teacher, images(1))[:, 3].abs().max() == 0  # a flat map stays finite


def test_the_generator_learns_through_the_frozen_teacher():
    objective = CycleGAN(TINY, 1e-3, 0.5, tiny_depth())
    discriminator = objective.networks["natural_discriminator"]
    with torch.no_grad():  # a discriminator that sees nothing but the depth
        discriminator.features[0].weight[:, :3] = 0
    fake = objective.networks["comics2natural"](images(1))
    lsgan(discriminator(objective.view(fake)), True).backward()
    assert all(
        grad is not None and grad.abs().sum() > 0
        for grad in gradients(objective.networks["comics2natural"])
    )


# Text
class Recorder(nn.Module):
    def __init__(self):
        super().__init__()
        self.architecture = {"kind": "recorder", "residual": False}

    def forward(self, x):
        self.seen = x.detach().clone()
        return x[:, :3]


def test_the_text_adder_sees_the_text_areas_alone_unless_whole():
    batch, recorder = batch_of(), Recorder()
    comics, mask, photograph = (
        batch["comics"]["image"],
        batch["comics"]["text_mask"],
        batch["natural"]["image"],
    )
    add_text(recorder, comics, mask, photograph, whole=False)
    assert recorder.seen.shape == (2, 7, 32, 32)
    assert (
        torch.equal(recorder.seen[:, :3, :8], comics[:, :, :8])
        and recorder.seen[:, :3, 8:].abs().max() == 0
    )
    assert torch.equal(recorder.seen[:, 3:4], mask) and torch.equal(
        recorder.seen[:, 4:], photograph
    )
    add_text(recorder, comics, mask, photograph, whole=True)
    assert torch.equal(recorder.seen[:, :3], comics)


def test_a_residual_text_adder_starts_from_the_pasted_text():
    batch = batch_of()
    comics, mask = batch["comics"]["image"], batch["comics"]["text_mask"]
    generator = ResnetGenerator(7, 2, 1, residual=True)
    nn.init.zeros_(generator.head[1].weight)
    photograph = batch["natural"]["image"]
    pasted = add_text(generator, comics, mask, photograph, whole=False)
    expected = torch.where(mask > 0, comics, photograph).clamp(0.02, 0.98)
    assert torch.allclose(pasted, expected, atol=1e-5)


@pytest.mark.parametrize("whole", [False, True])
def test_the_picture_depends_on_comics_outside_the_text_only_if_whole(whole):
    objective = AddText(Recorder(), TINY, 1e-3, 0.5, whole_comics=whole)
    batch = batch_of()
    first = objective.pictures(batch)
    assert [tuple(column.shape) for _, column in first] == [(2, 3, 32, 32)] * 5
    batch["comics"]["image"][..., 12:, :] = torch.rand(2, 3, 20, 32)
    assert torch.equal(first[-1][1], objective.pictures(batch)[-1][1]) != whole
    assert objective.architecture["add_text"]["whole_comics"] is whole


def test_each_step_of_add_text_learns_its_own_networks():
    translator = ResnetGenerator(3, 2, 1)
    objective, before_translator = AddText(translator, TINY, 1e-2, 0.5), state(translator)
    learned, seen = {"generator": "add_text", "discriminator": "discriminator"}, []
    for request in objective.steps(batch_of()):
        before = {name: state(network) for name, network in objective.networks.items()}
        objective.networks.zero_grad()
        name, _ = step(objective, request)
        seen.append(name)
        for network_name, network in objective.networks.items():
            mine = network_name == learned[name]
            assert unchanged(network, before[network_name]) != mine
            assert all(
                (grad is not None and grad.abs().sum() > 0) == mine for grad in gradients(network)
            )
    assert seen == ["generator", "discriminator"]
    assert unchanged(translator, before_translator) and all(
        grad is None for grad in gradients(translator)
    )


def test_losses_of_add_text_by_hand():
    objective = AddText(Constant(0.8), TINY, 1e-3, 0.5)
    objective.networks["add_text"], objective.networks["discriminator"] = (
        Constant(0.5),
        Constant(0.25),
    )
    natural, comics = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, :] = 1  # a quarter is text
    steps = measured(
        objective, {"natural": {"image": natural}, "comics": {"image": comics, "text_mask": mask}}
    )
    assert steps["generator"]["gan"] == pytest.approx(0.75**2)
    assert steps["generator"]["outside"] == pytest.approx(3 * 0.3 * 0.75)
    assert steps["generator"]["inside"] == pytest.approx(3 * 0.4 * 0.25)
    assert steps["generator"]["identity"] == pytest.approx(5 * 0.4)
    assert steps["discriminator"]["gan"] == pytest.approx(0.5 * (0.75**2 + 0.25**2))


# Depth
def depth_training(loss="l1", ignore_text=True, **frozen):
    return DepthTraining(tiny_depth(), 1e-3, loss, **frozen, ignore_text=ignore_text)


@pytest.mark.parametrize("loss", ["l1", "ssi"])
@pytest.mark.parametrize("ignore_text", [True, False])
def test_ignoretext_ignores_what_lies_under_text(loss, ignore_text):
    objective, batch = depth_training(loss, ignore_text), batch_of()
    first = float(objective.measure(batch)[0].detach())
    batch["natural"]["depth"][..., :8, :] += 30 * torch.rand(2, 1, 8, 32)
    assert (float(objective.measure(batch)[0].detach()) == first) == ignore_text
    batch["natural"]["depth"][..., 20, :] += 30
    assert float(objective.measure(batch)[0].detach()) != first


def test_ignored_pixels_give_no_gradient():
    objective, batch = depth_training("l1"), batch_of()
    batch["comics"]["text_mask"][:] = 1
    ((name, losses),) = objective.steps(batch)
    step(objective, (name, losses))
    assert name == "depth" and float(losses["loss"].detach()) == 0
    assert all(grad.abs().sum() == 0 for grad in gradients(objective.networks["depth"]))


def test_the_student_sees_photographs_comics_or_comics_with_text():
    batch, translator = batch_of(), Constant(0.4)
    natural, comics = batch["natural"]["image"], batch["comics"]["image"]
    assert torch.equal(depth_training(ignore_text=False).inputs(batch), natural)
    assert torch.equal(
        depth_training(translator=translator).inputs(batch), torch.full_like(natural, 0.4)
    )
    recorder = Recorder()
    depth_training(translator=translator, text_adder=recorder).inputs(batch)
    assert recorder.seen[:, :3, 8:].abs().max() == 0 and (recorder.seen[:, 4:] == 0.4).all()
    # as a checkpoint of `add_text --whole-comics` says
    recorder.architecture = {"whole_comics": True, "residual": False}
    depth_training(translator=translator, text_adder=recorder).inputs(batch)
    assert torch.equal(recorder.seen[:, :3], comics)


def test_what_the_student_learns_from_is_augmented_and_not_what_measures_it():
    shown = []
    objective = DepthTraining(tiny_depth(), 1e-3, "l1", augment=lambda i: shown.append(i) or 0 * i)
    batch = batch_of()
    measured = float(objective.measure(batch)[0].detach())
    assert not shown
    ((_, losses),) = objective.steps(batch)
    assert torch.equal(shown[0], batch["natural"]["image"])
    assert float(losses["loss"].detach()) != measured


def test_what_is_kept_lies_between_the_weights_before_and_those_learnt():
    """Statistics of BatchNorm too, and after a resume, for which the start is read anew."""
    student = tiny_depth()
    before = state(student)
    objective = DepthTraining(copy.deepcopy(student), 1e-2, "ssi", interpolate=0.25)
    assert unchanged(objective.networks["depth"], before)
    for _ in range(2):
        for request in objective.steps(batch_of()):
            step(objective, request)
    resumed = DepthTraining(student, 1e-2, "ssi", interpolate=0.25)
    resumed.networks.load_state_dict(objective.networks.state_dict())
    for trained in (objective, resumed):
        for request in trained.steps(batch_of()):
            step(trained, request)
        learnt, kept = state(trained.learning("depth")), state(trained.networks["depth"])
        assert not unchanged(trained.learning("depth"), before)
        assert set(kept) == set(before)
        for key, value in kept.items():
            if value.is_floating_point():
                between = before[key] + 0.25 * (learnt[key] - before[key])
                assert torch.allclose(value, between, atol=1e-6), key


def test_only_the_student_learns():
    translator, adder = ResnetGenerator(3, 2, 1), ResnetGenerator(7, 2, 1)
    objective = depth_training(translator=translator, text_adder=adder)
    before, student = [state(translator), state(adder)], state(objective.networks["depth"])
    assert [step(objective, request)[0] for request in objective.steps(batch_of())] == ["depth"]
    assert unchanged(translator, before[0]) and unchanged(adder, before[1])
    assert not unchanged(objective.networks["depth"], student)
    assert list(objective.optimizers) == ["depth"]


# Orderings
def test_pairs_in_order_leave_out_ties():
    points = torch.tensor([[1, 1, 0, 0], [1, 2, 1, 0], [2, 1, 2, 0], [2, 1, 3, 0]])
    nearer, farther = pairs_in_order(points)
    found = set(zip(nearer.tolist(), farther.tolist(), strict=True))
    assert found == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)}


def test_ranking_by_hand():
    depth = torch.tensor([[5.0, 1.0], [3.0, 9.0]])
    # depths 5, 1, 3 at x, y: median 3, mean absolute deviation 4 / 3, so 1.5, -1.5 and 0
    points = torch.tensor([[1, 1, 0, 0], [2, 1, 1, 0], [3, 1, 0, 1]])
    # first before second: level with it, so against height, and no background; the others have the
    # farthest point, below the nearer one
    weights = {(0, 1): (3.0, 2.0), (0, 2): (1.5, 1.5), (1, 2): (-1.5, 1.5)}
    losses = [weight * math.log1p(math.exp(-2 * d)) for d, weight in weights.values()]
    assert float(ranking(depth, points)) == pytest.approx(sum(losses) / 5)
    below = torch.tensor([[1, 1, 0, 1], [2, 1, 1, 0], [2, 2, 0, 0]])  # depths 3, 1, 5
    losses = [math.log1p(math.exp(-2 * d)) for d in (1.5, -1.5, -3.0)]
    assert float(ranking(depth, below)) == pytest.approx(sum(losses) / 3)


def test_ranking_knows_no_scale_and_needs_a_pair():
    depth = torch.rand(8, 8, requires_grad=True)
    points = torch.tensor([[1, 1, 0, 0], [2, 1, 5, 2], [2, 2, 7, 7], [3, 1, 3, 3]])
    moved = ranking(7 * depth - 2, points)
    assert moved.item() == pytest.approx(ranking(depth, points).item())
    same = torch.tensor([[1, 1, 0, 0], [1, 1, 5, 2]])
    loss = ranking(depth, same)
    loss.backward()
    assert loss.item() == 0 and depth.grad.abs().sum() == 0


def ordered_batch():
    """Two frames of other sizes: left is near, right is far, above and below cannot tell."""
    frames = []
    for height, width in ((32, 64), (64, 32)):
        points = [[1, 1, 2, 5], [1, 1, 3, height - 3], [2, 1, width - 4, 9], [2, 2, width - 2, 20]]
        frames.append(
            {
                "image": torch.rand(3, height, width),
                "depth": torch.rand(1, height, width),
                "valid": torch.ones(1, height, width),
                "points": torch.tensor(points),
            }
        )
    return {"comics": frames}


def test_orderings_are_learnt():
    objective = DepthOrdering(tiny_depth(), 1e-2, regulariser=0.1)
    batch, losses = ordered_batch(), []
    for _ in range(60):
        for name, terms in objective.steps(batch):
            losses.append(float(terms["order"].detach()))
            assert step(objective, (name, terms))[0] == "depth" and set(terms) == {"order", "shape"}
    assert losses[-1] < 0.7 * losses[0]


def test_the_running_mean_follows_the_student_and_its_age_is_part_of_the_state():
    objective = DepthOrdering(tiny_depth(), 1e-2, regulariser=0)
    weight = objective.learning("depth").network.convolution.weight
    mean = objective.networks["depth"].network.convolution.weight
    expected = weight.detach().clone()
    for kept in (2 / 21, 3 / 22):
        before = weight.detach().clone()
        for request in objective.steps(ordered_batch()):
            step(objective, request)
        assert not torch.equal(weight, before)
        expected = kept * expected + (1 - kept) * weight.detach()
        assert torch.allclose(mean, expected, atol=1e-6)
    again = DepthOrdering(tiny_depth(), 1e-2, regulariser=0)
    again.load_state(objective.state())
    assert again.stepped == objective.stepped == 2


def test_a_translated_photograph_counts_as_much_as_a_frame():
    """The loss of `simple` on it, of the student as it learns; none in a batch is 0."""
    translator = ResnetGenerator(3, features=2, blocks=1)
    objective = DepthOrdering(tiny_depth(), 1e-2, 1, translator=translator)
    simple = DepthTraining(objective.learning("depth"), 1e-2, "ssi", translator)
    photographs = {"image": torch.rand(1, 3, 32, 32), "depth": torch.rand(1, 1, 32, 32)}
    batch = ordered_batch()
    ((_, without),) = objective.steps(batch)
    ((_, terms),) = objective.steps(batch | {"natural": photographs})
    ((_, alone),) = simple.steps({"natural": photographs})
    loss = float(alone["loss"].detach())
    assert float(without.pop("translated")) == 0 < loss
    assert float(terms["translated"].detach()) == pytest.approx(loss / 2)
    assert all(torch.equal(terms[name], value) for name, value in without.items())


def test_text_has_no_shape_to_keep():
    objective, batch = DepthOrdering(tiny_depth(), 1e-3, regulariser=1), ordered_batch()
    for frame in batch["comics"]:
        frame["valid"][:, :16] = 0
    first = next(objective.steps(batch))[1]["shape"]
    for frame in batch["comics"]:
        frame["depth"][:, :14] += 30 * torch.rand_like(frame["depth"][:, :14])
    assert float(next(objective.steps(batch))[1]["shape"]) == pytest.approx(float(first))
    for frame in batch["comics"]:
        frame["depth"][:, 20] += 30
    assert float(next(objective.steps(batch))[1]["shape"]) > float(first)
