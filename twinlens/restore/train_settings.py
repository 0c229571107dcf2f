"""What to train and how; and the recipes that were measured, or published."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from twinlens.dataset.augment import Augment
from twinlens.errors import SettingsError
from twinlens.restore.losses import LOSSES
from twinlens.restore.networks import find_network, preset
from twinlens.settings import Settings

PRECISIONS = ("float32", "bfloat16", "float64")
OPTIMISERS = ("adamw", "adam")


class Phase(NamedTuple):
    """What a step is made of."""

    crop_px: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """What to train, and how. There are no flips unless asked for: a deformed mirror's blur is not symmetric."""

    network: str = "mprnet"
    """A name of `NETWORKS`."""
    preset: str = "demo"
    """Its size, by name."""
    hyper_parameters: Mapping[str, int | str] = field(default_factory=dict)
    """What differs from the preset, such as split = "none"."""
    steps: int = 1500
    """Optimiser steps."""
    batch_size: int = 2
    """Crops per step and process; in a training of minutes, steps count for more than crops."""
    accumulate: int = 1
    """Batches whose gradients are averaged into one step."""
    crop_px: int = 48
    """Height and width of a crop; a multiple of what the network needs."""
    later_crops: tuple[tuple[float, int, int], ...] = ()
    """Progressive training: (part of the steps done, crop_px, batch_size) from there on."""
    dihedral: bool = False
    """Flip and turn crops, the blur with them."""
    brightness_jitter: float = 0.0
    """Multiply input and target by one factor within 1 +- this."""
    passport_weights: bool = False
    """Draw well registered pairs more often."""
    optimiser: str = "adamw"
    """adamw or adam."""
    learning_rate: float = 2e-3
    """At the end of the warm-up."""
    beta1: float = 0.9
    """Memory of the mean gradient."""
    beta2: float = 0.99
    """Memory of the mean squared gradient."""
    weight_decay: float = 0.0
    """Per unit of learning rate; with adam it is added to the gradient."""
    warmup_steps: int = 20
    """Steps over which the learning rate rises."""
    final_rate_fraction: float = 0.02
    """Part of the learning rate left at the last step, at the foot of the cosine."""
    clip_norm: float = 1.0
    """Largest norm of all gradients together."""
    ema_decay: float = 0.0
    """Memory of the running mean of the weights that is validated and kept; 0 keeps the weights themselves."""
    head_scale: float = 0.1
    """Factor on the image heads' first weights; near 0 the untrained network returns its input."""
    loss: str = "charbonnier-edge"
    """A name of `LOSSES`."""
    edge_weight: float = 0.05
    """Weight of the edge loss beside the Charbonnier loss."""
    shift_px: int = 0
    """Misregistration that the loss forgives: it looks for the best shift up to this many px."""
    precision: str = "float32"
    """float32, bfloat16 (the passes, not the weights) or float64."""
    recompute: bool = False
    """Compute blocks again in the backward pass rather than keep their activations: less memory, more time."""
    compile: bool = False
    """Let torch.compile fuse the network: minutes before the first step, a gain on GPUs."""
    workers: int = 0
    """Processes that read crops ahead."""
    validate_every: int = 150
    """Steps between validations; the last step is always validated."""
    validation_crops: int = 8
    """Fixed crops of the validation split."""
    validation_crop_px: int = 128
    """Their height and width."""
    keep_every: int = 0
    """Steps between checkpoints that stay; 0 keeps the best and the last."""
    report_every: int = 10
    """Steps between reports; what a stopped run may lose."""
    tensorboard: bool = False
    """Write the reports for TensorBoard too."""
    scheme: str = "default"
    """Which of the dataset's split schemes says who is trained on."""
    seed: int = 0
    """Draws the first weights and the crops; the same seed gives the same training."""

    @property
    def architecture(self) -> dict[str, int | str]:
        """The hyper-parameters: the preset's, but for what `hyper_parameters` says."""
        return {**preset(self.network, self.preset), **self.hyper_parameters}

    @property
    def augment(self) -> Augment:
        """What may be done to a crop."""
        return Augment(dihedral=self.dihedral, brightness_jitter=self.brightness_jitter)

    def phase(self, step: int) -> Phase:
        """What step `step`, counted from 0, is made of."""
        found = Phase(self.crop_px, self.batch_size)
        for part, crop_px, batch_size in self.later_crops:
            if step >= part * self.steps:
                found = Phase(crop_px, batch_size)
        return found

    def check(self) -> None:
        """Raise `SettingsError` or `UnknownNetworkError` where a value cannot work."""
        preset(self.network, self.preset)
        for name in ("steps", "batch_size", "accumulate", "validate_every", "validation_crops", "report_every"):
            self.require(name, minimum=1, maximum=1e9)
        for name in ("beta1", "beta2", "ema_decay"):
            self.require(name, minimum=0, maximum=0.999999)
        for name in ("final_rate_fraction", "head_scale"):
            self.require(name, minimum=0, maximum=1)
        for name in ("learning_rate", "clip_norm"):
            self.require(name, minimum=1e-12, maximum=1e6)
        for name in ("weight_decay", "edge_weight", "warmup_steps", "seed", "keep_every"):
            self.require(name, minimum=0, maximum=2**63)
        self.require("shift_px", minimum=0, maximum=16)
        self.require("workers", minimum=0, maximum=256)
        for name, known in (("precision", PRECISIONS), ("optimiser", OPTIMISERS), ("loss", tuple(LOSSES))):
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"TrainSettings.{name} is {getattr(self, name)!r}", hint=f"give {' or '.join(known)}"
                )
        self._check_crops()

    def _check_crops(self) -> None:
        for phase in self.later_crops:
            kinds = tuple(map(type, phase)) if isinstance(phase, tuple) else ()
            if kinds not in ((float, int, int), (int, int, int)):
                raise SettingsError(
                    f"TrainSettings.later_crops hold {phase!r}; part of the steps, crop_px, batch_size are needed",
                    hint="such as [[0.5, 128, 4], [0.8, 192, 2]]",
                )
        parts = [part for part, _, _ in self.later_crops]
        if parts != sorted(parts) or not all(0 < part < 1 for part in parts):
            raise SettingsError(
                f"TrainSettings.later_crops begin at {parts} of the steps; rising parts of 1 are needed",
                hint="such as [[0.5, 128, 4], [0.8, 192, 2]]",
            )
        multiple = find_network(self.network).size_multiple
        sides = [("crop_px", self.crop_px), ("validation_crop_px", self.validation_crop_px)]
        sides += [("later_crops", crop_px) for _, crop_px, _ in self.later_crops]
        for name, side in sides:
            if not multiple <= side <= 65536 or side % multiple:
                raise SettingsError(
                    f"TrainSettings.{name} is {side}; {self.network} needs a multiple of {multiple}",
                    hint=f"give {name} a multiple of {multiple}",
                )
        smallest = min([self.crop_px, *(crop_px for _, crop_px, _ in self.later_crops)])
        if 2 * self.shift_px >= smallest:
            raise SettingsError(
                f"TrainSettings.shift_px is {self.shift_px}, which leaves nothing of crops of {smallest} px",
                hint="forgive smaller shifts, or train on larger crops",
            )
        if not all(1 <= batch_size <= 1e9 for _, _, batch_size in self.later_crops):
            raise SettingsError("TrainSettings.later_crops hold an empty batch", hint="give each at least 1 crop")


