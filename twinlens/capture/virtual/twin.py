"""The twin of the rig: what cameras A and B see of a scene, and the truth about it.

A = scene * diffraction, B = (scene through `true_b_from_a`) * mirror's PSF on B's grid, each with its own
vignette, brightness and noise. The truth is for tests and reports; the pipeline never reads it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal

from twinlens.capture.frame import CameraRole, MirrorState
from twinlens.capture.virtual import geometry, optics, sensor
from twinlens.capture.virtual.keep import Keep
from twinlens.capture.virtual.scenery import Scenery, default_scenery
from twinlens.capture.virtual.source import ImageSource, Shot
from twinlens.errors import SettingsError
from twinlens.pixels import Homography, Kernel, Mono, MonoFloat
from twinlens.settings import Settings

_CANVASES_KEPT = 2
"""A and B of a scene are rendered one after the other from one canvas."""


@dataclass(frozen=True, kw_only=True)
class TwinSettings(Settings):
    """The rig that is simulated; the defaults are the demo's."""

    seed: int = 2024
    """Everything random follows from it: mirror states, drawn scenes, noise."""
    shape_hw: tuple[int, int] = (2048, 2592)
    """Height and width of both sensors in px."""
    rms_waves: tuple[float, ...] = (0.5,)
    """One mirror state for each: total aberration in waves RMS, 0 to 1.5; 0 is a flat mirror."""
    coma_trefoil_share: float = 0.58
    """Share of every mirror state's variance in coma and trefoil, 0 to 1."""
    rotation_deg: float = 1.0
    """B's picture is turned clockwise by this against A's."""
    scale: float = 1.02
    """B's picture is larger than A's by this factor."""
    shift_xy: tuple[float, float] = (14.3, -9.6)
    """Where A's centre lies on B, in px from B's centre."""
    perspective_xy: tuple[float, float] = (0.002, -0.0015)
    """Relative change of B's magnification from the centre to the right and lower edge."""
    gain_b: float = 0.9
    """Light on B relative to A."""
    offset_a_dn: float = 2.0
    """Dark level of A in grey levels."""
    offset_b_dn: float = 6.0
    """Dark level of B in grey levels."""
    vignette_a: float = 0.02
    """Loss of light in A's corners, 0 to 1."""
    vignette_b: float = 0.10
    """Loss of light in B's corners, 0 to 1."""
    full_well_e: float = 10_000.0
    """Electrons at full scale and 0 dB."""
    read_noise_e: float = 8.0
    """Electrons RMS per pixel and exposure, without light."""
    memory_mib: int = 768
    """Rendered scenes that are kept; one scene of one camera at full size takes 10.1 MiB."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot be simulated."""
        self.require("seed", minimum=0, maximum=2**32 - 1)
        self.require("rotation_deg", minimum=-20, maximum=20)
        self.require("scale", minimum=0.8, maximum=1.25)
        for name in ("coma_trefoil_share", "vignette_a", "vignette_b"):
            self.require(name, minimum=0, maximum=1)
        self.require("gain_b", minimum=0.05, maximum=1.5)
        self.require("full_well_e", minimum=100, maximum=1e7)
        self.require("read_noise_e", minimum=0, maximum=1000)
        self.require("memory_mib", minimum=16, maximum=1 << 20)
        for name in ("offset_a_dn", "offset_b_dn"):
            self.require(name, minimum=0, maximum=64)
        if min(self.shape_hw) < 32:
            raise SettingsError(
                f"twin of {self.shape_hw} px; at least 32 x 32 are needed", hint="enlarge shape_hw"
            )
        if not self.rms_waves:
            raise SettingsError("the twin has no mirror state", hint="give rms_waves at least one value")


