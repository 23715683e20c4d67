"""Parts of an image hold what their name says and nothing of the rest."""

import numpy as np

from leafid.demo import draw_sheet, sheet_spec
from leafid.trust.evaluation.controls import mask_parts


def test_each_part_is_what_it_says() -> None:
    sheet = draw_sheet(sheet_spec(0, seed=3, px_per_mm=1.5))
    parts = mask_parts(sheet.image)
    paper = parts["plant"][0, 0]
    assert set(parts) == {"whole", "plant", "border", "background", "objects"}
    assert (parts["whole"] == sheet.image).all()

    def kept(name: str) -> np.ndarray:
        return np.asarray((parts[name] != paper).any(axis=-1))

    assert kept("plant")[sheet.plant].mean() > 0.8 and kept("plant")[~sheet.plant].mean() < 0.05
    assert kept("background")[sheet.plant].mean() < 0.1 and kept("background")[sheet.furniture > 0].mean() > 0.5
    assert kept("objects")[sheet.plant].mean() < 0.1
    inside = np.s_[len(sheet.image) // 8 : -len(sheet.image) // 8, len(sheet.image) // 8 : -len(sheet.image) // 8]
    assert not kept("border")[inside].any() and kept("border").any()
