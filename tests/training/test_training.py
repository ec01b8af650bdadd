"""The training loop: exact resumption, what it writes, what it refuses, and several processes as
one."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.utils.data import Dataset

from benchmarks.recipe import reference_cyclegan, reference_networks
from comics_depth.cli import command_line, run_main
from comics_depth.images import read_image
from comics_depth.training.devices import resolved_precision
from comics_depth.training.loop import Diverged, TrainingOptions, _Training, fit
from comics_depth.training.run import Run, finished_run, read_metrics
from common.errors import UserError
from common.files import file_hash, read_json
from models.checkpoints import load_network, read_weights, save_checkpoint
from models.gan_objectives import CycleGAN, ImagePool
from models.objectives import TextAreas

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]


class Line:
    """y = a x + b, with dropout so that the global random state counts, and a counter as further
    state."""

    def __init__(self, lr=0.1):
        torch.manual_seed(0)
        self.networks = nn.ModuleDict({"line": nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 1))})
        self.frozen = nn.ModuleDict({"scale": nn.Linear(1, 1)})
        self.optimizers = {"line": torch.optim.Adam(self.networks["line"].parameters(), lr)}
        self.architecture = {"line": {"kind": "line"}}
        self.batches = 0

    def steps(self, batch):
        assert self.networks.training and not self.frozen.training
        self.batches += 1
        error = self.networks["line"](batch["x"])[:, 0] - batch["y"]
        yield "line", {"squared": error.square().mean(), "absolute": 0.5 * error.abs().mean()}

    def after_step(self, name):
        assert name == "line"

    def state(self):
        return {"batches": self.batches}

    def load_state(self, state):
        self.batches = state["batches"]


def Smooth():
    """The line without dropout, whose masks differ with the size of the batch."""
    objective = Line()
    objective.networks["line"][0].p = 0.0
    return objective


class Points(Dataset):
    """Noisy points that differ from epoch to epoch; `fails` at one (epoch, number of samples read
    in it)."""

    def __init__(self, count=8, fails=None, error=KeyboardInterrupt, value=None):
        self.count, self.fails, self.error, self.value, self.epoch, self.read = (
            count,
            fails,
            error,
            value,
            0,
            0,
        )

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.read += 1
        if self.fails and (self.epoch, self.read) >= self.fails:
            if self.value is None:
                raise self.error("stopped")
            return {"x": torch.zeros(2), "y": torch.tensor(self.value)}
        self.read %= self.count
        x = torch.randn(2, generator=torch.Generator().manual_seed(1000 * self.epoch + index))
        return {"x": x, "y": 3 * x[0] - x[1] + 1}


class Domains(Points):
    def __getitem__(self, index):
        super().__getitem__(index)
        noise = torch.Generator().manual_seed(1000 * self.epoch + index)
        return {
            domain: {"image": torch.rand(3, 32, 32, generator=noise)}
            for domain in ("natural", "comics")
        }


def cyclegan(pool=3):
    torch.manual_seed(0)
    objective = CycleGAN({"features": 2, "blocks": 1}, 1e-3, 0.5)
    objective.pools = {
        name: ImagePool(pool) for name in objective.pools
    }  # soon full: past fakes are shown
    return objective


def averaged_cyclegan():
    torch.manual_seed(0)
    discriminator = {"features": 2, "patch": 16, "spectral": True}
    generator = {"features": 2, "blocks": 1, "residual": True, "skips": True}
    return CycleGAN(generator, 1e-3, 0.5, discriminator=discriminator, average=0.9)


def Averaged():
    """With a running mean of the generators, but without the spectral norm, which is another for
    every pass."""
    torch.manual_seed(0)
    return CycleGAN({"features": 2, "blocks": 1, "residual": True}, 1e-3, 0.5, average=0.9)


OPTIONS = {"epochs", "batch_size", "seed", "schedule", "workers", "precision", "accumulate"}


def fit_with(objective, data, run, **options):
    """fit, with the options of TrainingOptions among the others."""
    training = {name: options.pop(name) for name in OPTIONS & set(options)}
    return fit(objective, data, run, TrainingOptions(**{"workers": 0, **training}), **options)


def train(folder, make=Line, data=None, recorded=None, restart=False, **options):
    """fit, with the sum of the weights as validation; `recorded` are the options of the run."""
    objective = make()
    run = Run(folder, recorded or {}, restart=restart)
    network = next(iter(objective.networks))

    def validate(device):
        return {"weight": float(sum(p.sum() for p in objective.networks[network].parameters()))}

    options = {"epochs": 4, "batch_size": 2, "validate": validate, "monitor": "weight", **options}
    data = data if data is not None else (Domains(6) if "cyclegan" in make.__name__ else Points())
    return objective, fit_with(objective, data, run, **options)


def comparable(folder):
    """Records without what may differ between runs."""
    records = read_metrics(folder)
    times = ("seconds", "data_wait")
    return [{k: v for k, v in record.items() if k not in times} for record in records]


def same(one, other):
    """Whether two checkpoints hold the same values, bit by bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def checkpoint(folder, name="last"):
    return torch.load(folder / f"{name}.pt", weights_only=True)


