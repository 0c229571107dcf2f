"""An evaluation scores the input, the network and the baselines on the same pixels of the same pairs."""

import dataclasses
import json

import numpy as np
import pytest

from twinlens.dataset import PairedDataset, StoredPair
from twinlens.errors import RestoreError
from twinlens.pixels import Picture
from twinlens.restore.evaluate import evaluate, summarise
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


def test_the_report_holds_means_protocol_and_provenance(dataset: PairedDataset) -> None:
    pairs = dataset.split("train")
    scores = [one.score for one in evaluate(pairs, lambda picture: picture // 2 + 64)]
    report = summarise(scores, split="train", dataset_hash=dataset.content_hash)
    assert report.protocol == "wang2003"
    assert report.dataset_hash == dataset.content_hash
    assert report.mean_input.psnr_db == pytest.approx(np.mean([score.input.psnr_db for score in scores]))
    assert report.gain_db == pytest.approx(report.mean_restored.psnr_db - report.mean_input.psnr_db)
    assert report.mean_baselines == ()
    assert json.loads(json.dumps(dataclasses.asdict(report)))["images"][0]["scene"] == pairs[0].scene


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
