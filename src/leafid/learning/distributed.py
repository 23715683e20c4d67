"""Which of several training processes this one is. Lightning, torchrun or SLURM start them, one for each device.

Only the first one writes: the run folder, its records, the bundle.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from leafid.errors import UsageError
from leafid.jobs import TrainingSettings


@dataclass(frozen=True)
class DistributedRank:
    """The rank of this process among all processes of a training.

    Attributes:
        rank: 0 for the first.
        world_size: how many there are.
    """

    rank: int
    world_size: int

    @classmethod
    def of(cls, training: TrainingSettings, environment: Mapping[str, str] = os.environ) -> "DistributedRank":
        """Read the rank from the job and from what the launcher put into the environment.

        Raises:
            UsageError: the images of a step cannot be shared equally.
        """
        world = training.devices * training.nodes
        if training.batch_size % world:
            raise UsageError(
                f"training.batch_size ({training.batch_size}) cannot be shared equally by {world} devices "
                f"({training.devices} devices on each of {training.nodes} nodes). Choose a multiple of {world}."
            )
        if world == 1:
            return SINGLE_PROCESS
        for name in ("RANK", "SLURM_PROCID"):  # torchrun, SLURM
            if name in environment:
                return cls(int(environment[name]), world)
        node, local = (int(environment.get(name, 0)) for name in ("NODE_RANK", "LOCAL_RANK"))  # Lightning
        return cls(node * training.devices + local, world)

    @property
    def several(self) -> bool:
        """Whether other processes train, too."""
        return self.world_size > 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0


SINGLE_PROCESS = DistributedRank(0, 1)
