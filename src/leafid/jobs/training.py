"""Section ``training``: how the network is fine-tuned."""

from typing import Annotated, Literal

from pydantic import Field

from leafid.jobs.section import Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class TrainingSettings(Section):
    """How the network is fine-tuned: the head first, then all layers, those near the image most gently.

    A network with random weights (``model.weights: none``) has nothing to be gentle with: all its layers learn from the
    start and at one rate, and ``head_epochs``, ``head_learning_rate`` and ``first_layer_rate`` have no part in it.
    """

    max_epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Epochs in all, the head's included; one epoch draws as many images as there are for training."""
    head_epochs: Annotated[int, Field(ge=0, le=1_000)] = 2
    """Epochs in which only the head learns, before all layers do."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    """Images per step."""
    learning_rate: Positive = 1e-3
    """Highest learning rate of the last layers once all layers learn."""
    head_learning_rate: Positive = 1e-2
    """Highest learning rate while only the head learns."""
    first_layer_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Learning rate of the layers next to the image, as a share of the last layers'; those between are graded."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """AdamW weight decay (not applied to biases and normalisation)."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    """Epochs over which the learning rate rises from nothing once all layers learn; then it falls along a cosine."""
    label_smoothing: Share = 0.1
    """Share of each label that is spread over all taxa."""
    balance: Literal["sampling", "loss", "none"] = "sampling"
    """Against rare taxa being overlooked: draw all taxa equally often, weigh errors on rare ones more, or neither."""
    augmentation: Literal["none", "light", "medium", "strong"] = "medium"
    """How much training images are turned, cropped, recoloured and damaged."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Stop when macro-F1 on val has not risen for this many epochs."""
    gradient_clip: Positive = 1.0
    """Largest norm of a gradient."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; ``auto`` takes a GPU where there is one."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """Number format of the network's arithmetic; ``auto``: bf16 on a GPU that has it, else 32."""
    workers: Annotated[int, Field(ge=0, le=256)] | Literal["auto"] = "auto"
    """Processes that read images; ``auto``: one per CPU core, at most 8."""
    deterministic: bool = True
    """The same job on the same machine gives the same weights, at some cost in speed on a GPU."""
