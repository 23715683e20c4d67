"""Samples, augmentation, network and training: from a catalog to a run, and from a run to a bundle."""

from leafid.learning.devices import choose_device
from leafid.learning.inference import Logits, logits_of
from leafid.learning.network import Network, build_network, network_of
from leafid.learning.run import Run, RunInfo
from leafid.learning.training import train

__all__ = ["Logits", "Network", "Run", "RunInfo", "build_network", "choose_device", "logits_of", "network_of", "train"]
