"""Section ``training``: how the network is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.own_code import OwnCode
from leafid.jobs.section import Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

Mix = Literal["none", "mixup", "cutmix", "both"]
Strength = Literal["none", "light", "medium", "strong"] | OwnCode
"""How views are augmented: by a chain of leafid, or by own code."""


class TrainingSettings(Section):
    """How the network is trained: a linear probe of its features, then fine-tuning of all layers.

    The probe fits the head to the frozen network in closed form. It takes seconds once the features are computed, and
    is hard to improve on with few sheets. Fine-tuning changes the features alone: batch norm keeps the statistics of
    the pretrained weights, and each image is seen through a head that was solved without its gathering, so that the
    network learns what helps with new images. The heads are solved anew after each epoch. A network with random weights
    (``model.weights: none``) has no useful features: it gets no probe, its head and its batch norm are trained, and all
    its layers have the same learning rate (``first_layer_lr_mult`` is ignored).
    """

    mode: Literal["fine-tune", "probe"] = "fine-tune"
    """``probe``: the head only, minutes on a laptop. ``fine-tune``: the probe, then all layers, until the likelihood of
    val stops rising; at the end the best is kept of the probe, the fine-tuned network, and the average of their
    weights, each with a head solved for its features."""
    probe_augmented_copies: Annotated[int, Field(ge=0, le=64)] = 2
    """Augmented copies of each image (see ``augmentation``) to which the probe is fitted, too: variation between copies
    of a leaf does not distinguish taxa. Each copy takes as long as the images themselves."""
    refit: bool = True
    """Fit the head once more at the end, to train and val together: val is a quarter more images where each taxon has
    few. Everything that calibration fits is fitted out of fold. Macro-F1 on val is that before."""
    max_epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Epochs of fine-tuning, at most; an epoch draws as many images as train has."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    """Images per step, over all devices. Where memory is short, a step is computed in parts, one after the other, with
    the same result; not on several devices, nor from random weights."""
    views_per_step: Annotated[int, Field(ge=1, le=64)] = 2
    """Views of an image drawn for each step, of as many kinds as possible; time and memory grow with their number."""
    scales_per_step: Literal["all", "one"] = "all"
    """Whether a step sees its views at all ``model.scales``, as identification does, or at one drawn at random, which
    takes less time and memory."""
    learning_rate: Positive = 2e-4
    """Peak learning rate of the last layers."""
    first_layer_lr_mult: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Learning rate of the first layers, as a multiple of the last layers'; the layers between are graded."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """AdamW weight decay (not applied to biases and normalisation)."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    """Epochs over which the learning rate rises linearly from 0; then it falls along a cosine."""
    ema_epochs: Annotated[float, Field(ge=0)] = 1.0
    """Epochs over which the weights are averaged (exponential moving average, EMA). The average is validated and kept,
    because it varies less than the weights of a single step; 0: no average."""
    loss: Literal["cross-entropy"] | OwnCode = "cross-entropy"
    """``cross-entropy``, or your own, ``package.module:function``: called with logits (images, taxa) and labels
    (images), both tensors, it returns the loss of each image (images)."""
    label_smoothing: Share = 0.0
    """Share of each label that is distributed over all taxa."""
    higher_ranks: tuple[Literal["genus", "family"], ...] = ()
    """Ranks whose error is averaged with that at species: a prediction in the right genus then costs less. Genus and
    family are those of the catalog."""
    mix: Mix = "none"
    """Mix the images of a step in pairs, and their labels: blended (``mixup``), a square of one pasted into the other
    (``cutmix``), or one of these drawn for each step (``both``). Val is never mixed."""
    balance: Literal["sampling", "loss", "none"] = "sampling"
    """How rare taxa are balanced: draw all taxa equally often (``sampling``), give errors on rare taxa more weight
    (``loss``), or neither (``none``)."""
    augmentation: Strength = "light"
    """How training images are changed. ``light``: rotation by up to 20 degrees, mirroring, scale and brightness.
    ``medium``: any rotation and colour changes; one view in ten to one in three is dried or fresh, torn, eaten by
    insects, under a mounting strip, blurred, compressed (JPEG), or on another paper. ``strong``: most of these about
    twice as often, and stronger; also WebP. ``leafid preview --augment`` shows them. Or your own,
    ``package.module:function``: called with a view, an array (side, side, 3) of bytes, and a random generator of NumPy,
    it returns the changed view in the same shape."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Stop when the calibrated negative log-likelihood of val has not fallen for this many epochs (early stopping)."""
    gradient_clip: Positive = 1.0
    """Gradients with a larger norm are scaled down to it."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; ``auto``: on a GPU if the machine has one."""
    devices: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs (or processes on a CPU) on each machine; they share the images of a step."""
    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Machines that train together; each must be given the same job and see the same folders."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """Number format of the calculations; ``auto``: bf16 on a GPU that supports it, otherwise 32."""
    workers: Annotated[int, Field(ge=0, le=256)] | Literal["auto"] = "auto"
    """Processes that read images; ``auto``: one per CPU core, at most 8."""
    deterministic: bool = True
    """The same job on the same machine gives the same weights; slower on a GPU."""

    @model_validator(mode="after")
    def _own_loss_stands_alone(self) -> Self:
        if self.loss != "cross-entropy" and (self.label_smoothing or self.higher_ranks):
            raise ValueError(
                f"label_smoothing and higher_ranks belong to loss: cross-entropy; leave them out with loss: {self.loss}"
            )
        return self
