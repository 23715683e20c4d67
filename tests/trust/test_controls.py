"""Masked images show the named part and nothing else."""

import numpy as np

from leafid.demo import draw_sheet, sheet_spec
from leafid.trust.evaluation.controls import mask_parts


def test_each_masked_image_shows_only_its_part() -> None:
    sheet = draw_sheet(sheet_spec(0, seed=3, px_per_mm=1.5))
    parts = mask_parts(sheet.image)
    paper = parts["plant"][0, 0]
    assert set(parts) == {"whole", "plant", "border", "background", "objects"}
    assert (parts["whole"] == sheet.image).all()

    def visible(name: str) -> np.ndarray:
        return np.asarray((parts[name] != paper).any(axis=-1))

    assert visible("plant")[sheet.plant].mean() > 0.8 and visible("plant")[~sheet.plant].mean() < 0.05
    assert visible("background")[sheet.plant].mean() < 0.1 and visible("background")[sheet.furniture > 0].mean() > 0.5
    assert visible("objects")[sheet.plant].mean() < 0.1
    inside = np.s_[len(sheet.image) // 8 : -len(sheet.image) // 8, len(sheet.image) // 8 : -len(sheet.image) // 8]
    assert not visible("border")[inside].any() and visible("border").any()
