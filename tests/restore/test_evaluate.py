"""An evaluation scores the input, the network and the baselines on the same pixels of the same pairs."""

import dataclasses
import json
import math

import numpy as np
import pytest

from twinlens.dataset import PairedDataset, StoredPair
from twinlens.errors import RestoreError, SettingsError
from twinlens.pixels import Picture
from twinlens.report.plain import plain
from twinlens.restore.evaluate import (
    EvaluationSettings,
    ImageScore,
    MethodQuality,
    Quality,
    evaluate,
    summarise,
)
from twinlens.restore.metrics import psnr, ssim


def unchanged(picture: Picture) -> Picture:
    return picture


def perfect_but_for_one_level(pair: StoredPair) -> Picture:
    return np.where(pair.mask, pair.target - 1, 0).astype(np.uint8)


def test_scores_are_those_of_the_valid_pixels(dataset: PairedDataset) -> None:
    pairs = dataset.split("train")
    scored = list(evaluate(pairs, unchanged, baselines={"one level off": perfect_but_for_one_level}))
    assert [one.score.scene for one in scored] == [pair.scene for pair in pairs]
    for one, pair in zip(scored, pairs, strict=True):
        options = {"data_range": 255.0, "mask": pair.mask}
        assert one.score.input.psnr_db == psnr(pair.input, pair.target, **options)
        assert one.score.input.ssim == ssim(pair.input, pair.target, **options)
        assert one.score.restored == one.score.input
        assert one.score.baselines[0].quality.psnr_db == pytest.approx(20 * np.log10(255))
        np.testing.assert_array_equal(one.restored, pair.input)


def brighter(picture: Picture) -> Picture:
    return picture // 2 + 64


def test_the_report_holds_means_protocol_and_provenance(dataset: PairedDataset) -> None:
    pairs = dataset.split("train")
    scores = [one.score for one in evaluate(pairs, brighter)]
    report = summarise(scores, split="train", dataset_hash=dataset.content_hash)
    assert (report.protocol, report.realignment, report.realigned) == ("wang2003", "none", None)
    assert report.dataset_hash == dataset.content_hash
    assert report.mean_input.psnr_db == pytest.approx(np.mean([score.input.psnr_db for score in scores]))
    assert report.gain_db == pytest.approx(report.mean_restored.psnr_db - report.mean_input.psnr_db)
    assert report.mean_baselines == ()
    assert [image.pair_id for image in report.images] == [pair.pair_id for pair in pairs]
    assert json.loads(json.dumps(dataclasses.asdict(report)))["images"][0]["scene"] == pairs[0].scene


def score(scene: str, restored_db: float, *, state: str = "flat", ceiling_db: float | None = 40.0) -> ImageScore:
    return ImageScore(
        pair_id=f"{scene}/{restored_db}",
        scene=scene,
        mirror_state=state,
        input=Quality(20.0, 0.5),
        restored=Quality(restored_db, 0.5 + restored_db / 100),
        baselines=(MethodQuality("nothing", Quality(20.0, 0.5)),),
        restore_s=0.0,
        ceiling_db=ceiling_db,
    )


def test_scenes_and_mirror_states_have_means_of_their_own() -> None:
    scores = [score("a", 21.0), score("a", 23.0, state="bent"), score("b", 28.0, state="bent", ceiling_db=None)]
    report = summarise(scores, split="test", dataset_hash="")
    told = {group.name: (group.images, group.restored.psnr_db, group.ceiling_db) for group in report.scenes}
    assert told == {"a": (2, 22.0, 40.0), "b": (1, 28.0, None)}
    told = {group.name: (group.images, group.gain_db, group.ceiling_db) for group in report.mirror_states}
    assert told == {"flat": (1, 1.0, 40.0), "bent": (2, 5.5, 40.0)}
    assert report.ceiling_db == 40.0
    assert report.scenes[0].baselines[0].quality == Quality(20.0, 0.5)


def test_the_interval_is_the_same_at_every_call_and_none_of_a_single_scene() -> None:
    scores = [score(scene, 20.0 + k) for k, scene in enumerate("abcdefgh")]
    scores[3] = score("d", 21.2173)
    report = summarise(scores, split="test", dataset_hash="")
    again = summarise(scores, split="test", dataset_hash="")
    assert report == again
    found, gain = report.restored_psnr_db_95, report.gain_db_95
    assert found is not None
    assert found.low < report.mean_restored.psnr_db < found.high
    assert gain is not None
    assert gain.low == pytest.approx(found.low - 20.0)
    other = summarise(scores, split="test", dataset_hash="", settings=EvaluationSettings(seed=1))
    assert other.restored_psnr_db_95 != found
    alone = summarise([score("a", 21.0), score("a", 25.0)], split="test", dataset_hash="")
    assert (alone.restored_psnr_db_95, alone.restored_ssim_95, alone.gain_db_95) == (None, None, None)


