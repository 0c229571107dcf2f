"""Image files come and go with their pixels, their depth and what they say beside their pixels."""

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin

from twinlens.errors import RestoreError
from twinlens.picture_files import read_picture, result_name, save_picture
from twinlens.pixels import Picture, PictureFloat

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>'
EXPOSURE, MAKER, ORIENTATION, EXIF_IFD, GPS_IFD, ICC_TAG, XMP_TAG = (
    0x829A,
    0x010F,
    0x0112,
    0x8769,
    0x8825,
    34675,
    700,
)
RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TURNED = 6


def picture_of(kind: type, shape: tuple[int, ...]) -> Picture | PictureFloat:
    rng = np.random.default_rng(3)
    if kind is np.float32:
        return rng.random(shape, np.float32)
    return rng.integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def exif_of_a_camera() -> Image.Exif:
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Maker of cameras", TURNED
    exif.get_ifd(EXIF_IFD)[EXPOSURE] = 0.0125
    exif.get_ifd(GPS_IFD)[1] = "N"
    return exif


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def said_by(path: Path) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    exif = opened(path).getexif()
    return {**exif}, exif.get_ifd(EXIF_IFD), exif.get_ifd(GPS_IFD)


@pytest.mark.parametrize("shape", [(21, 30), (21, 30, 3)])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint8), (".tiff", np.uint16), (".tif", np.float32)],
)
def test_pixels_come_back_as_they_went(suffix: str, kind: type, shape: tuple[int, ...], tmp_path: Path) -> None:
    picture = picture_of(kind, shape)
    back = read_picture(save_picture(picture, tmp_path / f"p{suffix}"))
    assert back.dtype == kind
    np.testing.assert_array_equal(back, picture)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_exif_profile_and_xmp_of_png_and_jpeg_are_kept_and_pixels_stay_as_they_lie(
    suffix: str, kind: type, tmp_path: Path
) -> None:
    source, pixels = tmp_path / f"s{suffix}", picture_of(np.uint8, (20, 32, 3))
    extra: dict[str, Any] = {"xmp": XMP} if suffix == ".jpg" else {}
    Image.fromarray(pixels).save(source, exif=exif_of_a_camera(), icc_profile=RGB_PROFILE, **extra)
    assert read_picture(source).shape == pixels.shape  # orientation 6 would lay the picture on its side
    picture = picture_of(kind, (20, 32, 3))
    result = save_picture(picture, tmp_path / "r" / result_name(source), like=source)
    assert said_by(result) == said_by(source)
    assert said_by(result)[0][ORIENTATION] == TURNED
    info = opened(result).info
    assert info["icc_profile"] == RGB_PROFILE
    if suffix == ".jpg":
        assert info["XML:com.adobe.xmp"].encode() == XMP
    np.testing.assert_array_equal(read_picture(result), picture)


def test_a_long_profile_of_a_jpeg_lies_in_several_segments_and_one_of_another_colour_space_is_left_out(
    tmp_path: Path,
) -> None:
    long = RGB_PROFILE + bytes(100_000)
    Image.fromarray(picture_of(np.uint8, (16, 16, 3))).save(tmp_path / "c.jpg", icc_profile=long)
    result = save_picture(picture_of(np.uint8, (16, 16, 3)), tmp_path / "c.png", like=tmp_path / "c.jpg")
    assert opened(result).info["icc_profile"] == long
    grey = save_picture(picture_of(np.uint8, (16, 16)), tmp_path / "g.png", like=tmp_path / "c.jpg")
    assert "icc_profile" not in opened(grey).info


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "shape"),
    [(np.uint8, (20, 32)), (np.uint16, (20, 32)), (np.uint16, (20, 32, 3)), (np.float32, (20, 32))],
)
def test_tags_of_a_tiff_are_kept_in_either_byte_order_and_turned_pixels_lose_their_orientation(
    order: str, kind: type, shape: tuple[int, ...], tmp_path: Path
) -> None:
    source, pixels = tmp_path / "s.tif", picture_of(kind, shape)
    extra = [(ORIENTATION, "H", 1, TURNED, True), (MAKER, "s", 0, "Maker of cameras", True),
             (XMP_TAG, "B", len(XMP), XMP, True), (ICC_TAG, "B", len(RGB_PROFILE), RGB_PROFILE, True),
             (65000, "d", 2, (0.25, -3.5), True), (65001, "H", 3, (1, 2, 60000), True)]  # fmt: skip
    tifffile.imwrite(source, pixels, byteorder=order, extratags=extra, resolution=(300, 200), metadata=None)
    upright = read_picture(source)
    np.testing.assert_array_equal(upright, np.rot90(pixels, -1))
    result = save_picture(upright, tmp_path / "r.tif", like=source)
    np.testing.assert_array_equal(read_picture(result), upright)
    with tifffile.TiffFile(source) as before, tifffile.TiffFile(result) as after:
        old, new = before.pages[0].tags, after.pages[0].tags
        for tag in (MAKER, XMP_TAG, ICC_TAG, 65000, 65001, "XResolution", "YResolution", "Software"):
            assert new[tag].value == old[tag].value
        assert ORIENTATION not in new