# Resumption
@pytest.mark.parametrize("make", [Line, cyclegan, averaged_cyclegan])
def test_two_epochs_and_two_more_are_four(tmp_path, make):
    _, whole = train(tmp_path / "whole", make)
    train(tmp_path / "parts", make, epochs=2)
    objective, resumed = train(tmp_path / "parts", make)
    assert (
        [record["epoch"] for record in whole]
        == [record["epoch"] for record in resumed]
        == [1, 2, 3, 4]
    )
    assert comparable(tmp_path / "whole") == comparable(tmp_path / "parts")
    for name in ("last", "best"):
        assert same(checkpoint(tmp_path / "whole", name), checkpoint(tmp_path / "parts", name))
    assert same(dict(objective.networks.state_dict()), dict(objective.networks.state_dict()))
    if make is cyclegan:
        assert len(checkpoint(tmp_path / "parts")["state"]["comics"]) == 3
    elif make is Line:
        assert checkpoint(tmp_path / "parts")["state"] == {"batches": 16}


@pytest.mark.parametrize("make", [Line, cyclegan, averaged_cyclegan])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_run_killed_inside_an_epoch_goes_on_as_if_it_had_not_been(tmp_path, make, error):
    kind = Points if make is Line else Domains
    train(tmp_path / "whole", make, schedule="linear")
    with pytest.raises(error):
        train(
            tmp_path / "killed",
            make,
            kind(8 if kind is Points else 6, fails=(3, 4), error=error),
            schedule="linear",
        )
    assert [record["epoch"] for record in read_metrics(tmp_path / "killed")] == [1, 2]
    assert checkpoint(tmp_path / "killed")["epoch"] == 2
    with pytest.raises(UserError, match="not finished; run first: the command"):
        finished_run(tmp_path / "killed", "the command")
    train(tmp_path / "killed", make, schedule="linear")
    assert comparable(tmp_path / "whole") == comparable(tmp_path / "killed")
    for name in ("last", "best", "previous"):
        assert same(checkpoint(tmp_path / "whole", name), checkpoint(tmp_path / "killed", name))
        whole, killed = (tmp_path / run / f"{name}.pt" for run in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes()  # so that their hashes are the same
    assert not [path for path in (tmp_path / "killed").rglob("*") if ".partial" in path.name]


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path):
    train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", data=Points(fails=(1, 5)))
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {".lock", "config.json"}
    train(tmp_path / "killed")
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "killed"))


def test_a_run_killed_between_record_and_checkpoint_does_the_epoch_again(tmp_path):
    train(tmp_path / "whole")
    train(tmp_path / "killed", epochs=3)
    before = (tmp_path / "killed/last.pt").read_bytes()
    train(tmp_path / "killed")
    (tmp_path / "killed/last.pt").write_bytes(
        before
    )  # the record of epoch 4 is there, its weights are not
    train(tmp_path / "killed")
    assert comparable(tmp_path / "whole") == comparable(tmp_path / "killed")
    for name in ("last", "best"):
        assert same(checkpoint(tmp_path / "whole", name), checkpoint(tmp_path / "killed", name))


