"""Every error twinlens raises on purpose.

    TwinlensError(message, hint)
    ├─ SettingsError
    ├─ CaptureError ── CameraNotFoundError · CameraLostError · FrameTimeoutError · HostLimitError · SessionError
    ├─ CalibrationError ── TooFewMatchesError · DegenerateGeometryError · PoorFitError · CorrectionError
    ├─ DatasetError ── FormatError · CorruptError · SplitLeakError
    └─ RestoreError ── CheckpointError · UnknownNetworkError · TrainingDivergedError

A caller's mistake is a `ValueError`; a broken world is one of these.
"""


class TwinlensError(Exception):
    """Something in the world is not as needed; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process border with the hint intact."""
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[TwinlensError], message: str, hint: str) -> TwinlensError:
    return kind(message, hint=hint)


class SettingsError(TwinlensError):
    """A setting is unknown, missing or out of range."""


class CaptureError(TwinlensError):
    """Capturing frames failed."""


class CameraNotFoundError(CaptureError):
    """A camera that was asked for did not answer."""


class CameraLostError(CaptureError):
    """A camera stopped answering, or another host took it."""


class FrameTimeoutError(CaptureError):
    """A frame did not arrive in time."""


class HostLimitError(CaptureError):
    """This computer, its network or its disk cannot do what was asked."""


class SessionError(CaptureError):
    """A session folder is missing, incomplete or damaged."""


class CalibrationError(TwinlensError):
    """Camera A could not be mapped onto camera B."""


class TooFewMatchesError(CalibrationError):
    """Too few features agree between A and B."""


class DegenerateGeometryError(CalibrationError):
    """The images do not determine a mapping."""


class PoorFitError(CalibrationError):
    """A mapping was found, and the images contradict it."""


class CorrectionError(CalibrationError):
    """Dark, gain and defect maps could not be measured, or are not those of the frames."""


class DatasetError(TwinlensError):
    """A paired dataset could not be built or read."""


class FormatError(DatasetError):
    """A file is not what its name or its place says."""


class CorruptError(DatasetError):
    """A file of ours is damaged or was never finished."""


class SplitLeakError(DatasetError):
    """Train, validation and test cannot be kept apart."""


class RestoreError(TwinlensError):
    """Training, evaluating or restoring failed."""


class CheckpointError(RestoreError):
    """A checkpoint is foreign, damaged or of another network."""


class UnknownNetworkError(RestoreError):
    """No network has this name."""


class TrainingDivergedError(RestoreError):
    """The loss is no longer a finite number."""