def test_directories_below_a_tiff_s_first_are_kept(tmp_path: Path) -> None:
    first = TiffImagePlugin.ImageFileDirectory_v2()
    first[MAKER], first[EXIF_IFD], first[GPS_IFD] = "Maker of cameras", {EXPOSURE: 0.0125}, {1: "N"}
    Image.fromarray(picture_of(np.uint8, (20, 32))).save(tmp_path / "s.tif", tiffinfo=first)
    result = save_picture(read_picture(tmp_path / "s.tif"), tmp_path / "r.tif", like=tmp_path / "s.tif")
    maker, camera, place = said_by(result)
    assert maker[MAKER] == "Maker of cameras"
    assert camera[EXPOSURE] == pytest.approx(0.0125)
    assert place[1] == "N"


def test_what_no_png_can_hold_is_left_out_across_formats(tmp_path: Path) -> None:
    picture = picture_of(np.uint8, (8, 8))
    cv2.imwrite(str(tmp_path / "s.bmp"), picture)
    result = save_picture(picture, tmp_path / "r.png", like=tmp_path / "s.bmp")
    np.testing.assert_array_equal(read_picture(result), picture)


def test_metadata_that_are_cut_short_end_in_an_error_and_leave_nothing(tmp_path: Path) -> None:
    picture = picture_of(np.uint8, (8, 8))
    source = save_picture(picture, tmp_path / "s.tif")
    (tmp_path / "cut.tif").write_bytes(source.read_bytes()[:-40])
    with pytest.raises(RestoreError, match="cut short"):
        save_picture(picture, tmp_path / "r.tif", like=tmp_path / "cut.tif")
    (tmp_path / "loop.tif").write_bytes(b"II*\0" + struct.pack("<IHHHII", 8, 1, 34665, 4, 1, 8) + bytes(4))
    save_picture(picture, tmp_path / "l.tif", like=tmp_path / "loop.tif")  # a directory that holds itself ends
    assert not (tmp_path / "r.tif").exists()


def test_a_thumbnail_beside_the_picture_is_no_second_picture(tmp_path: Path) -> None:
    picture = picture_of(np.uint8, (32, 32))
    with tifffile.TiffWriter(tmp_path / "t.tif") as writer:
        writer.write(picture, metadata=None)
        writer.write(picture[::4, ::4], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read_picture(tmp_path / "t.tif"), picture)


def test_what_cannot_be_restored_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    (tmp_path / "e.png").write_bytes(b"")
    tifffile.imwrite(tmp_path / "d.tif", np.zeros((8, 8), np.float64))
    tifffile.imwrite(tmp_path / "pages.tif", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "alpha.png")
    for name, words in [
        ("x.png", "no 8 or 16 bit"),
        ("e.png", "no 8 or 16 bit"),
        ("d.tif", "no 8 or 16 bit"),
        ("pages.tif", "3 pictures"),
        ("alpha.png", "alpha"),
        ("nowhere.png", "cannot be read"),
    ]:
        with pytest.raises(RestoreError, match=words):
            read_picture(tmp_path / name)
    with pytest.raises(RestoreError, match="cannot be encoded"):
        save_picture(np.zeros((8, 8), np.float32), tmp_path / "f.png")
    with pytest.raises(RestoreError, match="cannot be encoded"):
        save_picture(np.zeros((8, 8), np.uint8), tmp_path / "f.jpg")


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        (np.uint16, {"planarconfig": "separate", "photometric": "rgb"}, "colours in planes of their own"),
        (np.uint16, {"photometric": "miniswhite"}, "white as zero"),
        (np.uint8, {"photometric": "separated", "planarconfig": "contig"}, "CMYK"),
        (np.uint8, {"bigtiff": True}, "BigTIFF"),
    ],
)
def test_a_tiff_that_would_be_misread_is_refused(
    kind: type, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    shapes = {"separate": (3, 20, 24), "separated": (20, 24, 4), "rgb": (20, 24, 3)}
    shape = shapes.get(options.get("planarconfig", ""), shapes.get(options.get("photometric", ""), (20, 24)))
    tifffile.imwrite(tmp_path / "odd.tif", picture_of(kind, shape), **options)
    with pytest.raises(RestoreError, match=told):
        read_picture(tmp_path / "odd.tif")


def test_an_8_bit_tiff_with_white_as_zero_is_read_the_right_way_round(tmp_path: Path) -> None:
    picture = picture_of(np.uint8, (20, 24))
    tifffile.imwrite(tmp_path / "negative.tif", picture, photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(tmp_path / "negative.tif"), 255 - picture)


def test_an_animation_is_no_picture(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(RestoreError, match="is an animation"):
        read_picture(tmp_path / "a.png")
