"""Fine-tune a peer on the images of a job, as its documentation shows; in the peers' environment, without leafid.

    python scripts/bench_peer_training.py fastai|timm|ultralytics SETTINGS.json

All peers start from the same torchvision weights of mobilenet_v2 and see the same training images as often
(``epochs``). Prints one line of JSON: macro-F1 on test, CPU seconds of training, and images/s and CPU ms per image of
predicting the test images from their paths. Nothing is chosen on test; val is only printed.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

SIDE = 224
BATCH = 16

Predict = Callable[[Sequence[Path]], list[int]]
"""From paths to label indices."""


class Settings:
    """Settings of a peer, read from JSON.

    Attributes:
        weights: file of torchvision's ImageNet weights of mobilenet_v2.
        images: for ``train``, ``val`` and ``test`` the files and their label indices.
        taxa: number of labels.
        epochs: passes over the training images.
        seed: of all generators.
        cores: processes that read images.
    """

    def __init__(self, path: Path) -> None:
        values = json.loads(path.read_text())
        self.weights = Path(values["weights"])
        self.images: dict[str, list[tuple[Path, int]]] = {
            part: [(Path(image), label) for image, label in images] for part, images in values["images"].items()
        }
        self.taxa: int = values["taxa"]
        self.epochs: int = values["epochs"]
        self.seed: int = values["seed"]
        self.cores: int = values["cores"]


def offer_weights(settings: Settings, folder: Path) -> None:
    """Put the weights where torchvision looks before it downloads any."""
    checkpoints = folder / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    url = import_module("torchvision.models").MobileNet_V2_Weights.IMAGENET1K_V1.url
    shutil.copy(settings.weights, checkpoints / Path(url).name)
    os.environ["TORCH_HOME"] = str(folder)


def fastai(settings: Settings, folder: Path) -> Predict:
    """Train with ``vision_learner(...).fine_tune(...)``, as in fastai's tutorial of vision."""
    vision = import_module("fastai.vision.all")
    vision.set_seed(settings.seed, reproducible=True)
    names = [str(label) for label in range(settings.taxa)]
    rows = [
        (str(image), str(label), part == "val") for part in ("train", "val") for image, label in settings.images[part]
    ]
    loaders = vision.ImageDataLoaders.from_df(
        import_module("pandas").DataFrame(rows, columns=["image", "label", "is_valid"]),
        path="/",
        valid_col="is_valid",
        y_block=vision.CategoryBlock(vocab=names),
        item_tfms=vision.Resize(460),
        batch_tfms=vision.aug_transforms(size=SIDE),
        bs=BATCH,
        num_workers=settings.cores,
    )
    network = vision.models.mobilenet_v2
    # fastai does not know where the head of this network begins.
    vision.model_meta[network] = {"cut": -1, "split": vision.default_split, "stats": vision.imagenet_stats}
    learner = vision.vision_learner(loaders, network, path=folder)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(settings.epochs - 1)  # after one epoch of the head alone

    def predict(images: Sequence[Path]) -> list[int]:
        listed = loaders.test_dl([str(image) for image in images], num_workers=settings.cores)
        with learner.no_bar(), learner.no_logging():
            scores, _ = learner.get_preds(dl=listed)
        return [int(loaders.vocab[int(index)]) for index in scores.argmax(1)]  # fastai sorts the names

    return predict


def timm(settings: Settings, folder: Path) -> Predict:
    """Train with timm's loader, augmentation, optimizer and schedule, with the values its documentation gives."""
    import torch

    library, data = import_module("timm"), import_module("timm.data")
    torch.manual_seed(settings.seed)
    network = library.create_model("mobilenetv2_100", num_classes=settings.taxa, pretrained=False)
    _load_in_order(network, torch.load(settings.weights, weights_only=True))
    config = data.resolve_data_config({}, model=network)

    class Images(torch.utils.data.Dataset[Any]):
        def __init__(self, rows: Sequence[tuple[Path, int]]) -> None:
            self.rows, self.transform = rows, None

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, index: int) -> Any:  # noqa: ANN401 -- timm is untyped
            image = import_module("PIL.Image").open(self.rows[index][0]).convert("RGB")
            return (self.transform(image) if self.transform else image), self.rows[index][1]

    def loader(rows: Sequence[tuple[Path, int]], training: bool) -> Any:  # noqa: ANN401 -- timm is untyped
        return data.create_loader(
            Images(rows),
            batch_size=BATCH,
            is_training=training,
            auto_augment="rand-m9-mstd0.5" if training else None,
            use_prefetcher=False,
            num_workers=settings.cores,
            device=torch.device("cpu"),
            **config,
        )

    batches = loader(settings.images["train"], training=True)
    optimizer = import_module("timm.optim").create_optimizer_v2(network, opt="adamw", lr=5e-4, weight_decay=0.05)
    schedule = import_module("timm.scheduler").CosineLRScheduler(
        optimizer, t_initial=settings.epochs, warmup_t=1, warmup_lr_init=1e-5, lr_min=1e-6
    )
    loss = import_module("timm.loss").LabelSmoothingCrossEntropy(0.1)
    network.train()
    for epoch in range(settings.epochs):
        schedule.step(epoch)
        for pixels, labels in batches:
            optimizer.zero_grad()
            loss(network(pixels), labels).backward()
            optimizer.step()
    network.eval()

    def predict(images: Sequence[Path]) -> list[int]:
        found: list[int] = []
        with torch.inference_mode():
            for pixels, _ in loader([(image, 0) for image in images], training=False):
                found += network(pixels).argmax(1).tolist()
        return found

    return predict


