"""A trained network as a function from a degraded picture to a restored one."""

import copy
import dataclasses
from collections.abc import Callable
from functools import cache, partial
from typing import Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twinlens.corrections import CameraCorrection
from twinlens.errors import RestoreError
from twinlens.pixels import Picture, PictureFloat
from twinlens.restore.checkpoint import Checkpoint
from twinlens.restore.devices import usable_device
from twinlens.restore.ensemble import over_dihedral_group
from twinlens.restore.memory import GIB, free_bytes, inference_bytes
from twinlens.restore.networks.network import Network
from twinlens.restore.restore_plan import Planner, RestorePlan, advice
from twinlens.restore.restore_settings import RestoreSettings, precision_on
from twinlens.restore.tiling import restore_tiled

__all__ = ["OnTile", "RestoreSettings", "Restorer"]

OnTile = Callable[[int, int], None]
"""Told how many tiles of a picture are done, of how many."""
_AnyPicture = TypeVar("_AnyPicture", bound=Picture | PictureFloat)
_FULL = ("not enough memory", "can't allocate memory", "out of memory")
"""What torch's own errors say where an allocation failed."""


class Restorer:
    """Restores pictures of one bit depth; call it with (h, w[, 3]) uint8 or uint16, or with float32 in [0, 1].

    The picture stays on the host; a copy of the network, and one tile at a time, lie on the device.
    """

    def __init__(
        self,
        network: Network,
        *,
        bit_depth: int,
        settings: RestoreSettings | None = None,
        correction: CameraCorrection | None = None,
        crop_px: int | None = None,
    ) -> None:
        """Prepare a copy of the network.

        Args:
            network: stays as it is.
            bit_depth: of the pictures it was trained on.
            settings: how pictures are brought through it.
            correction: what raw frames need first.
            crop_px: height and width of the crops it was trained on, which local means need.

        Raises:
            RestoreError: local means are asked for, and nobody knows what the network was trained on.
            SettingsError: the device cannot be used.
        """
        self.settings = settings or RestoreSettings()
        self.correction = correction
        self.bit_depth = bit_depth
        self.channels = network.channels
        self._white = float(2**bit_depth - 1)
        self._dtype = np.dtype(np.uint8 if bit_depth <= 8 else np.uint16)
        self._device = usable_device(self.settings.device)
        self.precision = precision_on(self._device, self.settings.precision)
        self._network = copy.deepcopy(network).eval()
        if self.settings.pool == "local":
            if crop_px is None:
                raise RestoreError(
                    "local means need the size of the training crops, which nobody recorded",
                    hint='use pool="global"',
                )
            self._network.localise((crop_px, crop_px))
        self._network = self._network.to(self.precision).placed(self._device)
        piece_bytes = partial(inference_bytes, self._network, dtype=self.precision)
        self._planner = Planner(
            piece_bytes=cache(piece_bytes),
            multiple=network.size_multiple,
            channels=network.channels,
            overlap_px=self.settings.overlap_px,
        )
        self._plans: dict[tuple[int, int], RestorePlan] = {}

    @property
    def settings_used(self) -> RestoreSettings:
        """The settings with the precision that "auto" turned out to be here."""
        return dataclasses.replace(self.settings, precision=str(self.precision).removeprefix("torch."))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, settings: RestoreSettings | None = None) -> Self:
        """A restorer with a checkpoint's network, bit depth, correction and crop size."""
        settings_then = checkpoint.card.settings
        later = settings_then.get("later_crops") or [(0, settings_then.get("crop_px"), 0)]
        crop_px = later[-1][1]  # what it saw last
        return cls(
            checkpoint.build(),
            bit_depth=checkpoint.card.bit_depth,
            settings=settings,
            correction=checkpoint.correction,
            crop_px=crop_px if isinstance(crop_px, int) else None,
        )

    def __call__(self, picture: _AnyPicture, *, on_tile: OnTile | None = None) -> _AnyPicture:
        """The restored picture, of the same shape and dtype.

        Raises:
            RestoreError: the picture has other channels or another bit depth than the network was trained on, or
                memory does not suffice.
        """
        self.require(picture)
        height, width = picture.shape[:2]
        plan = self.plan((height, width))
        try:
            restored = restore_tiled(
                self._image(picture),
                plan.tiles,
                overlap_px=self.settings.overlap_px,
                restore=self._restore,
                on_tile=on_tile,
            )
            return self._picture(restored[:, :, :height, :width], picture)
        except (MemoryError, RuntimeError) as cause:
            if isinstance(cause, RuntimeError) and not any(words in str(cause) for words in _FULL):
                raise
            raise self._out_of_memory(plan) from cause

    def restore_raw(self, frame: _AnyPicture, *, on_tile: OnTile | None = None) -> _AnyPicture:
        """The restored whole frame (h, w) of camera B as it sent it, corrected first as the training frames were.

        Without a correction, which is where those had none, the frame is restored as it is.

        Raises:
            RestoreError: the frame has another bit depth than the network was trained on, or memory does not
                suffice.
            CorrectionError: the frame is not of the size that the correction was measured at.
        """
        return self(self.corrected(frame), on_tile=on_tile)

    def corrected(self, frame: _AnyPicture) -> _AnyPicture:
        """A frame as camera B sent it, as training frames were: corrected where those were.

        Raises:
            RestoreError: the frame has another bit depth than the network was trained on.
            CorrectionError: the frame is not of the size that the correction was measured at.
        """
        self.require(frame)
        if self.correction is None:
            return frame
        if frame.dtype == np.float32:
            raise RestoreError(
                f"a float picture is no frame as camera B sent it, which has {self.bit_depth} bit",
                hint="restore it without correction",
            )
        return cast("_AnyPicture", self.correction.apply(cast("Picture", frame), bit_depth=self.bit_depth))

    def plan(self, shape_hw: tuple[int, int]) -> RestorePlan:
        """How pictures of this size are restored; found when the first one is met, and kept.

        Raises:
            RestoreError: not even the smallest tile fits into memory, or the tile asked for does not.
        """
        if shape_hw not in self._plans:
            limit_gib = self.settings.memory_gib
            free = free_bytes(self._device) if limit_gib is None else int(limit_gib * GIB)
            height, width = (side + -side % self._planner.multiple for side in shape_hw)
            self._plans[shape_hw] = self._planner.plan(
                (height, width), tile_px=self.settings.tile_px, free_bytes=free
            )
        return self._plans[shape_hw]

    def require(self, picture: Picture | PictureFloat, *, bit_depth: int | None = None) -> None:
        """Raise `RestoreError` unless the network was trained on pictures of this kind.

        Args:
            picture: to be restored.
            bit_depth: where somebody knows it; else what the type and the values tell.
        """
        if bit_depth not in (None, self.bit_depth):
            raise RestoreError(
                f"the pictures have {bit_depth} bit; the network was trained on {self.bit_depth} bit",
                hint="use a network trained at this bit depth",
            )
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        if channels != self.channels:
            raise RestoreError(
                f"the picture has {channels} channel(s), the network restores {self.channels}",
                hint="use a network trained on such pictures, or convert the picture first",
            )
        if picture.dtype == np.float32:
            low, high = float(picture.min()), float(picture.max())
            if not (low >= 0.0 and high <= 1.0):  # which nan is not, either
                raise RestoreError(
                    f"the float picture has values from {low:g} to {high:g}; they must lie between 0 and 1",
                    hint="divide it by its white level first",
                )
        elif picture.dtype != self._dtype or (self.bit_depth not in (8, 16) and picture.max() > self._white):
            raise RestoreError(
                f"the picture is {picture.dtype} with values up to {picture.max()}; the network was trained on "
                f"{self.bit_depth} bit ({self._dtype}, up to {self._white:.0f})",
                hint=f"use a network trained at this bit depth, scale the picture so that white is "
                f"{self._white:.0f}, or give it as float32 with white at 1",
            )

    def _image(self, picture: Picture | PictureFloat) -> Tensor:
        """(1, c, H, W) float32 in [0, 1], reflected at the bottom and right to allowed sides."""
        multiple = self._network.size_multiple
        stack = picture[..., None] if picture.ndim == 2 else picture
        margins = [(0, -side % multiple) for side in stack.shape[:2]]
        padded = np.pad(stack, (*margins, (0, 0)), mode="reflect" if min(stack.shape[:2]) > 1 else "edge")
        image = torch.from_numpy(padded.transpose(2, 0, 1)[None].astype(np.float32))
        return image if picture.dtype == np.float32 else image.div_(self._white)

    def _restore(self, image: Tensor) -> Tensor:
        return over_dihedral_group(self._once, image) if self.settings.ensemble else self._once(image)

    @torch.inference_mode()
    def _once(self, image: Tensor) -> Tensor:
        on_device = image.to(self._device).contiguous(memory_format=torch.channels_last)
        result: Tensor = self._network(on_device)[0].float().cpu()
        return result

    def _picture(self, restored: Tensor, like: _AnyPicture) -> _AnyPicture:
        values = restored[0].clamp(0.0, 1.0)
        if like.dtype != np.float32:
            values = values.mul_(self._white).round_()
        levels: NDArray[np.float32] = values.numpy().transpose(1, 2, 0).reshape(like.shape)
        return cast("_AnyPicture", levels.astype(like.dtype))

    def _out_of_memory(self, plan: RestorePlan) -> RestoreError:
        """What there was did not suffice against all reckoning: tiles of half the height and width may."""
        height, width = plan.tile_hw
        fitting = self._planner.largest_tile_px(
            plan.shape_hw, free_bytes=plan.need_bytes, below_px=max(height, width) // 2
        )
        return RestoreError(
            f"memory ran out while a piece of {width}x{height} px was restored, which was to take "
            f"{plan.need_bytes / GIB:.2f} of {plan.free_bytes / GIB:.2f} GiB",
            hint=advice(fitting),
        )