def test_a_perfect_picture_has_no_interval_and_no_number_in_json() -> None:
    scores = [score("a", math.inf), score("b", 25.0)]
    report = summarise(scores, split="test", dataset_hash="")
    assert report.restored_psnr_db_95 is None
    assert report.mean_restored.psnr_db == math.inf
    written = json.loads(json.dumps(plain(report), allow_nan=False))
    assert written["images"][0]["restored"]["psnr_db"] is None
    assert written["images"][1]["restored"]["psnr_db"] == 25.0


def test_pictures_equal_before_and_after_gain_nothing(dataset: PairedDataset) -> None:
    pair = dataset[0]
    perfect = dataclasses.replace(pair, input=pair.target)
    (found,) = evaluate([perfect], unchanged)
    assert found.score.restored.psnr_db == math.inf
    assert found.score.gain_db == 0.0


def test_the_ceiling_is_the_passports_where_it_has_one(dataset: PairedDataset) -> None:
    pairs = [dataclasses.replace(dataset[0], ceiling_db=ceiling) for ceiling in (38.5, math.nan)]
    assert [one.score.ceiling_db for one in evaluate(pairs, unchanged)] == [38.5, None]


def test_realigned_scores_stand_beside_the_others(dataset: PairedDataset) -> None:
    pair = dataset[0]
    beside = np.roll(pair.target, 1, axis=1)
    settings = EvaluationSettings(realign="shift", protocol="skimage")
    (found,) = evaluate([pair], lambda _: beside, baselines={"also": lambda pair: pair.target}, settings=settings)
    report = summarise([found.score], split="test", dataset_hash="", settings=settings)
    assert (report.protocol, report.realignment) == ("skimage", "shift")
    assert report.realigned is not None
    assert report.realigned.moved_px == pytest.approx(1.0, abs=0.02)
    in_place = report.realigned.restored_in_place
    assert in_place.psnr_db == pytest.approx(report.mean_restored.psnr_db, abs=1.0)
    assert report.realigned.restored.psnr_db > in_place.psnr_db + 10
    assert report.realigned.baselines[0].method == "also"
    (found,) = evaluate([pair], np.zeros_like, settings=settings)
    assert found.score.realigned is None  # a black picture fits nowhere
    assert summarise([found.score], split="test", dataset_hash="", settings=settings).realigned is None


def test_a_protocol_of_colour_refuses_mono_before_anything_is_restored(dataset: PairedDataset) -> None:
    with pytest.raises(RestoreError, match="y scores pictures of 3 channels"):
        next(evaluate(dataset.split("test"), never, settings=EvaluationSettings(protocol="y")))


def never(picture: Picture) -> Picture:
    raise AssertionError(picture.shape)


@pytest.mark.parametrize(("name", "value"), [("protocol", "matlab"), ("realign", "affine"), ("resamples", 3)])
def test_settings_that_cannot_work_are_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"EvaluationSettings.{name} is {value!r}"):
        EvaluationSettings.from_dict({name: value})


def test_pictures_are_restored_one_at_a_time_as_they_are_asked_for(dataset: PairedDataset) -> None:
    seen = []

    def counted(picture: Picture) -> Picture:
        seen.append(picture.shape)
        return picture

    scoring = evaluate(dataset.split("train"), counted)
    next(scoring)
    assert len(seen) == 1


def test_an_empty_split_has_no_report() -> None:
    with pytest.raises(RestoreError, match="holds no pair"):
        summarise([], split="test", dataset_hash="")


def test_a_pair_that_cannot_be_scored_is_named(dataset: PairedDataset) -> None:
    (pair,) = dataset.split("test")
    spoilt = dataclasses.replace(pair, mask=np.eye(*pair.mask.shape, dtype=np.bool_))
    with pytest.raises(RestoreError, match=f"pair {pair.pair_id}: no 11x11 px window"):
        list(evaluate([spoilt], unchanged))
    tiny = dataclasses.replace(
        pair, input=pair.input[:8, :8], target=pair.target[:8, :8], mask=np.ones((8, 8), np.bool_)
    )
    with pytest.raises(RestoreError, match=f"pair {pair.pair_id}: a picture of"):
        list(evaluate([tiny], unchanged))


def test_an_exact_picture_does_not_hide_what_others_gained() -> None:
    scores = [score("north", math.inf), score("south", 30.0)]
    assert summarise(scores, split="test", dataset_hash="").gain_db == scores[1].gain_db
