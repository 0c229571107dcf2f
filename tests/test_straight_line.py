"""The whole street once, small: virtual rig to report on the CPU, judged against the twin's truth."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from twinlens.artefacts import describe
from twinlens.capture.session import Session
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.capture.virtual.twin import TwinSettings
from twinlens.cli import run
from twinlens.demo import MIN_PAIRS, DemoResult, run_demo
from twinlens.picture_files import read_picture, save_picture
from twinlens.restore.train import BEST, RECIPES

# A milder mirror than the demo's: a small frame has too few pixels for a wide blur.
TWIN = TwinSettings(shape_hw=(480, 640), rms_waves=(0.2,), seed=5)
TRAINING = replace(RECIPES["tiny"], steps=200)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    return run_demo(tmp_path_factory.mktemp("street"), settings=TWIN, training=TRAINING)


def test_the_street_ends_in_a_report_with_the_demo_figures(walked: DemoResult) -> None:
    written = json.loads((walked.report.parent / "report.json").read_text())
    assert walked.report.is_file()
    assert written["demo"] == walked.figures
    assert written["schema"] == "twinlens.report"


def test_no_frame_is_lost_and_every_pair_shows_one_trigger(walked: DemoResult) -> None:
    assert walked.figures["frames_lost"] == 0
    assert walked.figures["pairs"] >= MIN_PAIRS
    (folder,) = walked.report.parent.glob("session_*")
    for pair in Session(folder).pairs():
        # The cameras write the trigger number into corner pixels; the pipeline never reads it.
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels) == pair.trigger_index


def test_registration_agrees_with_the_twin(walked: DemoResult) -> None:
    # 0.1 px is the demo's bar at 2592x2048; these frames have 17 times fewer pixels.
    assert walked.figures["shape_error_px"] < 0.1


def test_training_gains_over_the_degraded_input(walked: DemoResult) -> None:
    assert walked.figures["restored_psnr_db"] > walked.figures["input_psnr_db"] + 1.0
    assert walked.figures["restored_ssim"] > walked.figures["input_ssim"]


def test_every_artefact_can_be_asked_what_it_holds(walked: DemoResult) -> None:
    folder = walked.report.parent
    (session,) = folder.glob("session_*")
    for artefact in (session, folder / "calibration.json", folder / "pairs.h5", folder / "training" / BEST,
                     folder / "report.json"):  # fmt: skip
        title, facts = describe(artefact)
        assert str(artefact) in title
        assert facts


def test_the_verbs_read_what_the_street_left(
    walked: DemoResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = walked.report.parent
    (session,) = folder.glob("session_*")
    checkpoint = str(folder / "training" / BEST)
    assert run(["evaluate", str(folder / "pairs.h5"), checkpoint, "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["mean_restored"]["psnr_db"] == pytest.approx(walked.figures["restored_psnr_db"], abs=1e-6)
    blur = ["--calibration", str(folder / "calibration.json"), "--baseline", "wiener"]
    assert run(["evaluate", str(folder / "pairs.h5"), checkpoint, *blur, "--json"]) == 0
    (wiener,) = json.loads(capsys.readouterr().out)["mean_baselines"]
    # The blur from A to B that calibration found, in the gauge of the pairs: without sight of the target it comes
    # near the oracle, which knows B's own PSF but not that A blurs the target a little.
    assert wiener["quality"]["psnr_db"] > walked.figures["wiener_psnr_db"] - 0.5
    picture = tmp_path / "b.png"
    save_picture(Session(session).pairs()[0].b.pixels, picture)
    assert run(["restore", str(picture), "-c", checkpoint, "-o", str(tmp_path / "restored")]) == 0
    assert read_picture(tmp_path / "restored" / "b.png").shape == TWIN.shape_hw
    assert (
        run(["build", str(session), "-c", str(folder / "calibration.json"), "-o", str(tmp_path / "again.h5")]) == 0
    )
    assert describe(tmp_path / "again.h5")[1]["content_hash"] == describe(folder / "pairs.h5")[1]["content_hash"]