@pytest.mark.parametrize("damage", ["cut", "zeroed", "empty", "gone"])
def test_a_damaged_last_checkpoint_gives_way_to_the_one_before(tmp_path, damage, capsys):
    train(tmp_path / "whole")
    train(tmp_path / "damaged", epochs=3)
    last = tmp_path / "damaged/last.pt"
    content = bytearray(last.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 256] = bytes(256)  # more than the gaps between parts
    damaged = {"cut": content[: len(content) // 2], "zeroed": content, "empty": b""}
    last.unlink()
    if damage in damaged:
        last.write_bytes(damaged[damage])
        with pytest.raises(UserError, match=r"last\.pt"):
            read_weights(last)
    train(tmp_path / "damaged")
    assert "taking previous.pt" in capsys.readouterr().out
    for name in ("last", "previous"):
        assert same(checkpoint(tmp_path / "whole", name), checkpoint(tmp_path / "damaged", name))


def test_a_finished_run_does_nothing_and_says_so(tmp_path, capsys):
    _, records = train(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    data = Points(fails=(0, 0))
    assert train(tmp_path, data=data)[1] == records
    assert "finished (4 epochs); nothing to do (--restart redoes it)" in capsys.readouterr().out
    assert data.read == 0
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert finished_run(tmp_path, "") == tmp_path / "best.pt"
    (tmp_path / "best.pt").unlink()
    assert finished_run(tmp_path, "") == tmp_path / "last.pt"
    with pytest.raises(
        UserError, match=r"absent: this run does not exist; run first: python x\.py --train"
    ):
        finished_run(tmp_path / "absent", "python x.py --train")


def test_a_finished_run_whose_networks_were_thrown_away_is_not_trained_again(tmp_path, capsys):
    _, records = train(tmp_path)
    save_checkpoint(
        tmp_path / "last.pt", {"epoch": 4, "epochs": 4}
    )  # as a sweep of learning rates does
    (tmp_path / "best.pt").unlink()
    assert train(tmp_path, data=Points(fails=(0, 0)))[1] == records
    assert "nothing to do" in capsys.readouterr().out


def test_other_options_are_an_error_that_names_them(tmp_path):
    train(tmp_path, epochs=1, recorded={"lr": 0.1})
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(
        UserError,
        match=r"other options \(lr: 0.1 there, 0.2 now\).*--restart.*--tag NAME keeps both",
    ):
        train(tmp_path, epochs=1, recorded={"lr": 0.2})
    with pytest.raises(UserError, match="tag: None there, new now"):
        train(tmp_path, epochs=1, recorded={"lr": 0.1, "tag": "new"})
    assert (tmp_path / "last.pt").read_bytes() == before


def test_another_input_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "teacher.pt").write_text("one")
    inputs = {"teacher": tmp_path / "teacher.pt"}
    Run(tmp_path / "run", {}, inputs).open()
    assert read_json(tmp_path / "run/config.json")["inputs"] == {
        "teacher": file_hash(tmp_path / "teacher.pt")
    }
    Run(
        tmp_path / "run",
        {"workers": 3, "restart": False},
        inputs,
    ).open()
    (tmp_path / "teacher.pt").write_text("two")
    with pytest.raises(UserError, match=r"other inputs \(teacher: "):
        Run(tmp_path / "run", {}, inputs).open()


def test_restart_starts_over(tmp_path):
    train(tmp_path, epochs=2, recorded={"lr": 0.1})
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "old.jpg").touch()
    train(tmp_path, epochs=3, recorded={"lr": 0.2}, restart=True)
    assert [record["epoch"] for record in read_metrics(tmp_path)] == [1, 2, 3]
    assert not (tmp_path / "samples").exists() and read_json(tmp_path / "config.json")[
        "options"
    ] == {"lr": 0.2}


def test_a_run_at_a_constant_rate_can_be_made_longer(tmp_path):
    def options(schedule, epochs):
        return {"schedule": schedule, "epochs": epochs}

    train(tmp_path / "whole", recorded=options("constant", 4))
    train(tmp_path / "longer", recorded=options("constant", 2), epochs=2)
    finished_run(tmp_path / "longer", "")
    train(tmp_path / "longer", recorded=options("constant", 4))
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "longer"))
    train(tmp_path / "linear", recorded=options("linear", 2), epochs=2, schedule="linear")
    with pytest.raises(UserError, match="epochs: 2 there, 4 now"):
        train(tmp_path / "linear", recorded=options("linear", 4), schedule="linear")


