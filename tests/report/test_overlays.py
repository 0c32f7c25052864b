"""The pictures: colour where the map is high and nowhere else."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from sanum.report.display import Cut, View
from sanum.report.overlays import _ticks, overlay


def view(
    heat: np.ndarray | None,
    scan: np.ndarray | None = None,
    reconstruction: np.ndarray | None = None,
    peaks: tuple[tuple[int, int, int], ...] = (),
) -> View:
    plane = np.full((40, 40), 50.0) if scan is None else scan
    return View(
        Cut("axial", 2, 0),
        plane,
        heat,
        (1.0, 1.0),
        "RLAP",
        "axial K = 0 of 0 to 0",
        reconstruction=reconstruction,
        peaks=peaks,
    )


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def coloured(png: bytes, share: float = 0.85) -> np.ndarray:
    """Where the picture, without its colour bar, is warm rather than grey."""
    picture = pixels(png)
    picture = picture[:, : int(share * picture.shape[1])]
    return picture[..., 0] - picture[..., 2] > 40


def hot(value: float) -> np.ndarray:
    heat = np.full((40, 40), 0.0)
    heat[10:20, 25:35] = value
    return heat


def test_heat_is_drawn_only_on_the_second_panel_and_where_the_map_is_high():
    warm = coloured(overlay([view(hot(1.0))], (0, 100), (0.2, 1.0)))
    rows, columns = np.nonzero(warm)
    width = pixels(overlay([view(hot(1.0))], (0, 100), (0.2, 1.0))).shape[1]
    assert warm.any()
    assert columns.min() > 0.45 * width
    assert rows.mean() < 0.5 * warm.shape[0]


def test_nothing_is_coloured_below_the_start_of_the_scale():
    assert not coloured(overlay([view(hot(0.19))], (0, 100), (0.2, 1.0))).any()


def test_nan_outside_the_mask_is_transparent():
    heat = np.full((40, 40), np.nan)
    heat[5:8, 5:8] = 0.0
    assert not coloured(overlay([view(heat)], (0, 100), (0.2, 1.0))).any()


def test_the_scale_does_not_stretch_with_the_map():
    """The same value has the same colour whatever else is on the map, so that cases can be compared."""
    alone, beside = hot(0.6), hot(0.6)
    beside[30:35, 5:10] = 50.0
    first, second = (pixels(overlay([view(heat)], (0, 100), (0.2, 1.0))) for heat in (alone, beside))
    where = coloured(overlay([view(alone)], (0, 100), (0.2, 1.0)))
    height, width = where.shape
    np.testing.assert_array_equal(first[:height, :width][where], second[:height, :width][where])


def test_thick_slices_are_stretched():
    thick = View(Cut("sagittal", 0, 0), np.ones((10, 40)), None, (4.0, 1.0), "APSI", "sagittal")
    height, width, _ = pixels(overlay([thick], (0, 1), (0, 1))).shape
    assert height / width == pytest.approx(1.0, abs=0.05)


def test_threads_draw_the_same_bytes():
    """The service draws in threads; a shared figure state would mix pictures."""
    expected = overlay([view(hot(0.9))], (0, 100), (0.2, 1.0))
    drawn: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: drawn.append(overlay([view(hot(0.9))], (0, 100), (0.2, 1.0))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [expected] * 4


def test_a_restored_reconstruction_is_a_third_panel_without_colour():
    bright = np.full((40, 40), 90.0)
    two = pixels(overlay([view(hot(0.9))], (0, 100), (0.1, 0.5)))
    three = pixels(overlay([view(hot(0.9), reconstruction=bright)], (0, 100), (0.1, 0.5)))
    assert three.shape[1] / three.shape[0] > 1.2 * two.shape[1] / two.shape[0]
    grey = [int((np.abs(picture - 229).max(axis=2) <= 1).sum()) for picture in (two, three)]  # 90 of 100
    assert grey[1] > 10 * grey[0] + 5000, grey


def test_a_peak_is_marked_in_its_place_and_on_the_coloured_panel_only():
    plain, marked = (
        pixels(overlay([view(hot(0.0), peaks=peaks)], (0, 100), (0.2, 1.0))) for peaks in ((), ((30, 10, 1),))
    )
    rows, columns = np.nonzero(np.abs(marked - plain).sum(axis=2))
    left = columns.min()
    panel = (plain.shape[1] - 110 - 3 * 9) / 2
    assert left > 9 + panel
    assert (np.array([127, 219, 255]) == marked[rows, columns]).all(axis=1).any()
    assert rows.max() == pytest.approx(9 + panel * 30.5 / 40 + 8, abs=2)
    assert left == pytest.approx(18 + panel * (1 + 10.5 / 40) - 8, abs=2)


def test_what_was_judged_is_edged():
    heat = np.zeros((40, 40))
    whole = pixels(overlay([view(heat)], (0, 100), (0.2, 1.0)))
    heat[:, :20] = np.nan
    half = pixels(overlay([view(heat)], (0, 100), (0.2, 1.0)))
    columns = np.nonzero((half - whole).any(axis=(0, 2)))[0]
    panel = (half.shape[1] - 110 - 3 * 9) / 2
    assert len(columns) == 1
    assert columns[0] == pytest.approx(18 + 1.5 * panel, abs=3)


@pytest.mark.parametrize(
    ("ends", "labels"),
    [
        ((0.1, 1.5), ["0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4"]),
        ((0.0, 2.0), ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75", "2.00"]),
        ((3.0, 40.0), ["5", "10", "15", "20", "25", "30", "35", "40"]),
        (
            (0.0, 2e-6),
            ["0", "2.5e-07", "5e-07", "7.5e-07", "1e-06", "1.25e-06", "1.5e-06", "1.75e-06", "2e-06"],
        ),
    ],
)
def test_ticks_are_round_numbers_within_the_scale(ends, labels):
    assert [label for _, label in _ticks(*ends)] == labels
