"""A trained network as a function from a degraded picture to a restored one."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twinlens.corrections import CameraCorrection
from twinlens.errors import RestoreError, SettingsError
from twinlens.pixels import Picture
from twinlens.restore.checkpoint import Checkpoint
from twinlens.restore.devices import usable_device
from twinlens.restore.networks.network import Network
from twinlens.restore.tiling import plan_tiles, restore_tiled
from twinlens.settings import Settings

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class RestoreSettings(Settings):
    """How a picture is brought through a network."""

    whole_up_to_px: int = 1 << 20
    """A picture of at most this many pixels is restored in one piece; a larger one in tiles."""
    tile_px: int = 512
    """Largest height and width of a tile."""
    overlap_px: int = 64
    """What neighbouring tiles share at least."""
    precision: str = "float32"
    """float32, or bfloat16: faster where the processor has it, and at most about 0.01 dB worse."""
    device: str = "cpu"
    """Where the network runs, as torch names it."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("whole_up_to_px", minimum=0, maximum=float("inf"))
        self.require("overlap_px", minimum=0, maximum=4096)
        self.require("tile_px", minimum=self.overlap_px + 16, maximum=65536)
        if self.precision not in PRECISIONS:
            raise SettingsError(
                f"RestoreSettings.precision is {self.precision!r}", hint=f"give {' or '.join(PRECISIONS)}"
            )


class Restorer:
    """Restores pictures of one bit depth; call it with (h, w[, 3]) uint8 or uint16."""

    def __init__(
        self,
        network: Network,
        *,
        bit_depth: int,
        settings: RestoreSettings | None = None,
        correction: CameraCorrection | None = None,
    ) -> None:
        self.settings = settings or RestoreSettings()
        self.correction = correction
        self.bit_depth = bit_depth
        self.channels = network.channels
        self._white = float(2**bit_depth - 1)
        self._dtype = np.dtype(np.uint8 if bit_depth <= 8 else np.uint16)
        self._device = usable_device(self.settings.device)
        self._network = network.eval().placed(self._device)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, settings: RestoreSettings | None = None) -> Self:
        """A restorer with a checkpoint's network, bit depth and correction."""
        return cls(
            checkpoint.build(),
            bit_depth=checkpoint.card.bit_depth,
            settings=settings,
            correction=checkpoint.correction,
        )

    def __call__(self, picture: Picture) -> Picture:
        """The restored picture, of the same shape and dtype.

        Raises:
            RestoreError: the picture has other channels or another bit depth than the network was trained on.
        """
        self._require(picture)
        height, width = picture.shape[:2]
        image = self._image(picture)
        if height * width <= self.settings.whole_up_to_px:
            restored = self._restore(image)
        else:
            restored = self._restore_in_tiles(image)
        return self._picture(restored[:, :, :height, :width], picture)

    def restore_raw(self, frame: Picture) -> Picture:
        """The restored whole frame (h, w) of camera B as it sent it, corrected first as the training frames were.

        Without a correction, which is where those had none, the frame is restored as it is.

        Raises:
            RestoreError: the frame has another bit depth than the network was trained on.
            CorrectionError: the frame is not of the size that the correction was measured at.
        """
        self._require(frame)
        if self.correction is not None:
            frame = self.correction.apply(frame, bit_depth=self.bit_depth)
        return self(frame)

    def _require(self, picture: Picture) -> None:
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        if channels != self.channels:
            raise RestoreError(
                f"the picture has {channels} channel(s), the network restores {self.channels}",
                hint="use a network trained on such pictures, or convert the picture first",
            )
        if picture.dtype != self._dtype or (self.bit_depth not in (8, 16) and picture.max() > self._white):
            raise RestoreError(
                f"the picture is {picture.dtype} with values up to {picture.max()}; the network was trained on "
                f"{self.bit_depth} bit ({self._dtype}, up to {self._white:.0f})",
                hint="use a network trained at this bit depth, or convert the picture first",
            )

    def _image(self, picture: Picture) -> Tensor:
        """(1, c, H, W) float32 in [0, 1], reflected at the bottom and right to allowed sides."""
        multiple = self._network.size_multiple
        stack = picture[..., None] if picture.ndim == 2 else picture
        margins = [(0, -side % multiple) for side in stack.shape[:2]]
        padded = np.pad(stack, (*margins, (0, 0)), mode="reflect" if min(stack.shape[:2]) > 1 else "edge")
        return torch.from_numpy(padded.transpose(2, 0, 1)[None].astype(np.float32) / self._white)

    def _restore_in_tiles(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        tiles = plan_tiles(
            (height, width),
            tile_px=self.settings.tile_px,
            overlap_px=self.settings.overlap_px,
            multiple=self._network.size_multiple,
        )
        return restore_tiled(image, tiles, overlap_px=self.settings.overlap_px, restore=self._restore)

    @torch.inference_mode()
    def _restore(self, image: Tensor) -> Tensor:
        on_device = image.to(self._device).contiguous(memory_format=torch.channels_last)
        low = self.settings.precision == "bfloat16"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=low):
            restored = self._network(on_device)[0]
        result: Tensor = restored.float().cpu()
        return result

    def _picture(self, restored: Tensor, like: Picture) -> Picture:
        levels: NDArray[np.float32] = restored[0].clamp(0.0, 1.0).mul(self._white).round().numpy()
        pixels = levels.transpose(1, 2, 0).reshape(like.shape)
        return pixels.astype(np.uint8) if like.dtype == np.uint8 else pixels.astype(np.uint16)
