"""Maps and scores of a forecast, against hand-worked numbers and plain numpy."""

import numpy as np
import pytest

from app.place import Place, cell_place
from app.summary import Ensemble, places, score
from engine.datasets import DATASETS, get_dataset
from engine.variables import CLIMATOLOGY, VARIABLES, variable_named, variables_of
from tests.app.fakes import BUNDLED, forecast_summary


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
    references = {
        name: random.standard_normal((leads + 1, *shape)).astype(np.float32)
        for variable in variables_of(dataset)
        for name in variable.references
    }
    return Ensemble(draw(members, leads), draw(leads), draw(), places(x, y), scored, references)


def known(found: Ensemble, frames: int | slice) -> dict[str, np.ndarray]:
    """What is known beforehand at some frames: places and references."""
    return {**found.places, **{name: values[frames] for name, values in found.references.items()}}


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
        values = variable.of({**found.members, **known(found, slice(1, None))})
        maps = found.maps_of(variable)
        np.testing.assert_allclose(maps.mean[1:], values.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(maps.spread[1:], values.std(axis=0, ddof=1), atol=1e-5)
        np.testing.assert_array_equal(maps.truth[1:], variable.of({**found.truth, **known(found, slice(1, None))}))
        np.testing.assert_array_equal(maps.mean[0], variable.of({**found.initial, **known(found, 0)}))
        assert not maps.spread[0].any()


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("part", [np.s_[:1, :1], np.s_[4:5, 5:6], np.s_[-1:, -1:], np.s_[2:6, 3:9], np.s_[:, :]])
def test_one_place_is_cut_out_of_the_whole(dataset: str, part: tuple[slice, slice]) -> None:
    found = ensemble(dataset)
    (top, bottom, _), (left, right, _) = (
        each.indices(size) for each, size in zip(part, found.scored.shape, strict=True)
    )
    for variable in variables_of(dataset):
        whole = variable.of({**found.members, **known(found, slice(1, None))})[..., part[0], part[1]]
        place = Place(left, top, right - 1, bottom - 1)
        np.testing.assert_allclose(found.at(variable, place), whole, atol=1e-4)


@pytest.mark.parametrize("dataset", BUNDLED)
def test_a_forecast_is_summed_up_with_its_times_and_obstacles(dataset: str) -> None:
    name = get_dataset(dataset).runs()[0]
    summary, run = forecast_summary(dataset, f"{name}:3", steps=4, members=2), get_dataset(dataset).load(name)
    assert summary.leads.tolist() == [1, 2, 3, 4]
    assert summary.init_time == pytest.approx(run.times[3])
    np.testing.assert_allclose(summary.valid_times, run.times[4:8])
    assert summary.solid.any()
    assert not summary.solid.all()
    assert summary.nbytes > 0


def test_every_data_set_has_variables_and_no_other_has() -> None:
    assert list(VARIABLES) == list(DATASETS)


# -- observed data -----------------------------------------------------------------------------------------


def test_an_anomaly_is_the_distance_from_the_climatology_of_its_own_month() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=2, members=2)
    assert summary.ensemble is not None
    climatology = get_dataset("sst-monthly").background(get_dataset("sst-monthly").load("pacific"))
    june, july = (climatology.at((month + 0.5) / 12)[0] for month in (5, 6))
    maps = summary.maps(variable_named("sst-monthly", "anomaly"))
    sst = summary.maps(variable_named("sst-monthly", "sst"))
    np.testing.assert_allclose(maps.truth[0], sst.truth[0] - june, atol=1e-5)
    np.testing.assert_allclose(maps.truth[1], sst.truth[1] - july, atol=1e-5)
    assert summary.baseline == "1982–2009"


def test_land_has_no_value_and_counts_in_no_score() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=2, members=3)
    maps = summary.maps(variable_named("sst-monthly", "sst"))
    assert np.isnan(maps.mean[:, summary.solid]).all()
    assert np.isfinite(maps.mean[:, ~summary.solid]).all()
    assert np.isfinite(maps.scores.crps).all()


def test_an_anomaly_scores_like_the_temperature_itself() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=3, members=4)
    of_anomaly, of_sst = (summary.maps(variable_named("sst-monthly", name)).scores for name in ("anomaly", "sst"))
    np.testing.assert_allclose(of_anomaly.crps, of_sst.crps, rtol=1e-3)


def test_the_area_mean_counts_every_scored_cell_by_its_weight() -> None:
    found = ensemble("sst-monthly", members=2, leads=1)
    found.references[CLIMATOLOGY][:] = 1.0
    found.members["sst"][:] = np.nan  # land, but for two cells
    found.members["sst"][0, 0, 3, :2], found.members["sst"][1, 0, 3, :2] = (2.0, 6.0), (1.0, 1.0)
    weights = np.zeros(found.scored.shape)
    weights[3, :2] = 0.75, 0.25
    mean = found.area_mean(variable_named("sst-monthly", "anomaly"), weights)
    np.testing.assert_allclose(mean, [[0.75 * 1 + 0.25 * 5], [0.0]])


def test_a_threshold_is_lacking_until_it_is_given() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=2, members=2)
    heatwave = variables_of("sst-monthly")[-1]
    assert summary.lacks(heatwave) == ["percentile-90"]
    assert summary.lacks(variable_named("sst-monthly", "anomaly")) == []
    assert summary.ensemble is not None
    summary.ensemble.references["percentile-90"] = np.full((3, *summary.solid.shape), 99.0, np.float32)
    assert summary.lacks(heatwave) == []
    assert np.nanmax(summary.maps(heatwave).mean) == 0


def test_the_mean_of_a_box_counts_the_sea_by_its_area() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=2, members=2)
    sst = variable_named("sst-monthly", "sst")
    places = [Place(j, i, j + 4, i + 3) for i in range(summary.solid.shape[0] - 4) for j in range(60)]
    place = next(each for each in places if 5 < each.part(summary.solid).sum() < 12)  # on a coast
    members = summary.members_at(sst, place)
    assert members is not None and summary.ensemble is not None
    total, weight = np.zeros((2, 2)), 0.0
    for i in range(place.south, place.north + 1):
        for j in range(place.west, place.east + 1):
            if summary.ensemble.scored[i, j]:
                total += np.cos(np.deg2rad(summary.y[i])) * summary.ensemble.members["sst"][..., i, j]
                weight += np.cos(np.deg2rad(summary.y[i]))
    np.testing.assert_allclose(members, total / weight, rtol=1e-5)
    truth = summary.maps_at(summary.maps(sst).truth, place)
    assert truth.shape == (2,) and np.isfinite(truth).all()


def test_a_place_without_a_value_has_no_mean() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=2, members=2)
    row, column = (int(each[0]) for each in np.nonzero(summary.solid))
    maps = summary.maps(variable_named("sst-monthly", "sst"))
    assert np.isnan(summary.maps_at(maps.mean, cell_place(row, column))).all()
