"""What `twinlens simulate` makes of its options."""

import click
import pytest

from twinlens.capture.virtual.faults import Faults
from twinlens.cli import run
from twinlens.errors import SettingsError
from twinlens.verbs.simulate import _source, parse_faults


def test_faults_are_read_for_each_camera():
    texts = ("a:drop=0.01", "b:drop_burst=3", "a:lost_frames=3,7", "b:ignores_test_packets=yes", "b:late_ms=2.5")
    assert parse_faults(texts) == (
        Faults(drop=0.01, lost_frames=(3, 7)),
        Faults(drop_burst=3, ignores_test_packets=True, late_ms=2.5),
    )
    assert parse_faults(()) == (Faults(), Faults())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("drop=0.01", "is not a:NAME=VALUE"),
        ("c:drop=0.01", "is not a:NAME=VALUE"),
        ("a:drop", "is not a:NAME=VALUE"),
        ("a:dorp=0.01", "no fault is called 'dorp'; known are: .*drop"),
        ("a:drop=much", "needs a number"),
        ("a:drop_burst=1.5", "needs a whole number"),
        ("a:offers_resend=perhaps", "needs yes or no"),
        ("a:lost_frames=3-7", "needs trigger numbers"),
    ],
)
def test_a_fault_that_cannot_be_read_is_told(text, told):
    with pytest.raises(click.BadParameter, match=told):
        parse_faults((text,))


def test_a_fault_out_of_range_is_told():
    with pytest.raises(SettingsError, match="drop is 2"):
        parse_faults(("a:drop=2",))


def test_wrong_options_end_before_anything_is_rendered(capsys: pytest.CaptureFixture[str]):
    assert run(["simulate", "--fault", "a:dorp=1"]) == 2
    assert "known are" in capsys.readouterr().err
    assert run(["simulate", "--fault", "a:drop=2"]) == 1
    assert "between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize("uneven", [True, False])
def test_an_uneven_sensor_is_simulated_when_asked_for(uneven):
    chosen = {"seed": 3, "loop": False, "rms_waves": (0.2,), "uneven": uneven}
    settings = _source(chosen)
    assert (settings.seed, settings.rms_waves) == (3, (0.2,))
    assert (settings.prnu_percent > 0, settings.dsnu_dn > 0, settings.hot_pixels > 0) == (uneven,) * 3
