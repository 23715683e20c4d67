"""The rank of this process in distributed training. Lightning, torchrun or SLURM start one process for each device.

Only rank 0 writes the run folder, its records and the bundle.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from leafid.errors import UsageError
from leafid.jobs import TrainingSettings


@dataclass(frozen=True)
class DistributedRank:
    """The rank of this process among all training processes.

    Attributes:
        rank: from 0.
        world_size: number of processes.
    """

    rank: int
    world_size: int

    @classmethod
    def of(cls, training: TrainingSettings, environment: Mapping[str, str] = os.environ) -> "DistributedRank":
        """Read the rank from the job and from the environment variables of the launcher.

        Raises:
            UsageError: the batch size is not a multiple of the number of processes.
        """
        world = training.devices * training.nodes
        if training.batch_size % world:
            raise UsageError(
                f"training.batch_size ({training.batch_size}) cannot be divided equally among {world} devices "
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
    def is_distributed(self) -> bool:
        """Whether there is more than one process."""
        return self.world_size > 1

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes."""
        return self.rank == 0


SINGLE_PROCESS = DistributedRank(0, 1)
