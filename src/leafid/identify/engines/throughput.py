"""Throughput of engines."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from leafid.identify.engines.engine import Engine
from leafid.sheets import PreparedImage

_TIMED_SECONDS = 1.0  # minimum duration of a measurement


def images_per_second(engine: Engine, images: Sequence[PreparedImage]) -> float:
    """Measure the throughput of an engine under full load, for at least ``_TIMED_SECONDS``."""
    with ThreadPoolExecutor(engine.concurrency) as pool:
        calls = [images] * engine.concurrency
        list(pool.map(engine.predict, calls))  # warm-up: the first calls take longer
        started, rounds = time.perf_counter(), 0
        while (seconds := time.perf_counter() - started) < _TIMED_SECONDS:
            list(pool.map(engine.predict, calls))
            rounds += 1
    return rounds * len(calls) * len(images) / seconds