class RigTwin:
    """Both cameras' pictures of every scene in every mirror state, and the truth behind them.

    Thread-safe. Pictures are rendered when first asked for, or by `prerender`.
    """

    def __init__(self, settings: TwinSettings | None = None, *, scenes: Sequence[Scenery] | None = None) -> None:
        self.settings = settings or TwinSettings()
        self.scenes = tuple(default_scenery(self.settings.seed) if scenes is None else scenes)
        if not self.scenes:
            raise SettingsError("the twin has no scene", hint="give it at least one photograph")
        self.mirror_states = _mirror_states(self.settings)
        self.true_b_from_a = _true_b_from_a(self.settings)
        self._psf_a = optics.cut_tails(optics.point_spread({}))
        self._psfs_b = tuple(optics.mirror_psf(state) for state in self.mirror_states)
        self._field = geometry.common_field(
            self.shape_hw,
            self.true_b_from_a,
            reach_a=len(self._psf_a) // 2,
            reach_b=max(len(psf) // 2 for psf in self._psfs_b),
        )
        self._canvases: Keep[MonoFloat] = Keep(
            4 * _CANVASES_KEPT * self._field.shape_hw[0] * self._field.shape_hw[1]
        )
        self._rendered: Keep[sensor.Irradiance] = Keep(self.settings.memory_mib << 20)

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of both sensors in px."""
        return self.settings.shape_hw

    @property
    def scene_names(self) -> tuple[str, ...]:
        """Names in the order of the scene index."""
        return tuple(scene.name for scene in self.scenes)

    def view(self, camera: CameraRole) -> ImageSource:
        """What one of the virtual cameras looks at."""
        return _View(self, camera)

    def frame(self, camera: CameraRole, shot: Shot) -> Mono:
        """One noisy frame (h, w) of the shot's bit depth, repeatable from the seed and the shot."""
        irradiance = self._irradiance(camera, shot.scene_index, shot.mirror_state_index)
        rng = sensor.shot_noise_source(
            self.settings.seed, "ab".index(camera), shot.trigger_index, shot.scene_index, shot.mirror_state_index
        )
        return self._sensor(camera).expose(
            irradiance, exposure_us=shot.exposure_us, gain_db=shot.gain_db, rng=rng, bit_depth=shot.bit_depth
        )

    def pairs(self, count: int, *, mirror_state_index: int = 0) -> Iterator[tuple[Mono, Mono]]:
        """`count` noisy pairs (a, b), going round the scenes, at the reference exposure."""
        for trigger in range(count):
            shot = Shot(
                trigger_index=trigger,
                scene_index=trigger % len(self.scenes),
                mirror_state_index=mirror_state_index,
                exposure_us=sensor.REFERENCE_EXPOSURE_US,
                gain_db=0.0,
            )
            yield self.frame("a", shot), self.frame("b", shot)

    def clean(self, camera: CameraRole, scene_index: int, mirror_state_index: int = 0) -> MonoFloat:
        """The picture (h, w) in grey levels at the reference exposure, without noise or rounding."""
        irradiance = self._irradiance(camera, scene_index, mirror_state_index)
        return self._sensor(camera).grey(irradiance, exposure_us=sensor.REFERENCE_EXPOSURE_US, gain_db=0.0)

    def psf(self, camera: CameraRole, mirror_state_index: int = 0) -> Kernel:
        """The true PSF (k, k) on the camera's own grid; A's does not depend on the mirror."""
        return self._psf_a if camera == "a" else self._psfs_b[mirror_state_index]

    def psf_centroid_xy(self, mirror_state_index: int = 0) -> tuple[float, float]:
        """Centroid of B's PSF in px: what `true_b_from_a` leaves out."""
        return optics.centroid_xy(self._psfs_b[mirror_state_index])

    def prerender(
        self, scene_indices: Iterable[int] | None = None, mirror_state_indices: Iterable[int] | None = None
    ) -> int:
        """Render these scenes in these mirror states (default: all) now; the bytes held afterwards.

        Raises:
            SettingsError: they do not fit into `memory_mib`.
        """
        scene_list = list(range(len(self.scenes)) if scene_indices is None else scene_indices)
        state_list = list(range(len(self.mirror_states)) if mirror_state_indices is None else mirror_state_indices)
        self._check_memory(len(scene_list) * (1 + len(state_list)))
        for scene in scene_list:
            self._irradiance("a", scene, 0)
            for state in state_list:
                self._irradiance("b", scene, state)
        return self._rendered.held_bytes

    def _check_memory(self, picture_count: int) -> None:
        needed_bytes = 2 * self.shape_hw[0] * self.shape_hw[1] * picture_count
        if needed_bytes > self._rendered.limit_bytes:
            raise SettingsError(
                f"{picture_count} pictures take {needed_bytes >> 20} MiB; {self.settings.memory_mib} are allowed",
                hint="raise memory_mib, or use fewer scenes or mirror states",
            )

    def _irradiance(self, camera: CameraRole, scene: int, state: int) -> sensor.Irradiance:
        if not (0 <= scene < len(self.scenes) and 0 <= state < len(self.mirror_states)):
            raise ValueError(
                f"scene {scene} in mirror state {state} was asked for; there are {len(self.scenes)} scenes "
                f"and {len(self.mirror_states)} mirror states"
            )
        if camera == "a":
            return self._rendered.get(("a", scene), lambda: self._render_a(scene))
        return self._rendered.get(("b", scene, state), lambda: self._render_b(scene, state))

    def _render_a(self, scene: int) -> sensor.Irradiance:
        field, reach = self._field, len(self._psf_a) // 2
        height, width = self.shape_hw
        top, left = field.top - reach, field.left - reach
        seen = self._canvas(scene)[top : top + height + 2 * reach, left : left + width + 2 * reach]
        sharp = _blur(seen, self._psf_a)
        return sensor.pack(sharp * sensor.vignette(self.shape_hw, self.settings.vignette_a))

    def _render_b(self, scene: int, state: int) -> sensor.Irradiance:
        psf = self._psfs_b[state]
        seen = geometry.look_through(
            self._canvas(scene), self.true_b_from_a, field=self._field, shape_hw=self.shape_hw, reach=len(psf) // 2
        )
        light = np.float32(self.settings.gain_b) * sensor.vignette(self.shape_hw, self.settings.vignette_b)
        return sensor.pack(_blur(seen, psf) * light)

    def _canvas(self, scene: int) -> MonoFloat:
        return self._canvases.get(scene, lambda: self.scenes[scene].load(self._field.shape_hw))

    def _sensor(self, camera: CameraRole) -> sensor.Sensor:
        offset_dn = self.settings.offset_a_dn if camera == "a" else self.settings.offset_b_dn
        return sensor.Sensor(
            full_well_e=self.settings.full_well_e, read_noise_e=self.settings.read_noise_e, offset_dn=offset_dn
        )


class _View:
    """One camera's side of the twin, as a virtual camera needs it."""

    def __init__(self, twin: RigTwin, camera: CameraRole) -> None:
        self._twin = twin
        self._camera: CameraRole = camera
        self.shape_hw = twin.shape_hw
        self.scene_count = len(twin.scenes)
        self.mirror_state_count = len(twin.mirror_states)

    def frame(self, shot: Shot) -> Mono:
        return self._twin.frame(self._camera, shot)


def _mirror_states(settings: TwinSettings) -> tuple[MirrorState, ...]:
    return tuple(
        optics.draw_mirror_state(
            waves,
            coma_trefoil_share=settings.coma_trefoil_share,
            label=f"state{index}-{waves:.2f}waves",
            rng=np.random.default_rng([settings.seed, index]),
        )
        for index, waves in enumerate(settings.rms_waves)
    )


def _true_b_from_a(settings: TwinSettings) -> Homography:
    return geometry.homography(
        settings.shape_hw,
        rotation_deg=settings.rotation_deg,
        scale=settings.scale,
        shift_xy=settings.shift_xy,
        perspective_xy=settings.perspective_xy,
    )


def _blur(picture: MonoFloat, psf: Kernel) -> MonoFloat:
    """Convolve; what lies within the PSF's reach of the border is consumed."""
    blurred: MonoFloat = signal.oaconvolve(picture, psf.astype(np.float32), mode="valid").astype(np.float32)
    return blurred
