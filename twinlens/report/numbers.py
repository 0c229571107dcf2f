"""Every number of a report as plain JSON; pages show nothing that is not in here."""

import dataclasses
import math
from typing import Any

from twinlens.report.experiment import Experiment
from twinlens.report.numbers_registration import registration_headline, registration_numbers
from twinlens.report.plain import plain
from twinlens.report.street import PairPictures, RegistrationTruth, Street, Triple
from twinlens.restore.evaluate import EvaluationReport

_PICTURES = {"input", "restored", "target", "wiener"}


def report_numbers(street: Street) -> dict[str, Any]:
    """The street's numbers, stage by stage, without pictures; what is not finite is None."""
    return {
        "title": street.title,
        "demo": plain(street.demo),
        "experiment": _experiment(street.experiment),
        "headline": plain(_headline(street)),
        "capture": plain(street.capture),
        "calibration": plain(street.calibration),
        "registration": registration_numbers(street),
        "truth": _truth(street.truth),
        "dataset": plain(street.dataset),
        "pairs": [_without_pictures(pair) for pair in street.pairs],
        "training": plain(street.training),
        "evaluation": _evaluation(street.evaluation),
        "ceilings": plain(street.ceilings),
        "triples": [_without_pictures(triple) for triple in street.triples],
        "settings": plain(street.settings),
        "versions": plain(street.versions),
    }


def _headline(street: Street) -> dict[str, Any]:
    """What a reader asks first. A figure whose stage was not walked is left out."""
    found: dict[str, Any] = {}
    if (capture := street.capture) is not None:
        found |= {"pairs": capture.pairs, "scenes": capture.scenes, "frames_lost": capture.frames_lost}
    elif (dataset := street.dataset) is not None:
        found |= {"pairs": dataset.pairs, "scenes": dataset.scenes}
    found |= registration_headline(street)
    if (evaluation := street.evaluation) is not None:
        found |= {
            "input_psnr_db": evaluation.mean_input.psnr_db,
            "restored_psnr_db": evaluation.mean_restored.psnr_db,
            "gain_db": evaluation.gain_db,
            "input_ssim": evaluation.mean_input.ssim,
            "restored_ssim": evaluation.mean_restored.ssim,
        }
        if evaluation.mean_baselines:
            best = max(evaluation.mean_baselines, key=lambda method: method.quality.psnr_db)
            found |= {"baseline": best.method, "baseline_psnr_db": best.quality.psnr_db}
    return found


def _experiment(experiment: Experiment | None) -> dict[str, Any] | None:
    if experiment is None:
        return None
    found: dict[str, Any] = plain(experiment)
    return found | {"shift_of_quoted_px": plain(experiment.shift_of_quoted_px)}


def _truth(truth: RegistrationTruth | None) -> dict[str, Any] | None:
    if truth is None:
        return None
    lengths = [math.hypot(x, y) for _, _, x, y in truth.error_xy]
    return {
        "shape_error_px": plain(truth.shape_error_px),
        "largest_error_px": plain(max(lengths, default=None)),
        "mean_shift_px": plain(truth.mean_shift_px),
        "points": len(lengths),
        "true_b_from_a": plain(truth.true_b_from_a),
        "error_xy": plain(truth.error_xy),
    }


def _evaluation(evaluation: EvaluationReport | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    found: dict[str, Any] = plain(evaluation)
    for row, image in zip(found["images"], evaluation.images, strict=True):
        row["gain_db"] = plain(image.gain_db)
    return found


def _without_pictures(value: PairPictures | Triple) -> dict[str, Any]:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: plain(field) for name, field in fields.items() if name not in _PICTURES}