def test_the_checkpoint_decides_whether_a_run_is_finished(tmp_path):
    """Killed between the last record and its checkpoint, a run is not finished."""
    train(tmp_path, epochs=3)
    before = (tmp_path / "last.pt").read_bytes()
    train(tmp_path, epochs=4)
    unfinished = {**torch.load(tmp_path / "last.pt", weights_only=True), "epoch": 3}
    save_checkpoint(tmp_path / "last.pt", unfinished)
    assert read_metrics(tmp_path)[-1]["epoch"] == 4
    with pytest.raises(UserError, match="not finished"):
        finished_run(tmp_path, "x")
    (tmp_path / "last.pt").write_bytes(before)
    assert finished_run(tmp_path, "x") == tmp_path / "best.pt"


def test_more_processes_than_before_get_the_memory_of_the_first(tmp_path):
    train(tmp_path, cyclegan, epochs=1)
    saved = checkpoint(tmp_path)
    save_checkpoint(tmp_path / "state_1_1.pt", {k: v[:1] for k, v in saved["state"].items()})
    for rank, images in ((0, 3), (1, 1), (2, 3)):
        objective = cyclegan()
        accelerator = SimpleNamespace(
            device=torch.device("cpu"),
            num_processes=1,
            process_index=rank,
            prepare_optimizer=id,
            scaler=None,
            prepare_data_loader=id,
        )
        options = TrainingOptions(1, 2)
        training = _Training(accelerator, objective, Domains(6), Run(tmp_path, {}), options)
        training.restore(saved)
        assert [len(pool.images) for pool in objective.pools.values()] == [images] * 2


# What is written
def test_one_record_an_epoch_with_means_over_its_batches(tmp_path):
    objective = Line()
    seen = []
    ask = objective.steps

    def steps(batch):
        for name, losses in ask(batch):
            seen.append({term: float(value.detach()) for term, value in losses.items()})
            yield name, losses

    objective.steps = steps
    pictures = iter(np.full((2, 4, 4, 3), [[[[9]]], [[[200]]]], np.uint8))
    records = fit_with(
        objective,
        Points(7),
        Run(tmp_path, {}),
        epochs=2,
        batch_size=3,
        workers=0,
        pictures=lambda device: next(pictures),
    )
    assert [
        json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ] == records
    assert [record["step"] for record in records] == [
        2,
        4,
    ]  # two whole batches of 3 an epoch, the 7th sample waits
    for epoch, record in enumerate(records):
        part = seen[2 * epoch : 2 * epoch + 2]
        for term in ("squared", "absolute"):
            assert record[f"line/{term}"] == pytest.approx(
                np.mean([losses[term] for losses in part])
            )
        assert record["curve"] == pytest.approx([sum(losses.values()) for losses in part], rel=1e-5)
    samples = sorted((tmp_path / "samples").iterdir())
    assert [path.name for path in samples] == ["epoch_0001.jpg", "epoch_0002.jpg"]
    assert read_image(samples[1])[0, 0].tolist() == [200] * 3
    assert set(read_json(tmp_path / "config.json")["versions"]) == {"python", "torch"}


@pytest.mark.parametrize(("larger", "best"), [(True, 3), (False, 2)])
def test_best_is_the_first_best_epoch_by_the_monitor(tmp_path, larger, best):
    values, weights = iter([0.5, 0.2, 0.8, 0.8, 0.2]), []
    objective = Line()

    def validate(device):
        assert not objective.networks.training and not torch.is_grad_enabled()
        weights.append(
            {key: value.clone() for key, value in objective.networks["line"].state_dict().items()}
        )
        return {"score": next(values), "other": -1.0}

    fit_with(
        objective,
        Points(),
        Run(tmp_path, {}),
        epochs=5,
        batch_size=4,
        workers=0,
        validate=validate,
        monitor="score",
        larger_is_better=larger,
    )
    kept = checkpoint(tmp_path, "best")
    assert kept["epoch"] == best and kept["score"] == (0.8 if larger else 0.2)
    assert same(kept["networks"]["line"], weights[best - 1])
    assert same(checkpoint(tmp_path)["networks"]["line"], weights[-1])
    assert [record["score"] for record in read_metrics(tmp_path)] == [0.5, 0.2, 0.8, 0.8, 0.2]


