"""The runners that ``bench_identify.py`` times, each in its own process; peers run in an environment without leafid.

    python scripts/bench_identify_runners.py RUNNER SETTINGS.json

Loads the network, warms up on a few images, then times all images from their paths to predictions on disk, and prints
one line of JSON. Weights are random, because speed does not depend on them.
"""

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

TAXA = 30
WARM_UP = 16
BATCH = 16


class Settings:
    """Settings of a runner, read from JSON.

    Attributes:
        network: torchvision's name.
        images: files in order.
        output: path of the predictions, without suffix.
        cores: number of processes or threads that read.
        bundle: for leafid's runners.
    """

    def __init__(self, path: Path) -> None:
        values = json.loads(path.read_text())
        self.network: str = values["network"]
        self.images = [Path(image) for image in values["images"]]
        self.output = Path(values["output"])
        self.cores: int = values["cores"]
        self.bundle: str = values["bundle"]


Run = Callable[[Sequence[Path]], None]


def leafid(settings: Settings, engine: str) -> Run:
    """Identify as ``leafid identify BUNDLE LIST -o results.csv`` does."""
    from leafid.identify import Identifier, identify_to_file

    identifier = Identifier.load(settings.bundle, device="cpu", engine=engine)  # type: ignore[arg-type]
    output = settings.output.with_suffix(".csv")

    def run(images: Sequence[Path]) -> None:
        identify_to_file(identifier, images, output, existing="replace")

    return run


def leafid_reading(settings: Settings) -> Run:
    """Only open and prepare the images: the reading limit."""
    from leafid.bundle import read_bundle
    from leafid.sheets import prepare_file

    preprocessing = read_bundle(Path(settings.bundle)).info.preprocessing

    def run(images: Sequence[Path]) -> None:
        with ThreadPoolExecutor(settings.cores) as pool:
            for _ in pool.map(lambda image: prepare_file(image, preprocessing).kinds, images):
                pass

    return run


def leafid_engine(settings: Settings, engine: str) -> Run:
    """Only run the engine, on views in memory: the engine limit."""
    from leafid.identify import Identifier
    from leafid.sheets import prepare_file

    identifier = Identifier.load(settings.bundle, device="cpu", engine=engine)  # type: ignore[arg-type]
    prepared = [prepare_file(image, identifier.info.preprocessing) for image in settings.images[:BATCH]]
    concurrency = identifier.engine.concurrency

    def run(images: Sequence[Path]) -> None:
        with ThreadPoolExecutor(min(concurrency, settings.cores)) as pool:
            for _ in pool.map(lambda _: identifier.engine.predict(prepared), range(len(images) // BATCH)):
                pass

    return run


def torchvision(settings: Settings) -> Run:
    """Predict with a Dataset, a DataLoader and a network of torchvision, as in its documentation."""
    import torch
    from PIL import Image

    models, transforms = import_module("torchvision.models"), import_module("torchvision.transforms")
    network = models.get_model(settings.network, weights=None, num_classes=TAXA).eval()
    transform = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    class Images(torch.utils.data.Dataset[Any]):
        def __init__(self, paths: Sequence[Path]) -> None:
            self.paths = paths

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, index: int) -> Any:  # noqa: ANN401 -- torchvision is untyped
            return transform(Image.open(self.paths[index]).convert("RGB"))

    def run(images: Sequence[Path]) -> None:
        loader = torch.utils.data.DataLoader(Images(images), batch_size=BATCH, num_workers=settings.cores)
        scores = []
        with torch.inference_mode():
            for pixels in loader:
                scores += network(pixels).softmax(1).topk(5).indices.tolist()
        _write(settings, images, scores)

    return run


def timm(settings: Settings) -> Run:
    """Predict like timm's ``inference.py``: with its dataset, loader and transforms."""
    import torch

    models, data = import_module("timm"), import_module("timm.data")
    name = {"mobilenet_v3_large": "mobilenetv3_large_100"}.get(settings.network, settings.network)
    network = models.create_model(name, num_classes=TAXA, pretrained=False).eval()
    configuration = data.resolve_data_config({}, model=network)

    class Images(torch.utils.data.Dataset[Any]):
        def __init__(self, paths: Sequence[Path]) -> None:
            self.reader, self.transform = paths, None

        def __len__(self) -> int:
            return len(self.reader)

        def __getitem__(self, index: int) -> Any:  # noqa: ANN401 -- timm is untyped
            image = import_module("PIL.Image").open(self.reader[index]).convert("RGB")
            return (self.transform(image) if self.transform else image), 0

    def run(images: Sequence[Path]) -> None:
        loader = data.create_loader(
            Images(images),
            batch_size=BATCH,
            use_prefetcher=False,
            num_workers=settings.cores,
            device=torch.device("cpu"),
            **configuration,
        )
        scores = []
        with torch.inference_mode():
            for pixels, _ in loader:
                scores += network(pixels).softmax(-1).topk(5, dim=1).indices.tolist()
        _write(settings, images, scores)

    return run


def ultralytics(settings: Settings) -> Run:
    """Predict with ``YOLO.predict`` of ultralytics, using its classifier with the most similar number of operations."""
    os.environ["YOLO_OFFLINE"] = "true"
    nearest = {"mobilenet_v3_large": "yolo11n-cls.yaml", "resnet50": "yolo11l-cls.yaml"}[settings.network]
    model = import_module("ultralytics").YOLO(nearest, task="classify")

    def run(images: Sequence[Path]) -> None:
        listed = settings.output.with_suffix(".txt")
        listed.write_text("".join(f"{image}\n" for image in images))
        results = model.predict(listed, stream=True, imgsz=224, batch=BATCH, device="cpu", verbose=False)
        _write(settings, images, (result.probs.top5 for result in results))

    return run


def _write(settings: Settings, images: Sequence[Path], scores: Iterable[Sequence[int]]) -> None:
    with settings.output.with_suffix(".csv").open("w", newline="") as opened:
        csv.writer(opened).writerows([image, *best] for image, best in zip(images, scores, strict=True))


RUNNERS: dict[str, Callable[[Settings], Run]] = {
    "leafid openvino": lambda settings: leafid(settings, "openvino"),
    "leafid onnx": lambda settings: leafid(settings, "onnx"),
    "leafid torch": lambda settings: leafid(settings, "torch"),
    "limit: openvino only": lambda settings: leafid_engine(settings, "openvino"),
    "limit: reading only": leafid_reading,
    "torchvision": torchvision,
    "timm": timm,
    "ultralytics": ultralytics,
}
PEERS = ("torchvision", "timm", "ultralytics")


def main() -> None:
    """Time one runner."""
    if len(sys.argv) != 3:
        sys.exit(f"{__doc__}\nRunners: {', '.join(RUNNERS)}")
    settings = Settings(Path(sys.argv[2]))
    run = RUNNERS[sys.argv[1]](settings)
    run(settings.images[:WARM_UP])
    started, used = time.perf_counter(), sum(os.times()[:4])
    run(settings.images)
    seconds, cpu_seconds = time.perf_counter() - started, sum(os.times()[:4]) - used
    print(json.dumps({"images": len(settings.images), "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main()
