"""The table of camera figures: there where cameras were measured, and only there."""

import dataclasses
from pathlib import Path

from twinlens.calibrate.reports import EmvaReport
from twinlens.report.pages import write_report
from twinlens.report.street import Street


def camera(name: str, *, has_flats: bool) -> EmvaReport:
    return EmvaReport(
        camera=name,
        bit_depth=10,
        exposure_us=10_000.0,
        gain_db=0.0,
        dark_frames=64,
        flat_frames=64 if has_flats else 0,
        dark_dn=24.31,
        flat_dn=612.2 if has_flats else None,
        system_gain_dn_per_e=0.1023 if has_flats else None,
        read_noise_dn=0.8172,
        read_noise_e=7.99 if has_flats else None,
        read_noise_is_bound=False,
        dsnu_dn=1.234,
        prnu_percent=0.987 if has_flats else None,
        full_scale_dn=1023,
        full_scale_e=9762.0 if has_flats else None,
        dynamic_range_db=61.7,
        hot_pixels=17,
        dead_pixels=3,
    )


def page_of(street: Street, cameras: tuple[EmvaReport, ...], out: Path) -> str:
    assert street.calibration is not None
    calibration = dataclasses.replace(street.calibration, cameras=cameras)
    return write_report(dataclasses.replace(street, calibration=calibration), out).read_text()


def test_cameras_figures_stand_beside_each_other(street: Street, tmp_path: Path) -> None:
    page = page_of(street, (camera("a", has_flats=True), camera("b", has_flats=False)), tmp_path)
    assert "<th>A</th><th>B</th>" in page
    assert '<span class="n">0.1023</span></td><td><span class="none">' in page
    assert '<span class="n">17</span>' in page
    assert "the most that it can be" not in page


def test_a_bound_is_called_one(street: Street, tmp_path: Path) -> None:
    bound = dataclasses.replace(camera("a", has_flats=True), read_noise_is_bound=True)
    assert "the most that it can be" in page_of(street, (bound, bound), tmp_path)


def test_without_series_the_page_does_not_speak_of_them(street: Street, tmp_path: Path) -> None:
    assert "EMVA" not in page_of(street, (), tmp_path)