def test_without_a_monitor_there_is_no_best(tmp_path):
    train(tmp_path, monitor=None, epochs=1)
    assert (
        not (tmp_path / "best.pt").exists() and finished_run(tmp_path, "") == tmp_path / "last.pt"
    )


def test_networks_come_back_from_checkpoints(tmp_path):
    objective, _ = train(tmp_path, cyclegan, epochs=1)
    for name in objective.networks:
        network = load_network(tmp_path / "last.pt", name)
        assert same(dict(network.state_dict()), dict(objective.networks[name].state_dict()))
        assert not network.training and not any(p.requires_grad for p in network.parameters())


# Learning
def rates_of(folder, **options):
    """Learning rate at every step."""
    objective, rates = Line(lr=0.1), []
    step = objective.optimizers["line"].step

    def recorded(*args, **kwargs):
        rates.append(objective.optimizers["line"].param_groups[0]["lr"])
        return step(*args, **kwargs)

    objective.optimizers["line"].step = recorded
    fit_with(objective, Points(), Run(folder, {}), batch_size=4, workers=0, **options)
    return rates


def test_schedules(tmp_path):
    assert rates_of(tmp_path / "constant", epochs=3) == [0.1] * 6
    # 8 steps: full until half of them are done, then 2 (1 - share done)
    linear = [0.1] * 5 + [0.1 * 2 * (1 - share) for share in (5 / 8, 6 / 8, 7 / 8)]
    assert rates_of(tmp_path / "linear", epochs=4, schedule="linear") == pytest.approx(linear)


def test_the_loop_learns(tmp_path):
    _, records = train(tmp_path, Smooth, Points(64), epochs=10)
    assert records[-1]["line/squared"] < 0.02 * records[0]["line/squared"]


def test_seed_and_epoch_decide_the_order(tmp_path):
    orders = {}
    for run, seed in enumerate((0, 0, 1)):
        data, order, objective = Points(), [], Line()
        ask = objective.steps
        objective.steps = lambda batch, ask=ask, order=order: (
            order.extend(batch["y"].tolist()),
            ask(batch),
        )[1]
        fit_with(
            objective,
            data,
            Run(tmp_path / str(run), {}),
            epochs=1,
            batch_size=2,
            workers=0,
            seed=seed,
        )
        assert orders.setdefault(seed, order) == order
        torch.manual_seed(99)
    assert sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(tmp_path, value):
    with pytest.raises(Diverged, match="no longer finite in epoch 2; try a lower --lr"):
        train(tmp_path, data=Points(fails=(2, 3), value=value))
    assert [record["epoch"] for record in read_metrics(tmp_path)] == [1]
    assert checkpoint(tmp_path)["epoch"] == 1


def test_a_validation_that_is_no_number_stops_the_run(tmp_path):
    values = iter([1.0, float("nan")])
    with pytest.raises(Diverged, match="loss or validation is no longer finite in epoch 2"):
        train(tmp_path, validate=lambda device: {"weight": next(values)})
    assert checkpoint(tmp_path)["epoch"] == checkpoint(tmp_path, "best")["epoch"] == 1


def test_statistics_that_are_no_numbers_stop_the_run(tmp_path):
    """The loss is finite in training mode whatever the running statistics are."""

    def make():
        objective = Line()
        norm = nn.BatchNorm1d(2)
        norm.running_var.fill_(float("inf"))
        objective.networks["line"].insert(0, norm)
        return objective

    with pytest.raises(Diverged, match="weight or statistic of a network is no longer finite"):
        train(tmp_path, make)
    assert not (tmp_path / "last.pt").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", "0"), ("batch_size", "0"), ("seed", "-1"), ("workers", "-1"), ("lr", "nan")],
)
def test_options_are_checked_before_the_work(name, value, capsys):
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(SystemExit):
        command_line("", "", name).parse_args([option, value])
    assert f"argument {option}: expected" in capsys.readouterr().err


def test_the_number_of_workers_changes_nothing(tmp_path):
    """Not even where the network draws random numbers itself, nor in later epochs of workers that
    live on."""
    for workers in (0, 2):
        train(tmp_path / str(workers), epochs=3, workers=workers)
    assert comparable(tmp_path / "0") == comparable(tmp_path / "2")


