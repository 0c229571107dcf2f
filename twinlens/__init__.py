"""Two cameras, one scene: synchronised capture, registration, paired datasets and restoration."""

__version__ = "0.1.0"
