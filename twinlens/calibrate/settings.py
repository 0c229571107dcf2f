"""How registration works, in numbers that a user may change."""

from dataclasses import dataclass

from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings(Settings):
    """How pairs and sessions are registered, and what is good enough."""

    max_pairs: int = 12
    """Pairs of one mirror state that are used; they stay in memory."""
    features: int = 3000
    """ORB key points per frame of the first guess."""
    min_inliers: int = 40
    """Matches that must agree in a pair's first guess; different scenes reach 36 by chance."""
    tile_px: int = 64
    """Side of a tile of the refinement."""
    min_tiles: int = 30
    """Textured tiles that all pairs of a session together must have."""
    rounds: int = 3
    """How often kernel and mapping are estimated in turn at most; it ends earlier where the gauge rests."""
    min_tile_ncc: float = 0.9
    """Median correlation of registered tiles below which a fit is not good."""
    max_residual_px: float = 0.3
    """Median tile residual above which a fit is not good."""
    max_wrong_share: float = 0.2
    """Share of tiles more than 1 px off above which a fit is not good; fewer are what moved, and are masked."""
    coarse_tile_ncc: float = 0.6
    """As `min_tile_ncc`, for a fit to be coarse instead of refused."""
    coarse_residual_px: float = 4.0
    """As `max_residual_px`, for a fit to be coarse instead of refused."""
    max_drift_px: float = 0.3
    """How far a pair's own mapping may leave its session's (root mean square over the frame)."""
    max_gain_drift: float = 0.02
    """How far a pair's own gain may leave its session's before that is told."""
    min_overlap: float = 0.5
    """Share of B's frame that A must see."""
    max_rotation_deg: float = 20.0
    """How far B may be turned against A."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("max_pairs", minimum=1, maximum=1000)
        self.require("features", minimum=100, maximum=100_000)
        self.require("min_inliers", minimum=8, maximum=100_000)
        self.require("tile_px", minimum=16, maximum=512)
        self.require("min_tiles", minimum=8, maximum=1_000_000)
        self.require("rounds", minimum=1, maximum=10)
        for share in ("min_tile_ncc", "coarse_tile_ncc", "max_wrong_share", "max_gain_drift", "min_overlap"):
            self.require(share, minimum=0, maximum=1)
        for limit_px in ("max_residual_px", "coarse_residual_px", "max_drift_px"):
            self.require(limit_px, minimum=0.01, maximum=10)
        self.require("max_rotation_deg", minimum=0, maximum=45)