def test_images_are_bytes_until_they_arrive_and_waiting_for_them_is_recorded(tmp_path):
    seen = []

    class Bytes(Points):
        def __getitem__(self, index):
            time.sleep(0.01)
            return super().__getitem__(index) | {"image": torch.full((3, 4, 4), 51).byte()}

    objective = Line()
    steps = objective.steps
    objective.steps = lambda batch: seen.append(batch["image"]) or steps(batch)
    (record,) = fit_with(objective, Bytes(4), Run(tmp_path, {}), epochs=1, batch_size=2)
    assert all(torch.equal(image, torch.full((2, 3, 4, 4), 51 / 255)) for image in seen)
    assert len(seen) == 2 and 0 < record["data_wait"] < 1


def test_progress_reaches_a_log_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("comics_depth.training.loop.LOG_SECONDS", 0)
    train(tmp_path, epochs=1)
    assert "1/1: step 4 of 4" in capsys.readouterr().out


def test_an_error_of_a_data_worker_is_one_line(tmp_path, capsys):
    data = Points(fails=(0, 0), error=UserError)
    with pytest.raises(SystemExit) as ended:
        run_main(lambda: train(tmp_path, data=data, workers=1, epochs=1))
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: stopped\n"


def test_data_may_say_how_its_samples_make_a_batch(tmp_path):
    seen = []

    class Uneven(Points):
        @staticmethod
        def collate(samples):
            seen.append(len(samples))
            return torch.utils.data.default_collate(samples)

    train(tmp_path / "own", data=Uneven(4), epochs=1, batch_size=2)
    train(tmp_path / "default", data=Points(4), epochs=1, batch_size=2)
    assert seen == [2, 2]
    assert same(checkpoint(tmp_path / "own"), checkpoint(tmp_path / "default"))


def test_a_batch_is_never_larger_than_the_data(tmp_path):
    objective = TextAreas(2, 1e-3)

    class Frames(Points):
        def __getitem__(self, index):
            return {"image": torch.rand(3, 16, 16), "text_mask": torch.zeros(1, 16, 16)}

    (record,) = fit_with(
        objective, Frames(3), Run(tmp_path, {}), epochs=1, batch_size=16, workers=0
    )
    assert record["step"] == 1
    assert int(checkpoint(tmp_path)["networks"]["text"]["down.0.1.num_batches_tracked"]) == 1


def test_precision():
    assert [resolved_precision(name) for name in ("no", "bf16", "fp16")] == ["no", "bf16", "fp16"]
    assert resolved_precision("auto") in ("no", "bf16")


def test_half_precision_trains_too(tmp_path):
    AcceleratorState._reset_state()  # accelerate takes one precision a process
    _, records = train(tmp_path, cyclegan, epochs=1, precision="bf16")
    assert np.isfinite(records[0]["generators/cycle"])
    assert (
        checkpoint(tmp_path)["networks"]["natural2comics"]["head.1.weight"].dtype == torch.float32
    )
    AcceleratorState._reset_state()


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path):
    save_checkpoint(tmp_path / "last.pt", {"a": 1})
    with pytest.raises((AttributeError, TypeError, RuntimeError, Exception), match="pickle"):
        save_checkpoint(tmp_path / "last.pt", {"a": lambda: 0})
    assert checkpoint(tmp_path) == {"a": 1} and len(list(tmp_path.iterdir())) == 1


def test_parts_of_a_batch_make_the_step_of_the_whole(tmp_path):
    """Also where a generator is averaged once a step, and where the last part is smaller."""
    for make, batch, parts in ((cyclegan, 2, 2), (Averaged, 3, 2), (Smooth, 4, 4)):
        name = make.__name__
        data = None if make is Smooth else Domains(6)
        for folder, accumulate in (("whole", 1), ("parts", parts)):
            options = {"epochs": 2, "batch_size": batch, "accumulate": accumulate}
            train(tmp_path / folder / name, make, data, **options)
        whole, split = (checkpoint(tmp_path / folder / name) for folder in ("whole", "parts"))
        for network, weights in whole["networks"].items():
            for key, value in weights.items():
                assert torch.allclose(value, split["networks"][network][key], atol=1e-4), key
        for mine, theirs in zip(
            read_metrics(tmp_path / "whole" / name),
            read_metrics(tmp_path / "parts" / name),
            strict=True,
        ):
            for key in mine.keys() - {"seconds", "data_wait", "curve", "weight"}:
                assert mine[key] == pytest.approx(theirs[key], rel=1e-4), key


