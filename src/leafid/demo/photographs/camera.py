"""What camera, phone and web do to a picture. Nothing here moves a pixel: truth stays where it is."""

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.leaf import Image8, Image32, smooth_noise


def photographed(image: Image32, subject: npt.NDArray[np.bool_], rng: np.random.Generator) -> Image8:
    """Return the picture [H, W, 3] as it comes from a camera or the web: each fault with its own chance.

    Exposure is set for the `subject` [H, W], as photographers do, more or less.
    """
    image = _developed(_exposed(image, subject, rng), rng)
    image = _blurred(image, rng)
    short = min(image.shape[:2])
    if rng.random() < 0.6:
        sigma = rng.uniform(0.004, 0.05) * (1.8 if rng.random() < 0.15 else 1)
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        if rng.random() < 0.4:  # noise of small sensors is coarse
            noise = 1.8 * cv2.GaussianBlur(noise, (0, 0), 0.8)
        image = image + np.float32(sigma) * noise
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.2 and short > 100:
        pixels = _thumbnail(pixels, rng)
    if rng.random() < 0.15:  # sharpened, as phones do
        soft = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.8, 2.0))
        pixels = np.asarray(cv2.addWeighted(pixels, 1 + (k := rng.uniform(0.3, 1.5)), soft, -k, 0), dtype=np.uint8)
    return _compressed(pixels, rng)


def _exposed(image: Image32, subject: npt.NDArray[np.bool_], rng: np.random.Generator) -> Image32:
    step = max(min(subject.shape) // 100, 1)  # a hundred rows are enough for a mean
    tones = image[::step, ::step][subject[::step, ::step]]
    if len(tones) < 20:
        return image
    tone = float(tones.mean())
    goal = float(np.clip(tone, rng.uniform(0.12, 0.3), rng.uniform(0.5, 0.75)))
    return np.asarray(image * np.float32(goal / max(tone, 0.02)), dtype=np.float32)


def _developed(image: Image32, rng: np.random.Generator) -> Image32:
    """Exposure, contrast, colour cast, saturation, vignette, haze."""
    image = np.asarray(image * np.float32(np.exp(rng.normal(0, 0.18))), dtype=np.float32)
    if rng.random() < 0.5:
        image = image * np.exp(rng.normal(0, 0.09, 3)).astype(np.float32)
    image = np.clip(image, 0, 1)
    if rng.random() < 0.6:
        image = image ** np.float32(np.exp(rng.normal(0, 0.22)))
    if rng.random() < 0.5:
        grey = np.asarray(image.mean(axis=2, keepdims=True), dtype=np.float32)
        image = grey + (image - grey) * np.float32(0.0 if rng.random() < 0.05 else rng.uniform(0.5, 1.5))
    if rng.random() < 0.25:
        height, width = image.shape[:2]
        y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
        image = image * (1 - np.float32(rng.uniform(0.1, 0.5)) * (x**2 + y**2)[..., None] / 2).astype(np.float32)
    if rng.random() < 0.2:
        image = image * (1 - (veil := np.float32(rng.uniform(0.05, 0.35)))) + veil * np.float32(rng.uniform(0.5, 1))
    if rng.random() < 0.1:  # light that falls through other leaves
        spots = smooth_noise(rng, (image.shape[0], image.shape[1]), rng.uniform(0.1, 0.4) * min(image.shape[:2]))
        image = image * (1 + np.float32(rng.uniform(0.1, 0.35)) * np.tanh(rng.uniform(1, 3) * spots))[..., None]
    return np.asarray(np.clip(image, 0, 1), dtype=np.float32)


def _blurred(image: Image32, rng: np.random.Generator) -> Image32:
    """Defocus over all or part of the picture, or movement."""
    short = min(image.shape[:2])
    kind = rng.random()
    if kind < 0.35:
        return image
    if kind < 0.75:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.9))), dtype=np.float32)
    if kind < 0.84:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.9, 2.4)) * short / 512 + 0.3), np.float32)
    if kind < 0.93:
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.003, 0.012)) * short + 0.3)
        share = smooth_noise(rng, (image.shape[0], image.shape[1]), 0.6 * short)
        share = np.clip(1.5 * share + 0.3, 0, 1)[..., None]
        return np.asarray(image + (soft - image) * share, dtype=np.float32)
    size = 2 * int(np.clip(rng.uniform(0.003, 0.012) * short, 1, 20)) + 1
    kernel = np.zeros((size, size), np.float32)
    angle, middle = rng.uniform(0, np.pi), size // 2
    reach = middle * np.array([np.cos(angle), np.sin(angle)])
    a, b = (tuple(round(float(middle + sign * v)) for v in reach) for sign in (-1, 1))
    cv2.line(kernel, a, b, (1.0,), 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.float32)


def _thumbnail(pixels: Image8, rng: np.random.Generator) -> Image8:
    """Enlarge a small copy, as web pages do."""
    height, width = pixels.shape[:2]
    factor = float(rng.uniform(1.3, 3.5))
    size = (max(round(width / factor), 64), max(round(height / factor), 64))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if rng.random() < 0.5:
        small = _compressed(small, rng)
    how = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC], p=[0.1, 0.4, 0.5]))
    return np.asarray(cv2.resize(small, (width, height), interpolation=how), dtype=np.uint8)


def _compressed(pixels: Image8, rng: np.random.Generator) -> Image8:
    kind = rng.random()
    if kind < 0.2:
        return pixels
    quality = int(rng.integers(*((70, 96), (30, 70), (10, 30))[int(rng.choice(3, p=[0.6, 0.3, 0.1]))]))
    # WebP costs about ten times as much time as JPEG.
    webp = kind > 0.92 and pixels.shape[0] * pixels.shape[1] < 600_000
    suffix, option = (".webp", cv2.IMWRITE_WEBP_QUALITY) if webp else (".jpg", cv2.IMWRITE_JPEG_QUALITY)
    _, data = cv2.imencode(suffix, pixels[..., ::-1], [option, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])
