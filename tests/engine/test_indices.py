"""Niño 3.4, by hand and against the months that everybody knows."""

import numpy as np
import pytest

from engine.datasets.base import Axis
from engine.datasets.sst_monthly import MonthlySeaSurface
from engine.indices import INDICES, Index, indices_of
from engine.record_evaluation import anomalies_of, quantities


def axis(values: list[float]) -> Axis:
    return Axis("", np.array(values), "", "")


def test_cells_count_by_their_area_inside_the_box() -> None:
    index = Index("made", "Made", "1", (-1.0, 1.0, 10.0, 14.0))
    lat, lon = axis([-2.0, 0.0, 2.0]), axis([10.0, 12.0, 14.0, 16.0])
    weights = index.weights((lat, lon), np.ones((3, 4), bool))
    assert weights[0].sum() == weights[2].sum() == 0  # 1° to 3° is outside
    np.testing.assert_allclose(weights[1], np.array([1, 2, 1, 0]) / 4)  # cells of 2°, cut at 10° and 14°


def test_land_inside_the_box_does_not_count() -> None:
    index = Index("made", "Made", "1", (-1.0, 1.0, 10.0, 14.0))
    scored = np.ones((1, 3), bool)
    scored[0, 0] = False
    weights = index.weights((axis([0.0, 2.0]), axis([10.0, 12.0, 14.0])), np.vstack([scored, scored]))
    np.testing.assert_allclose(weights[0], np.array([0, 2, 1]) / 3)


def test_the_tropics_weigh_by_the_cosine_of_latitude() -> None:
    index = Index("made", "Made", "1", (-90.0, 90.0, 0.0, 360.0))
    weights = index.weights((axis([0.0, 60.0]), axis([0.0, 60.0])), np.ones((2, 2), bool))
    assert weights[1, 0] / weights[0, 0] == pytest.approx(0.5 * 60 / 60)


def test_only_the_pacific_has_a_nino_index() -> None:
    assert indices_of("sst-monthly") == (INDICES["nino34"],)
    assert indices_of("navier-stokes") == ()


def test_nino_3_4_shows_the_great_events() -> None:
    dataset = MonthlySeaSurface()
    run = dataset.load("pacific")
    (nino,) = [each for each in quantities(dataset, run, dataset.background(run)) if each.name == "nino34"]
    anomalies = anomalies_of(dataset, dataset.background(run), run.states[:, 0], run.times)
    series = dict(zip(map(dataset.calendar.label, run.times), nino.of(anomalies)[:, 0], strict=True))
    # published ONI (1991-2020 base) around these months; other base years and the coarse grid shift it
    for month, value in {"1997-12": 2.4, "2015-11": 2.6, "1982-12": 2.2, "1999-12": -1.7}.items():
        assert series[month] == pytest.approx(value, abs=0.45)
