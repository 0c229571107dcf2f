"""`twinlens import` and `export` of networks from the command line."""

import json
from pathlib import Path

import pytest
import torch
from small_checkpoints import card_of

from twinlens.cli import run
from twinlens.restore.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from twinlens.restore.export import CARD
from twinlens.restore.networks import build_network, preset


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)


def publish(channels: int) -> None:
    network = build_network("mprnet", channels=channels, hyper_parameters=preset("mprnet", "tiny"))
    torch.save({"epoch": 1, "state_dict": network.state_dict()}, "theirs.pth")


def test_published_weights_come_in_and_go_out(capsys: pytest.CaptureFixture[str]) -> None:
    publish(channels=1)
    coming = ["import", "theirs.pth", "--from", "official", "-o", "ours.safetensors"]
    assert run(coming) == 0
    assert "width 8, level_step 4" in capsys.readouterr().out
    assert load_checkpoint(Path("ours.safetensors")).card.settings["imported_from"] == "theirs.pth"
    assert run(coming) == 1
    assert "exists already" in capsys.readouterr().err
    assert run([*coming, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["channels"] == 1
    assert run(["info", "ours.safetensors"]) == 0
    capsys.readouterr()
    going = ["export", "ours.safetensors", "--to", "official", "-o", "back.pth"]
    assert run(going) == 0
    assert "chaiNNer and spandrel open MPRNets of three only" in capsys.readouterr().err
    theirs, back = (torch.load(name, weights_only=True)["state_dict"] for name in ("theirs.pth", "back.pth"))
    assert theirs.keys() == back.keys()
    assert all(torch.equal(theirs[name], back[name]) for name in theirs)
    assert run(going) == 1
    publish(channels=3)
    assert run([*coming, "--overwrite"]) == 0
    assert run([*going[:-1], "colour.pth"]) == 0
    assert "chaiNNer" not in capsys.readouterr().err


def test_a_program_that_went_out_equals_the_network_at_other_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    network = build_network("nafnet", channels=1, hyper_parameters=preset("nafnet", "tiny"))
    card = card_of(network)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))  # its first scales are 0 and would hide its blocks
    write_checkpoint(Path("m.safetensors"), Checkpoint.of(network, card))
    assert run(["export", "m.safetensors", "--to", "torch-export", "-o", "m.pt2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["largest_difference"] <= 1e-4
    assert told["bytes"] == Path("m.pt2").stat().st_size
    found = {CARD: ""}
    with Path("m.pt2").open("rb") as file:
        program = torch.export.load(file, extra_files=found).module()
    assert json.loads(found[CARD]) == {**card.as_dict(), "size_multiple": 16}
    for shape in ((1, 1, 64, 144), (2, 1, 112, 48)):
        images = torch.rand(shape)
        with torch.inference_mode():
            torch.testing.assert_close(program(images), network(images)[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["export", "m.safetensors", "--to", "png", "-o", "x"], "a network goes to official, onnx", 2),
        (["export", "m.safetensors", "--to", "onnx", "-o", "x"], "not a whole safetensors file", 1),
        (["export", "d.h5", "--to", "onnx", "-o", "x"], "a dataset goes to gopro", 2),
        (["export", "d.h5", "--to", "gopro", "-o", "m.safetensors"], "a new folder is needed", 2),
        (["import", "d.h5", "--from", "official", "-o", "x.h5"], "it ends in .safetensors", 2),
        (["import", "d.h5", "--from", "official", "-o", "x.safetensors"], "not a whole safetensors file", 1),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    arguments: list[str], words: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("m.safetensors", "d.h5"):
        Path(name).write_bytes(b"{}")
    assert run(arguments) == code
    assert words in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in Path().iterdir()) == ["d.h5", "m.safetensors"]