def _load_in_order(network: Any, weights: dict[str, Any]) -> None:  # noqa: ANN401 -- timm is untyped
    """Load torchvision's weights into timm's network: the same layers in the same order, but for the head."""
    own = network.state_dict()
    layers = [name for name in own if not name.startswith("classifier.")]
    given = [value for name, value in weights.items() if not name.startswith("classifier.")]
    for name, value in zip(layers, given, strict=True):
        own[name] = value.reshape(own[name].shape)
    network.load_state_dict(own)


ULTRALYTICS_NETWORK = """\
nc: {taxa}
backbone:
  - [-1, 1, TorchVision, [1280, mobilenet_v2, IMAGENET1K_V1, True, 1, False]]
head:
  - [-1, 1, Classify, [nc]]
"""
"""Torchvision's network without its head, as in ultralytics' own ``yolo11-cls-resnet18.yaml``."""


def ultralytics(settings: Settings, folder: Path) -> Predict:
    """Train with ``YOLO(...).train(...)`` on folders of images, as in its documentation of classification."""
    os.environ["YOLO_OFFLINE"] = "true"
    for part, rows in settings.images.items():
        for number, (image, label) in enumerate(rows):
            link = folder / "images" / part / f"{label:03d}" / f"{number}{image.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(image.resolve())
    described = folder / "mobilenet_v2-cls.yaml"
    described.write_text(ULTRALYTICS_NETWORK.format(taxa=settings.taxa))
    model = import_module("ultralytics").YOLO(described, task="classify")
    model.train(
        data=folder / "images",
        epochs=settings.epochs,
        imgsz=SIDE,
        batch=BATCH,
        seed=settings.seed,
        workers=settings.cores,
        device="cpu",
        project=folder / "runs",
        plots=False,
        verbose=False,
    )

    def predict(images: Sequence[Path]) -> list[int]:
        listed = folder / "test.txt"
        listed.write_text("".join(f"{image}\n" for image in images))
        results = model.predict(listed, stream=True, imgsz=SIDE, batch=BATCH, device="cpu", verbose=False)
        return [int(model.names[result.probs.top1]) for result in results]

    return predict


PEERS: dict[str, Callable[[Settings, Path], Predict]] = {"fastai": fastai, "timm": timm, "ultralytics": ultralytics}


def main() -> None:
    """Train one peer and test it."""
    if len(sys.argv) != 3 or sys.argv[1] not in PEERS:
        sys.exit(f"{__doc__}\nPeers: {', '.join(PEERS)}")
    metrics = import_module("sklearn.metrics")
    settings = Settings(Path(sys.argv[2]))
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="leafid-peer-") as made:
        folder = Path(made)
        offer_weights(settings, folder)
        used = sum(os.times()[:4])
        predict = PEERS[sys.argv[1]](settings, folder)
        figures["training_cpu_seconds"] = sum(os.times()[:4]) - used
        for part in ("val", "test"):
            images, labels = zip(*settings.images[part], strict=True)
            started, used = time.perf_counter(), sum(os.times()[:4])
            found = predict(images)
            seconds, cpu_seconds = time.perf_counter() - started, sum(os.times()[:4]) - used
            figures[f"{part}_macro_f1"] = metrics.f1_score(labels, found, average="macro", zero_division=0)
        figures |= {"images_per_second": len(images) / seconds, "cpu_ms": 1000 * cpu_seconds / len(images)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