PUBLISHED = TrainSettings(
    preset="deblur",
    steps=396_000,
    batch_size=16,
    crop_px=256,
    optimiser="adam",
    learning_rate=2e-4,
    beta2=0.999,
    warmup_steps=396,
    final_rate_fraction=0.005,
    clip_norm=1e6,
    head_scale=1.0,
    validate_every=2000,
    validation_crops=32,
    validation_crop_px=256,
    report_every=50,
    precision="bfloat16",
)
"""Zamir et al. 2021 for deblurring: 3000 epochs of 2103 pairs by 16, 3 of them warm-up, cosine from 2e-4 to 1e-6.
Crops are not flipped and weights pass in bfloat16, which is ours."""

NAFNET = TrainSettings(
    network="nafnet",
    preset="demo",
    steps=3000,
    batch_size=4,
    beta2=0.9,
    clip_norm=0.5,
)
"""Chosen on a CPU; beta1 and beta2 as in Chen et al. 2022."""

NAFNET_PUBLISHED = TrainSettings(
    network="nafnet",
    preset="gopro32",
    steps=200_000,
    batch_size=32,
    crop_px=256,
    learning_rate=1e-3,
    beta2=0.9,
    warmup_steps=0,
    final_rate_fraction=1e-4,
    clip_norm=0.01,
    head_scale=1.0,
    loss="charbonnier",
    validate_every=2000,
    validation_crops=32,
    validation_crop_px=256,
    report_every=50,
    precision="bfloat16",
)
"""Chen et al. 2022 for deblurring, width 32: AdamW, cosine from 1e-3 to 1e-7. They minimise the negative PSNR; the
loss and passes in bfloat16 are ours."""

RECIPES: Mapping[str, TrainSettings] = {
    "demo": TrainSettings(),
    "tiny": TrainSettings(preset="tiny", steps=500, batch_size=4, learning_rate=3e-3),
    "deblur": PUBLISHED,
    "nafnet-demo": NAFNET,
    "nafnet-gopro32": NAFNET_PUBLISHED,
    "nafnet-tiny": replace(NAFNET, preset="tiny", steps=1000),
}
"""By name: demonstrations of minutes and tests of seconds, measured on a CPU, and what was published for GPUs."""
