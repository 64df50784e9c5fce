"""Maps and scores of a forecast, against hand-worked numbers and plain numpy."""

import numpy as np
import pytest

from app.summary import Ensemble, places, score, summarise
from app.variables import VARIABLES, variables_of
from engine.datasets import DATASETS, get_dataset
from engine.requests import ForecastRequest
from tests.app.fakes import FakeEngine


def ensemble(dataset: str, *, members: int = 3, leads: int = 4) -> Ensemble:
    random = np.random.default_rng(0)
    found = get_dataset(dataset)
    y, x = (axis.values for axis in found.axes)
    shape = (len(y), len(x))
    names = [channel.name for channel in found.channels]

    def draw(*leading: int) -> dict[str, np.ndarray]:
        return {name: random.standard_normal((*leading, *shape)).astype(np.float32) for name in names}

    scored = np.ones(shape, bool)
    scored[0] = False
    return Ensemble(draw(members, leads), draw(leads), draw(), places(x, y), scored)


def test_scores_of_two_members_worked_by_hand() -> None:
    # members 0 and 2, truth 1: mean|x − y| = 1, fair half-difference 2 / (2·1) = 1, so CRPS 0; the mean hits.
    found = score(np.array([[[0.0]], [[2.0]]]), np.array([[1.0]]))
    assert found.crps == pytest.approx([0.0])
    assert found.rmse == pytest.approx([0.0])
    # ddof-1 variance 2, times 3/2
    assert found.spread == pytest.approx([np.sqrt(3)])


def test_one_member_has_an_error_but_neither_fair_crps_nor_spread() -> None:
    found = score(np.array([[[0.0, 0.0]]]), np.array([[3.0, 4.0]]))
    assert found.rmse == pytest.approx([np.sqrt(12.5)])
    assert np.isnan(found.crps).all()
    assert np.isnan(found.spread).all()


def test_leads_without_truth_have_no_score() -> None:
    members = np.random.default_rng(0).standard_normal((4, 2, 5))
    truth = np.stack([np.zeros(5), np.full(5, np.nan)])
    found = score(members, truth)
    assert np.isfinite([found.crps[0], found.rmse[0]]).all()
    assert np.isnan([found.crps[1], found.rmse[1]]).all()


def test_the_ratio_is_unknown_where_the_error_vanishes() -> None:
    assert np.isnan(score(np.array([[[0.0]], [[2.0]]]), np.array([[1.0]])).ratio).all()


@pytest.mark.parametrize("dataset", DATASETS)
def test_maps_are_those_of_plain_numpy_however_the_leads_are_cut(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ensemble(dataset)
    monkeypatch.setattr("app.summary.CELLS_AT_ONCE", 1)
    for variable in variables_of(dataset):
        values = variable.of({**found.members, **found.places})
        maps = found.maps_of(variable)
        np.testing.assert_allclose(maps.mean[1:], values.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(maps.spread[1:], values.std(axis=0, ddof=1), atol=1e-5)
        np.testing.assert_array_equal(maps.truth[1:], variable.of({**found.truth, **found.places}))
        np.testing.assert_array_equal(maps.mean[0], variable.of({**found.initial, **found.places}))
        assert not maps.spread[0].any()


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize(("row", "column"), [(0, 0), (4, 5), (-1, -1)])
def test_one_place_is_cut_out_of_the_whole(dataset: str, row: int, column: int) -> None:
    found = ensemble(dataset)
    rows, columns = found.scored.shape
    for variable in variables_of(dataset):
        whole = variable.of({**found.members, **found.places})[..., row, column]
        np.testing.assert_allclose(found.at(variable, row % rows, column % columns), whole, atol=1e-4)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_forecast_is_summed_up_with_its_times_and_obstacles(dataset: str) -> None:
    engine = FakeEngine()
    request = engine.resolve(ForecastRequest(dataset=dataset, init="0:3", steps=4, members=2))
    result = engine.forecast(request, cache=None, progress=lambda _: None, cancelled=lambda: False)
    summary = summarise(result, engine.truth(request), engine.static_fields(request), get_dataset(dataset))
    run = get_dataset(dataset).load("0")
    assert summary.leads.tolist() == [1, 2, 3, 4]
    assert summary.init_time == pytest.approx(run.times[3])
    np.testing.assert_allclose(summary.valid_times, run.times[4:8])
    assert summary.solid.any()
    assert not summary.solid.all()
    assert summary.nbytes > 0


def test_every_data_set_has_variables_and_no_other_has() -> None:
    assert list(VARIABLES) == list(DATASETS)
