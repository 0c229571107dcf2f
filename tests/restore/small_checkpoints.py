"""Cards for checkpoints that no training made."""

from typing import Any

from twinlens.restore.checkpoint import CheckpointCard
from twinlens.restore.networks.network import Network


def card_of(network: Network, **changes: Any) -> CheckpointCard:
    """A card that fits the network, of 8 bit and no dataset but for `changes`."""
    fields: dict[str, Any] = {
        "network": type(network).__name__.lower(),
        "hyper_parameters": network.hyper_parameters,
        "channels": network.channels,
        "bit_depth": 8,
        "dataset_hash": "",
        "settings": {},
        "step": 0,
        "metrics": {},
    }
    return CheckpointCard(**{**fields, **changes})