# Speed
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("count", [1, 2])
def test_the_first_step_is_that_of_a_plain_loop_in_double_precision(tmp_path, count, layout):
    """Fused layers, shared passes and the order of pixels in memory change neither losses nor
    gradients."""
    torch.manual_seed(0)
    objective = CycleGAN({"features": 4, "blocks": 2}, 1e-3, 0.9)
    plain = [network.double() for network in reference_networks(4, 2)]
    names = ("natural2comics", "comics2natural", "natural_discriminator", "comics_discriminator")
    ours = [list(objective.networks[name].parameters()) for name in names]
    for mine, theirs in zip(ours, plain, strict=True):
        for parameter, exact in zip(mine, theirs.parameters(), strict=True):
            exact.data.copy_(parameter.data)
    natural, comics = torch.rand(2, count, 3, 32, 32)
    accelerator = Accelerator(cpu=True)
    options = TrainingOptions(1, count)
    training = _Training(accelerator, objective, Domains(2), Run(tmp_path, {}), options)
    objective.networks.to(memory_format=layout)
    batch = {"natural": {"image": natural}, "comics": {"image": comics}}
    steps = dict(training.step(batch, 1.0))
    exact = reference_cyclegan(plain, natural.double(), comics.double())()
    generators = steps["generators"]
    found = [generators["gan"], generators["cycle"] / 10, generators["identity"] / 5]
    found += [steps[name]["gan"] for name in names[2:]]
    assert [float(loss) for loss in found] == pytest.approx(exact, abs=1e-5)
    for mine, theirs in zip(ours, plain, strict=True):
        gradient, exact = (
            torch.cat([parameter.grad.double().flatten() for parameter in parameters])
            for parameters in (mine, theirs.parameters())
        )
        # 5e-6 in all of six seeds; in larger networks more, where a value near zero changes sign
        assert float((gradient - exact).norm() / exact.norm()) < 1e-3


# Several processes
TWO = """
import sys
from pathlib import Path
import torch
sys.path[:0] = [{root!r}, {tests!r}]
import test_training
torch.set_num_threads(1)
for restart in (False, True):
    for make in (test_training.Smooth, test_training.large_pool_cyclegan):
        test_training.train(Path(sys.argv[1]) / make.__name__, make, epochs=2, restart=restart)
"""


def large_pool_cyclegan():
    """As long as the pool is not full, past fakes do not depend on who holds them."""
    return cyclegan(pool=50)


@pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(),
    reason="this torch has no gloo",
)
def test_two_processes_are_one(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO.format(root=str(ROOT), tests=str(Path(__file__).parent)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            "2",
            "--standalone",
            str(script),
            str(tmp_path / "two"),
        ],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for make, tolerance in ((Smooth, 1e-6), (large_pool_cyclegan, 1e-5)):
        name = make.__name__
        train(tmp_path / "one" / name, make, epochs=2)
        one, two = checkpoint(tmp_path / "one" / name), checkpoint(tmp_path / "two" / name)
        assert one["epoch"] == two["epoch"] == 2
        others = {path.name for path in (tmp_path / "two" / name).glob("state_*")}
        # image pools of the second process, after the last epoch and the one before
        assert others == {"state_1_1.pt", "state_1_2.pt"}
        for network, weights in one["networks"].items():
            for key, value in weights.items():
                assert torch.allclose(value, two["networks"][network][key], atol=tolerance), (
                    name,
                    network,
                    key,
                )
        records = read_metrics(tmp_path / "one" / name), read_metrics(tmp_path / "two" / name)
        assert [len(part) for part in records] == [2, 2]
        for mine, theirs in zip(*records, strict=True):
            for key in mine.keys() - {"seconds", "data_wait", "curve", "weight"}:
                assert mine[key] == pytest.approx(theirs[key], rel=1e-4)
    assert done.stdout.count("samples, 2 epochs") == 4  # one process speaks
