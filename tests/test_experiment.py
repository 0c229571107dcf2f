"""A paper's experiment from its recipe to its report, at a scale of seconds."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from twinlens.capture.virtual.scenery import Scenery
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.cli import run
from twinlens.dataset.groups import Member
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schemes import divide
from twinlens.dataset.verify import verify_dataset
from twinlens.errors import SettingsError, TwinlensError
from twinlens.experiment import Bench, ExperimentResult, drawn_rows, run_experiment, scale_for
from twinlens.experiment_recipe import ExperimentRecipe, Scale, plan_experiment, read_recipe
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.train import RECIPES

RECIPE = Path(__file__).parents[1] / "recipes" / "zhang2024.toml"
COUNTS = (16, 2, 2)
TINY = Scale(
    differs=("It is a test.",),
    counts=COUNTS,
    seed=3,
    twin=TwinSettings(shape_hw=(320, 416), streets=10, rms_waves=(0.2, 0.3)),
    train=replace(RECIPES["tiny"], steps=20, validate_every=10, validation_crops=2, keep_every=10),
)


@pytest.fixture(scope="module")
def recipe() -> ExperimentRecipe:
    found = read_recipe(RECIPE)
    return replace(found, scales={**found.scales, "tiny": TINY})


@pytest.fixture(scope="module")
def ran(recipe: ExperimentRecipe, tmp_path_factory: pytest.TempPathFactory) -> ExperimentResult:
    # One process: a second would import torch first, which takes longer than what it has to do.
    return run_experiment(
        recipe, "tiny", out=tmp_path_factory.mktemp("experiment"), bench=Bench(device="cpu", jobs=1)
    )


@pytest.fixture(scope="module")
def numbers(ran: ExperimentResult) -> dict:
    return json.loads((ran.report.parent / "report.json").read_text())


def test_every_scale_keeps_the_papers_split_and_loss_and_tells_what_differs(recipe: ExperimentRecipe) -> None:
    assert set(recipe.scales) == {"small", "medium", "full", "tiny"}
    for name in ("small", "medium", "full"):
        scale = recipe.scale(name)
        assert scale.counts == (960, 120, 120)
        assert (scale.train.network, scale.train.loss, scale.train.edge_weight) == (
            "mprnet",
            "charbonnier-edge",
            0.05,
        )
        assert scale.differs
        assert scale.meant_for
        # The rounds of its Figure 7: several, the last step among them.
        assert scale.train.steps % scale.train.keep_every == 0
        assert scale.train.steps >= 5 * scale.train.keep_every


def test_the_report_says_what_was_run_beside_what_is_quoted(ran: ExperimentResult, numbers: dict) -> None:
    told, page = numbers["experiment"], ran.report.read_text()
    assert (told["recipe"], told["scale"], told["seed"]) == ("zhang2024", "tiny", 3)
    assert told["device"].startswith("cpu")
    assert told["date"] in page
    assert (told["quoted"]["psnr_db"], told["quoted"]["ssim"]) == (25.79, 0.7304)
    for text in ("quoted, not reproduced here", "another dataset and protocol", "It is a test.", "scale tiny"):
        assert text in page
    assert ran.figures["restored PSNR (dB)"] == numbers["evaluation"]["mean_restored"]["psnr_db"]


def test_every_figure_and_table_of_the_paper_is_on_the_page(ran: ExperimentResult) -> None:
    page = ran.report.read_text()
    for title in ("Figure 7", "Figure 8", "Table of the splits", "Table of the results", "By mirror state",
                  "misregistration alone"):  # fmt: skip
        assert title in page
    assert "Test PSNR and SSIM against training rounds" in page
    assert "A perfect restoration displaced by 0.25 px" in page
    assert 'src="http' not in page


def test_splits_have_exactly_the_asked_counts_and_share_no_scene(ran: ExperimentResult, numbers: dict) -> None:
    dataset = PairedDataset(ran.report.parent / "pairs.h5")
    parts = [dataset.split(name) for name in ("train", "val", "test")]
    assert tuple(map(len, parts)) == COUNTS
    assert sum(len(part.scenes) for part in parts) == len(dataset.scenes) == 10
    assert [row["pairs"] for row in numbers["experiment"]["splits"]] == list(COUNTS)
    assert [row["mirror_states"] for row in numbers["experiment"]["splits"]] == [2, 2, 2]
    assert not verify_dataset(dataset.path).problems


def test_the_test_curve_is_of_the_kept_checkpoints_and_ends_where_training_did(
    ran: ExperimentResult, numbers: dict
) -> None:
    kept = sorted((ran.report.parent / "training").glob("step_*.safetensors"))
    rounds = numbers["experiment"]["rounds"]
    assert [point["step"] for point in rounds] == [load_checkpoint(path).card.step for path in kept] == [10, 20]
    assert [point["rounds"] for point in rounds] == [10 * 4 / 16, 20 * 4 / 16]
    chosen = next(p for p in rounds if p["step"] == numbers["experiment"]["chosen_step"])
    assert chosen["psnr_db"] == pytest.approx(numbers["evaluation"]["mean_restored"]["psnr_db"], abs=1e-9)


def test_the_shown_triples_are_the_drawn_rows_of_the_test_split(ran: ExperimentResult, numbers: dict) -> None:
    pairs = PairedDataset(ran.report.parent / "pairs.h5").split("test")
    rows = drawn_rows(len(pairs), seed=TINY.seed)
    shown = [(triple["scene"], triple["mirror_state"]) for triple in numbers["triples"]]
    assert shown == [(pairs[row].scene, pairs[row].mirror_state) for row in rows]
    assert len(set(drawn_rows(120, seed=2024))) == 3
    assert drawn_rows(120, seed=2024) == drawn_rows(120, seed=2024) != drawn_rows(120, seed=1)


def test_a_target_beside_its_input_costs_more_the_farther_it_lies(numbers: dict) -> None:
    scores = numbers["experiment"]["displaced"]
    assert [score["shift_px"] for score in scores] == sorted(score["shift_px"] for score in scores)
    assert all(near["psnr_db"] > far["psnr_db"] for near, far in pairwise(scores))
    assert all(near["ssim"] > far["ssim"] for near, far in pairwise(scores))


def test_the_sealed_report_can_be_verified_against_its_dataset(
    ran: ExperimentResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(ran.report.parent / "report.json")]) == 0
    assert "pairs.h5" in capsys.readouterr().out
    assert run(["info", str(ran.report.parent / "report.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["experiment"]["scale"] == "tiny"


def test_an_unknown_scale_is_refused_by_name_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["experiment", str(RECIPE), "--scale", "huge", "-o", str(tmp_path / "out")]) == 1
    told = capsys.readouterr()
    assert "huge" in told.err
    assert "small, medium, full" in told.err
    assert not (tmp_path / "out").exists()


def test_on_a_cpu_the_small_scale_is_the_one_that_suits() -> None:
    assert scale_for(Bench(device="cpu")) == "small"


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("[scales.small.train]\n", "[scales.small.train]\nspeed = 11\n", "scale small.*speed"),
        ('preset = "demo"', 'preset = "vast"', "vast"),
        ("counts = [960, 120, 120]\nseed", "counts = [960, 120, 0]\nseed", "at least one pair"),
        ('source = "Zhang et al. 2024"\n', "", "source"),
        ("[paper]", "[paper", "cannot be read"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_with_what_is_wrong(
    before: str, after: str, seen: str, tmp_path: Path
) -> None:
    text = RECIPE.read_text()
    assert before in text
    (tmp_path / "recipe.toml").write_text(text.replace(before, after, 1))
    with pytest.raises(TwinlensError, match=seen):
        read_recipe(tmp_path / "recipe.toml")


@pytest.mark.parametrize("scenes", [3, 10, 24, 37, 100])
def test_whole_scenes_fill_the_papers_counts_however_many_there_are(scenes: int) -> None:
    twin = _twin_of(scenes)
    plan = plan_experiment(Scale(twin=twin.settings), twin, name="x")
    members = [
        Member(f"{take.scene} {take.mirror_state.label} {k}", take.scene, "session", k, take.mirror_state.label)
        for take in plan.takes
        for k in range(take.pairs)
    ]
    rows = divide(members, plan.dataset.splits).rows
    assert (len(rows["train"]), len(rows["val"]), len(rows["test"])) == (960, 120, 120)
    pairs_of = {state.label: 0 for state in twin.mirror_states}
    for member in members:
        pairs_of[member.mirror_state] += 1
    assert max(pairs_of.values()) - min(pairs_of.values()) <= scenes


def test_two_scenes_are_too_few() -> None:
    twin = _twin_of(2)
    with pytest.raises(SettingsError, match="2 scenes"):
        plan_experiment(Scale(twin=twin.settings), twin, name="x")


def _twin_of(scenes: int) -> RigTwin:
    def never(shape_hw: tuple[int, int]) -> None:
        raise AssertionError(f"a canvas of {shape_hw} was asked for")

    settings = TwinSettings(shape_hw=(64, 64), rms_waves=(0.0, 0.0, 0.0))
    return RigTwin(settings, scenes=[Scenery(f"scene-{index:03d}", never) for index in range(scenes)])
