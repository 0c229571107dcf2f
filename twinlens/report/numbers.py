"""Every number of a report as plain JSON; pages show nothing that is not in here."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from twinlens.report.street import PairPictures, RegistrationTruth, Street, Triple
from twinlens.restore.evaluate import EvaluationReport

_PICTURES = {"input", "restored", "target", "wiener"}


def report_numbers(street: Street) -> dict[str, Any]:
    """The street's numbers, stage by stage, without pictures; what is not finite is None."""
    return {
        "title": street.title,
        "demo": _plain(street.demo),
        "headline": _plain(_headline(street)),
        "capture": _plain(street.capture),
        "calibration": _plain(street.calibration),
        "truth": _truth(street.truth),
        "dataset": _plain(street.dataset),
        "pairs": [_without_pictures(pair) for pair in street.pairs],
        "training": _plain(street.training),
        "evaluation": _evaluation(street.evaluation),
        "triples": [_without_pictures(triple) for triple in street.triples],
        "settings": _plain(street.settings),
        "versions": _plain(street.versions),
    }


def _headline(street: Street) -> dict[str, Any]:
    """What a reader asks first. A figure whose stage was not walked is left out."""
    found: dict[str, Any] = {}
    if (capture := street.capture) is not None:
        found |= {"pairs": capture.pairs, "scenes": capture.scenes, "frames_lost": capture.frames_lost}
    elif (dataset := street.dataset) is not None:
        found |= {"pairs": dataset.pairs, "scenes": dataset.scenes}
    if street.truth is not None:
        found["shape_error_px"] = street.truth.shape_error_px
    elif street.calibration is not None:
        found["residual_px"] = max(state.residual_px for state in street.calibration.states)
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


def _truth(truth: RegistrationTruth | None) -> dict[str, Any] | None:
    if truth is None:
        return None
    lengths = [math.hypot(x, y) for _, _, x, y in truth.error_xy]
    return {
        "shape_error_px": _plain(truth.shape_error_px),
        "largest_error_px": _plain(max(lengths, default=None)),
        "mean_shift_px": _plain(truth.mean_shift_px),
        "points": len(lengths),
        "true_b_from_a": _plain(truth.true_b_from_a),
        "error_xy": _plain(truth.error_xy),
    }


def _evaluation(evaluation: EvaluationReport | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    found: dict[str, Any] = _plain(evaluation)
    for plain, image in zip(found["images"], evaluation.images, strict=True):
        plain["gain_db"] = _plain(image.restored.psnr_db - image.input.psnr_db)
    return found


def _without_pictures(value: PairPictures | Triple) -> dict[str, Any]:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: _plain(field) for name, field in fields.items() if name not in _PICTURES}


def _plain(value: Any) -> Any:
    """JSON's own types. Infinite PSNR (an identical picture) and NaN have no JSON number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
