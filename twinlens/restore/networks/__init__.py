"""One file per architecture; this table is the one place where a name meets its class."""

from collections.abc import Mapping

from twinlens.errors import UnknownNetworkError
from twinlens.restore.networks.mprnet import MPRNet
from twinlens.restore.networks.nafnet import NAFNet
from twinlens.restore.networks.network import HyperParameters, Network

NETWORKS: Mapping[str, type[Network]] = {"mprnet": MPRNet, "nafnet": NAFNet}


def build_network(name: str, *, channels: int, hyper_parameters: HyperParameters) -> Network:
    """A network with default weights.

    Raises:
        UnknownNetworkError: no network has this name, or it does not take these hyper-parameters.
    """
    kind = find_network(name)
    try:
        return kind(channels, **hyper_parameters)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as cause:
        raise UnknownNetworkError(
            f"{name} cannot be built from {hyper_parameters}: {cause}",
            hint="use the twinlens release that wrote these hyper-parameters",
        ) from cause


def preset(name: str, preset_name: str) -> dict[str, int | str]:
    """The hyper-parameters of a named size of a network.

    Raises:
        UnknownNetworkError: no network has this name, or it has no such preset.
    """
    presets = find_network(name).presets
    if preset_name not in presets:
        raise UnknownNetworkError(f"{name} has no preset {preset_name!r}", hint=f"known are: {', '.join(presets)}")
    return dict(presets[preset_name])


def find_network(name: str) -> type[Network]:
    """The class of a network, or `UnknownNetworkError`."""
    if name not in NETWORKS:
        raise UnknownNetworkError(f"no network is named {name!r}", hint=f"known are: {', '.join(NETWORKS)}")
    return NETWORKS[name]
