"""Section ``training``: how the network is fine-tuned."""

from typing import Annotated, Literal

from pydantic import Field

from leafid.jobs.section import Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

Mix = Literal["none", "mixup", "cutmix", "both"]
Strength = Literal["none", "light", "medium", "strong"]


class TrainingSettings(Section):
    """How the network learns: a probe of its features, then all layers, those near the image most gently.

    The probe solves the head for the frozen network in closed form; it takes seconds once the features are there, and
    on few sheets it is hard to beat. A network with random weights (``model.weights: none``) has no features worth
    probing: all its layers learn from the start and at one rate, and ``first_layer_lr_mult`` has no part in it.
    """

    mode: Literal["fine-tune", "probe"] = "fine-tune"
    """``probe``: the head only, minutes on a laptop. ``fine-tune``: the probe, then all layers, as far as val rises."""
    probe_augmented_copies: Annotated[int, Field(ge=0, le=64)] = 2
    """Augmented copies of each image, all its views changed by ``augmentation``, from which the probe learns, too: what
    varies between the copies of a leaf is not what tells taxa apart. Each costs as much as the images themselves."""
    max_epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Epochs of fine-tuning; one epoch draws as many images as there are for training."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    """Images per step, over all devices."""
    views_per_step: Annotated[int, Field(ge=1, le=64)] = 1
    """Views of an image that are drawn for a step, of as many kinds as possible; each costs as much as an image."""
    learning_rate: Positive = 1e-3
    """Highest learning rate of the last layers."""
    first_layer_lr_mult: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Learning rate of the layers next to the image, as a share of the last layers'; those between are graded."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """AdamW weight decay (not applied to biases and normalisation)."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    """Epochs over which the learning rate rises from nothing; then it falls along a cosine."""
    ema_epochs: Annotated[float, Field(ge=0)] = 1.0
    """What is validated and kept is a running average of the weights over about this many epochs, which is steadier
    than the weights of any one step; 0: the weights as they are."""
    label_smoothing: Share = 0.1
    """Share of each label that is spread over all taxa."""
    higher_ranks: tuple[Literal["genus", "family"], ...] = ()
    """Ranks at which an error counts beside that at species, equally: an answer in the right genus is then less wrong.
    Genus and family are those of the catalog."""
    mix: Mix = "none"
    """Mix the images of a step in pairs, their labels with them: laid over each other (``mixup``), a square of one put
    into the other (``cutmix``), or now the one, now the other (``both``). Val is never mixed."""
    balance: Literal["sampling", "loss", "none"] = "sampling"
    """Against rare taxa being overlooked: draw all taxa equally often, weigh errors on rare ones more, or neither."""
    augmentation: Strength = "medium"
    """How much training images are changed. ``light``: turned by 20 degrees, mirrored, scaled and lit otherwise.
    ``medium``: turned all round and recoloured; one in ten to one in three is dried or fresh, torn, eaten by insects,
    strapped down, blurred, or laid on another paper. ``strong``: each of these twice as often, and more of it.
    ``leafid preview --augment`` shows them."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Stop when macro-F1 on val has not risen for this many epochs."""
    gradient_clip: Positive = 1.0
    """Largest norm of a gradient."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; ``auto`` takes a GPU where there is one."""
    devices: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs (or processes on a CPU) on each machine that share the images of a step."""
    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Machines that train together; each is to be given the same job and see the same folders."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """Number format of the network's arithmetic; ``auto``: bf16 on a GPU that has it, else 32."""
    workers: Annotated[int, Field(ge=0, le=256)] | Literal["auto"] = "auto"
    """Processes that read images; ``auto``: one per CPU core, at most 8."""
    deterministic: bool = True
    """The same job on the same machine gives the same weights, at some cost in speed on a GPU."""
