"""The twin of the rig: what cameras A and B see of a scene, and the truth about it.

A = scene * diffraction, B = (scene through `true_b_from_a`) * mirror's PSF on B's grid, each with its own
vignette, brightness, fixed pattern and noise; behind a cap or an even screen it takes dark and flat frames.
The truth is for tests and reports; the pipeline never reads it.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy import signal

from twinlens.capture.frame import CameraRole, MirrorState
from twinlens.capture.ledger import ROLES
from twinlens.capture.virtual import geometry, optics, sensor
from twinlens.capture.virtual.keep import Keep
from twinlens.capture.virtual.pattern import FixedPattern, draw_pattern
from twinlens.capture.virtual.scenery import Scenery, default_scenery
from twinlens.capture.virtual.source import SHUTTERS, ImageSource, Shot
from twinlens.capture.virtual.twin_settings import TwinSettings
from twinlens.errors import SettingsError
from twinlens.pixels import Homography, Kernel, Mono, MonoFloat

__all__ = ["RigTwin", "TwinSettings"]

_CANVASES_KEPT = 2
"""A and B of a scene are rendered one after the other from one canvas."""
EVEN_LIGHT = 0.7
"""Irradiance of the even screen: 60 % of the full well at the reference exposure, where flats are best taken."""
_PATTERN_KEY = 0xF1
"""Keeps the random numbers of the fixed patterns apart from those of the mirror states."""


class RigTwin:
    """Both cameras' pictures of every scene in every mirror state, and the truth behind them.

    Thread-safe. Pictures are rendered when first asked for, or by `prerender`.
    """

    def __init__(self, settings: TwinSettings | None = None, *, scenes: Sequence[Scenery] | None = None) -> None:
        self.settings = settings or TwinSettings()
        self.scenes = tuple(
            default_scenery(self.settings.seed, self.settings.streets) if scenes is None else scenes
        )
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
        self._sensors = {role: _sensor(self.settings, role) for role in ROLES}

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
        irradiance = self._seen(camera, shot)
        key = (ROLES.index(camera), shot.trigger_index, shot.scene_index, shot.mirror_state_index)
        covered = () if shot.shutter == "Open" else (SHUTTERS.index(shot.shutter),)
        rng = sensor.shot_noise_source(self.settings.seed, *key, *covered)
        return self._sensors[camera].expose(
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
        return self._sensors[camera].grey(irradiance, exposure_us=sensor.REFERENCE_EXPOSURE_US, gain_db=0.0)

    def fixed_pattern(self, camera: CameraRole) -> FixedPattern | None:
        """What dark, gain and defect maps of a camera should find; None where its pixels are all alike."""
        return self._sensors[camera].pattern

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

    def _seen(self, camera: CameraRole, shot: Shot) -> sensor.Irradiance:
        if shot.shutter == "Open":
            return self._irradiance(camera, shot.scene_index, shot.mirror_state_index)
        light = EVEN_LIGHT if shot.shutter == "EvenLight" else 0.0
        return self._rendered.get((camera, shot.shutter), lambda: sensor.pack(light * self._transmission(camera)))

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
        return sensor.pack(_blur(seen, self._psf_a) * self._transmission("a"))

    def _render_b(self, scene: int, state: int) -> sensor.Irradiance:
        psf = self._psfs_b[state]
        seen = geometry.look_through(
            self._canvas(scene), self.true_b_from_a, field=self._field, shape_hw=self.shape_hw, reach=len(psf) // 2
        )
        return sensor.pack(_blur(seen, psf) * self._transmission("b"))

    def _transmission(self, camera: CameraRole) -> MonoFloat:
        settings = self.settings
        if camera == "a":
            return sensor.vignette(self.shape_hw, settings.vignette_a)
        return np.float32(settings.gain_b) * sensor.vignette(self.shape_hw, settings.vignette_b)

    def _canvas(self, scene: int) -> MonoFloat:
        return self._canvases.get(scene, lambda: self.scenes[scene].load(self._field.shape_hw))


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


def _sensor(settings: TwinSettings, camera: CameraRole) -> sensor.Sensor:
    pattern = None
    if settings.dsnu_dn or settings.prnu_percent or settings.hot_pixels or settings.dead_pixels:
        pattern = draw_pattern(
            settings.shape_hw,
            dsnu_dn=settings.dsnu_dn,
            prnu=settings.prnu_percent / 100,
            hot_pixels=settings.hot_pixels,
            dead_pixels=settings.dead_pixels,
            rng=np.random.default_rng([settings.seed, _PATTERN_KEY, ROLES.index(camera)]),
        )
    return sensor.Sensor(
        full_well_e=settings.full_well_e,
        read_noise_e=settings.read_noise_e,
        offset_dn=settings.offset_a_dn if camera == "a" else settings.offset_b_dn,
        pattern=pattern,
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
