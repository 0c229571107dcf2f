"""Cameras are set up as the rig file asks, read back, compared, and refused where they cannot: virtual cameras."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.capture.configure import SensorSetting, compare_settings, configure
from twinlens.capture.daheng import PROFILE, probe
from twinlens.capture.genicam import Camera, Producer
from twinlens.capture.pixel_formats import PIXEL_FORMATS, decode
from twinlens.capture.producers import bundled_producer
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.twin import TwinSettings
from twinlens.errors import SettingsError

ADDRESSES = ("127.0.6.2", "127.0.6.3")
SERIALS = ("CA01", "CB01")
SHAPE_HW = (96, 128)


@pytest.fixture(scope="module")
def cameras() -> Iterator[tuple[Camera, Camera]]:
    settings = TwinSettings(shape_hw=SHAPE_HW, rms_waves=(0.0,), seed=5)
    with (
        virtual_rig(settings, addresses=ADDRESSES, serials=SERIALS, scene_limit=1),
        Producer(bundled_producer()) as producer,
    ):
        opened = (producer.open(SERIALS[0]), producer.open(SERIALS[1]))
        yield opened
        for camera in opened:
            camera.close()


@pytest.fixture
def a(cameras: tuple[Camera, Camera]) -> Camera:
    return cameras[0]


@pytest.fixture
def b(cameras: tuple[Camera, Camera]) -> Camera:
    return cameras[1]


def rig(**changed: Any) -> RigSettings:
    return replace(RigSettings(a=SERIALS[0], b=SERIALS[1]), **changed)


def test_a_camera_reads_back_what_the_rig_asks(a: Camera) -> None:
    setting = configure(a, rig(exposure_us=123.0, gain_db=3.0, width=64, height=32, offset_x=16, offset_y=8))
    assert (setting.shape_hw, setting.pixel_format, setting.bit_depth) == ((32, 64), "Mono8", 8)
    assert setting.address == ADDRESSES[0]
    assert setting.packet_size >= 576
    values = dict(setting.values)
    assert (values["ExposureTime"], values["Gain"], values["OffsetX"]) == (123.0, 3.0, 16)
    assert (values["ExposureAuto"], values["GainAuto"]) == ("Off", "Off")
    trigger = dict(setting.trigger)
    assert (trigger["TriggerMode"], trigger["TriggerSource"]) == ("On", "Software")


def test_what_an_earlier_user_left_in_the_camera_is_gone(a: Camera) -> None:
    configure(a, rig(exposure_us=50.0, width=64, offset_x=32, black_level=2.0))
    a.write("TriggerMode", "Off")
    a.write("AcquisitionFrameRate", 0.5)
    a.write("LineSelector", "Line1")
    a.write("LineSource", "Strobe")
    setting = configure(a, rig())
    assert setting.shape_hw == SHAPE_HW
    assert dict(setting.values)["BlackLevel"] == 0
    a.write("LineSelector", "Line1")
    assert a.read("LineSource") == "UserOutput0"
    assert a.read("AcquisitionFrameRate") == 10.0


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"gain_db": 30.0}, r"gain_db is 30; camera CA01 accepts Gain from 0 to 24"),
        ({"width": 256}, r"width is 256; camera CA01 accepts Width from 16 to 128"),
        ({"height": 90, "offset_y": 8}, r"offset_y is 8; camera CA01 accepts OffsetY from 0 to 6"),
        ({"width": 62}, "Width"),
        ({"black_level": 60_000.0}, r"black_level is 60000; camera CA01 accepts BlackLevel from 0 to"),
        ({"trigger": "free", "rate_hz": 500.0}, r"rate_hz is 500; camera CA01 accepts AcquisitionFrameRate"),
    ],
)
def test_what_is_out_of_range_is_refused_with_the_range(a: Camera, changed: dict[str, Any], seen: str) -> None:
    with pytest.raises(SettingsError, match=seen) as caught:
        configure(a, rig(**changed))
    assert caught.value.hint


@pytest.mark.parametrize(("name", "depth"), [("Mono8", 8), ("Mono10", 10), ("Mono10p", 10), ("Mono10Packed", 10)])
def test_every_recorded_format_can_be_asked_for(a: Camera, name: str, depth: int) -> None:
    setting = configure(a, rig(pixel_format=name))
    assert (setting.pixel_format, setting.bit_depth) == (name, depth)
    assert a.read("PixelFormat") == name


def test_an_external_pulse_triggers_on_the_rising_edge_of_the_opto_input(a: Camera) -> None:
    trigger = dict(configure(a, rig(trigger="hardware")).trigger)
    assert trigger == {
        "AcquisitionFrameRateMode": "Off",
        "TriggerSelector": "FrameStart",
        "TriggerMode": "On",
        "TriggerSource": "Line0",
        "TriggerActivation": "RisingEdge",
    }


def test_in_a_chain_a_shows_its_exposure_and_b_listens(a: Camera, b: Camera) -> None:
    settings = rig(trigger="chain")
    of_a, of_b = configure(a, settings), configure(b, settings)
    assert dict(of_a.trigger)["LineSource"] == "Strobe"
    assert (dict(of_a.trigger)["LineSelector"], dict(of_a.trigger)["LineInverter"]) == ("Line1", False)
    assert dict(of_a.trigger)["TriggerSource"] == "Software"
    assert dict(of_b.trigger)["TriggerSource"] == "Line0"
    assert "LineSource" not in dict(of_b.trigger)
    compare_settings(of_a, of_b)


def test_an_action_command_carries_the_keys_of_the_rig(a: Camera) -> None:
    trigger = dict(configure(a, rig(trigger="action", action_group_key=7, action_group_mask=0x8000_0001)).trigger)
    assert (trigger["TriggerSource"], trigger["ActionGroupKey"]) == ("Action0", 7)
    assert trigger["ActionGroupMask"] == 0x8000_0001


def test_free_running_cameras_have_no_trigger_and_the_rate_asked_for(a: Camera) -> None:
    trigger = dict(configure(a, rig(trigger="free", rate_hz=12.5)).trigger)
    assert (trigger["TriggerMode"], trigger["AcquisitionFrameRateMode"]) == ("Off", "On")
    assert trigger["AcquisitionFrameRate"] == 12.5
    trigger = dict(configure(a, rig(trigger="free")).trigger)
    assert trigger["AcquisitionFrameRateMode"] == "Off"


def test_what_a_camera_offers_is_asked_not_assumed(a: Camera) -> None:
    able = probe(a)
    assert able.pixel_formats == ("Mono8", "Mono10", "Mono10p", "Mono10Packed")
    assert {"Software", "Line0"} <= set(able.trigger_sources)
    assert able.user_set
    assert able.strobe_source == "Strobe"
    assert able.action_source == "Action0"
    assert able.rate_switch == "AcquisitionFrameRateMode"
    assert able.latch
    assert able.latch_value
    assert able.tick_hz > 0
    assert not able.transfer_control


def test_cameras_that_are_not_set_alike_are_told_apart_by_name(a: Camera, b: Camera) -> None:
    of_a = configure(a, rig(exposure_us=100.0))
    compare_settings(of_a, configure(b, rig(exposure_us=100.05)))  # the converter's grid, not another setting
    of_b = configure(b, rig(exposure_us=250.0, gain_db=6.0))
    with pytest.raises(SettingsError, match=r"ExposureTime: A 100\.0, B 250\.0; Gain: A 0\.0, B 6\.0") as caught:
        compare_settings(of_a, of_b)
    assert caught.value.hint
    lacking = SensorSetting(of_a.shape_hw, "Mono8", 8, of_a.values[:-1])
    with pytest.raises(SettingsError, match="B has none"):
        compare_settings(of_a, lacking)


def test_no_row_of_the_profile_claims_to_be_verified_and_each_names_its_source() -> None:
    assert PROFILE
    assert all(row.source and row.says and not row.verified for row in PROFILE)


def test_one_scene_gives_one_picture_in_every_format(a: Camera) -> None:
    pictures = {}
    for name in PIXEL_FORMATS:
        setting = configure(a, rig(pixel_format=name))
        a.start(buffers=4)
        a.execute("TriggerSoftware")
        buffer = a._acquirer.try_fetch(timeout=5)
        assert buffer is not None
        payload = np.frombuffer(buffer.module.raw_buffer, dtype=np.uint8)
        pictures[name] = decode(payload, name, setting.shape_hw)
        buffer.queue()
        a.stop()
    ten_bits = pictures["Mono10"]
    assert ten_bits.max() > 255
    np.testing.assert_array_equal(pictures["Mono10p"], ten_bits)
    np.testing.assert_array_equal(pictures["Mono10Packed"], ten_bits)
    # Rows behind the stamp: Mono8 is the same light in a quarter of the steps.
    assert np.abs(pictures["Mono8"][4:].astype(float) * 4 - ten_bits[4:]).max() <= 4
