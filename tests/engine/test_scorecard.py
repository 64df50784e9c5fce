"""The score card: its rows against the evaluation, its comparisons, its text, and the command with small models."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import engine.checkpoint
import engine.scorecard
from engine.__main__ import main
from engine.commands.scorecard import split_runs
from engine.datasets import get_dataset
from engine.datasets.spring_mesh import SpringMesh
from engine.errors import DataError
from engine.evaluation import across_channels, overall, skill
from engine.paper_scores import PAPER_SCORES
from engine.scorecard import (
    COLUMNS,
    Scored,
    baseline_rows,
    keep_for_pairs,
    model_rows,
    read_paired,
    read_scorecard,
    renew_paired,
    renew_scorecard,
)
from engine.scorecard_text import TITLES, between_markers, put_into, render
from tests.engine.conftest import save_small_checkpoint

ROOT = Path(__file__).resolve().parents[2]
FAST = Scored("spring-mesh", "spring-mesh-fast", "dyffusion", "test", "3 bundled", 20, "stride16, independent")
CLIMATE = Scored("spring-mesh", "", "climatology", "test", "3 bundled", None, "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of checkpoints and an empty data folder."""
    for module in (engine.checkpoint, engine.scorecard):
        monkeypatch.setattr(module, "checkpoints_dir", lambda: tmp_path / "checkpoints")
    monkeypatch.setattr("engine.folders.checkpoints_dir", lambda: tmp_path / "checkpoints")
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def evaluated(seed: int = 0, *, times: float = 1.0) -> xr.Dataset:
    """Scores of three runs from two starts, as from `engine.evaluation.evaluate`."""
    dims, shape, random = ("run", "start", "lead", "channel"), (3, 2, 4, 2), np.random.default_rng(seed)
    names = ("crps", "mse", "variance", "crps_biased", "variance_biased")
    scores = times * xr.Dataset(
        {name: (dims, random.gamma(2.0, size=shape)) for name in names},
        {"run": ["0", "1", "2"], "start": [0, 134], "lead": [1.0, 2.0, 3.0, 4.0], "channel": ["a", "b"]},
    )
    scores = scores.where((scores["start"] == 0) | (scores["lead"] < 3))
    scores["rank_counts"] = (*dims, "rank"), random.integers(1, 9, size=(*shape, 21)).astype(float)
    return scores


def of_record() -> xr.Dataset:
    """Scores of one record from many dates: the last leads of the last dates are not known."""
    scores = (
        evaluated().isel(run=[0]).isel(start=[0] * 12).assign_coords(start=np.arange(12), channel=["sst", "nino34"])
    )
    scores = scores.where((scores["start"] < 10) | (scores["lead"] < 4))
    return scores.assign(mean=scores["crps"], truth=scores["crps"])


def row(table: pd.DataFrame, **wanted: str) -> pd.Series:
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


# -- rows --------------------------------------------------------------------------------------------------


def test_a_row_holds_what_the_evaluation_prints_and_its_interval() -> None:
    scores = evaluated()
    found = row(model_rows(scores, FAST), quantity="all", start="all")
    expected, papers = (across_channels(overall(scores, convention=form)) for form in ("fair", "paper"))
    assert found["crps"] == pytest.approx(float(expected["crps"]))
    assert found["rmse"] == pytest.approx(float(expected["rmse"]))
    assert found["ssr"] == pytest.approx(float(expected["pooled_ratio"]))
    assert found["crps_paper"] == pytest.approx(float(papers["crps"]))
    assert found["mse_paper"] == pytest.approx(float(papers["rmse"]) ** 2)
    assert found["ssr_paper"] == pytest.approx(float(papers["pooled_ratio"]))
    whole = skill(scores)
    assert (found["crps_low"], found["crps_high"]) == (whole.crps.low, whole.crps.high)
    assert found["rank_deviation"] == whole.rank_deviation
    assert (found["initial_conditions"], found["members"], found["runs"]) == (6, 20, "3 bundled")


def test_there_is_a_row_for_every_channel_and_start_of_a_simulated_system() -> None:
    table = model_rows(evaluated(), FAST)
    assert list(table.columns) == list(COLUMNS)
    places = {(each["quantity"], each["start"], each["lead"]) for _, each in table.iterrows()}
    assert places == {(name, start, "all") for name in ("all", "a", "b") for start in ("all", "0", "134")}
    one = row(table, quantity="b", start="134")
    part = evaluated().sel(channel="b", start=134, lead=[1, 2])["mse"]
    assert one["rmse"] == pytest.approx(float(part.mean()) ** 0.5) and one["initial_conditions"] == 3
    assert np.isnan(one["rank_deviation"])


def test_there_is_a_row_for_every_quantity_and_lead_of_a_record() -> None:
    table = model_rows(of_record(), FAST)
    places = {(each["quantity"], each["start"], each["lead"]) for _, each in table.iterrows()}
    assert places == {(name, "all", lead) for name in ("sst", "nino34") for lead in ("all", "1", "2", "3", "4")}
    assert [row(table, quantity="sst", lead=lead)["initial_conditions"] for lead in ("all", "3", "4")] == [12, 12, 10]
    assert row(table, quantity="sst", lead="4")["rank_deviation"] > 0


def test_a_baseline_has_a_crps_and_an_error_and_nothing_of_members() -> None:
    scores = evaluated()[["crps", "mse"]]
    found = row(baseline_rows(scores, CLIMATE), quantity="all", start="all")
    assert found["crps"] == pytest.approx(float(scores["crps"].mean(("run", "start")).mean()))
    assert found["crps_low"] < found["crps"] < found["crps_high"]
    assert (
        found["model"] == "" and np.isnan(found[["members", "ssr", "rank_deviation", "crps_paper"]].astype(float)).all()
    )


# -- files -------------------------------------------------------------------------------------------------


def test_a_card_is_read_as_it_was_written(folder: Path) -> None:
    rows = pd.concat([model_rows(evaluated(), FAST), baseline_rows(evaluated()[["crps", "mse"]], CLIMATE)])
    renew_scorecard(rows)
    table = read_scorecard()
    assert len(table) == len(rows) and set(table["model"]) == {"", "spring-mesh-fast"}
    again = row(table, model="spring-mesh-fast", quantity="a", start="0")
    assert again["crps"] == pytest.approx(
        row(rows, model="spring-mesh-fast", quantity="a", start="0")["crps"], rel=1e-5
    )


def test_scoring_a_model_again_replaces_its_rows_and_no_others(folder: Path) -> None:
    renew_scorecard(model_rows(evaluated(), FAST))
    renew_scorecard(baseline_rows(evaluated()[["crps", "mse"]], CLIMATE))
    renew_scorecard(model_rows(evaluated(times=4.0), FAST))
    table = read_scorecard()
    assert len(table) == 2 * 9
    assert row(table, method="dyffusion", quantity="all", start="all")["crps"] == pytest.approx(
        4 * row(table, method="climatology", quantity="all", start="all")["crps"], rel=1e-4
    )


def test_a_missing_or_damaged_card_is_said_in_a_sentence(folder: Path) -> None:
    with pytest.raises(DataError, match=r"scorecard\.csv.*python -m engine scorecard"):
        read_scorecard()
    (folder / "scorecard.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="python -m engine scorecard"):
        read_scorecard()


def test_models_are_compared_on_the_same_forecasts_only(folder: Path) -> None:
    for name in ("spring-mesh-fast", "spring-mesh-dropout", "spring-mesh-published"):
        save_small_checkpoint(folder / name, "spring-mesh")
    assert read_paired().empty
    keep_for_pairs(evaluated(), FAST)
    renew_paired("spring-mesh", "test")
    assert read_paired().empty  # there is nothing to compare with yet
    keep_for_pairs(
        evaluated(times=2.0), Scored(*("spring-mesh", "spring-mesh-dropout", *list(vars(FAST).values())[2:]))
    )
    other = evaluated().isel(run=[0, 1])
    keep_for_pairs(other, Scored(*("spring-mesh", "spring-mesh-published", *list(vars(FAST).values())[2:])))
    renew_paired("spring-mesh", "test")
    table = read_paired()
    assert set(table["model"]) == {"spring-mesh-fast"} and len(table) == 9
    np.testing.assert_allclose(table[["crps_ratio", "crps_ratio_low", "crps_ratio_high"]], 0.5, rtol=1e-5)


def test_scores_of_other_weights_are_not_compared(folder: Path) -> None:
    for name in ("spring-mesh-fast", "spring-mesh-dropout"):
        save_small_checkpoint(folder / name, "spring-mesh")
        keep_for_pairs(evaluated(), Scored(*("spring-mesh", name, *list(vars(FAST).values())[2:])))
    save_small_checkpoint(folder / "spring-mesh-fast", "spring-mesh", conditioning="data")
    renew_paired("spring-mesh", "test")
    assert read_paired().empty


# -- text --------------------------------------------------------------------------------------------------


def card() -> pd.DataFrame:
    """Two data sets with a model, a rival and baselines, numbers worked by hand."""
    blank = dict.fromkeys(COLUMNS, np.nan) | {"start": "all", "lead": "all", "request": ""}

    def line(what: Scored, quantity: str, crps: float, **more: object) -> dict[str, object]:
        named = {"quantity": quantity, "crps": crps, "rmse": 2 * crps, "initial_conditions": 80, **more}
        return blank | {**vars(what), "members": what.members or np.nan} | named

    def scored(dataset: str, model: str, method: str, split: str) -> Scored:
        return Scored(dataset, model, method, split, "20 generated", 20 if model else None, "")

    interval = {"crps_low": 0.0343, "crps_high": 0.0419, "ssr": 0.9, "ssr_low": 0.85, "ssr_high": 0.951}
    paper = {"crps_paper": 0.0401, "mse_paper": 0.00125, "ssr_paper": 0.77}
    flow = "navier-stokes"
    rows = [
        line(scored(flow, "", "climatology", "test"), "all", 0.0766),
        line(scored(flow, f"{flow}-dropout", "dropout", "test"), "all", 0.05),
        line(scored(flow, f"{flow}-fast", "dyffusion", "test"), "all", 0.0383, rank_deviation=0.217, **interval),
        line(scored(flow, f"{flow}-fast", "dyffusion", "test"), "all", 0.0447, start="0", ssr=0.73, **paper),
        line(scored(flow, f"{flow}-fast", "dyffusion", "test"), "all", 0.0288, start="16", ssr=0.71),
        line(scored(flow, f"{flow}-fast", "dyffusion", "ood"), "all", 0.1),
        line(scored("sst-monthly", "sst-monthly-fast", "dyffusion", "test"), "nino34", 0.362),
        line(scored("sst-monthly", "sst-monthly-fast", "dyffusion", "test"), "nino34", 0.121, lead="1", ssr=1.07),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def paired() -> pd.DataFrame:
    place = ("all", "all", "all", 0.766, 0.71, 0.823)
    return pd.DataFrame(
        [("navier-stokes", "navier-stokes-fast", "navier-stokes-dropout", "test", *place)],
        columns=list(engine.scorecard.PAIRED_COLUMNS),
    )


def test_the_tables_show_the_numbers_of_the_card() -> None:
    lines = render(card(), paired()).splitlines()
    (whole,) = [line for line in lines if line.startswith("| navier-stokes-fast |") and "0.0766" in line]
    assert whole == (
        "| navier-stokes-fast | 0.0383 (0.0343–0.0419) | 0.0766 | 0.90 (0.85–0.95) | 0.22 | 0.77 (0.71–0.82) | 0.50 |"
    )
    assert "| navier-stokes-fast | 0.0447 (0.73) | 0.0288 (0.71) |" in lines
    assert any(line.startswith("| navier-stokes-fast, out of distribution | 0.100 |") for line in lines)
    assert "| sst-monthly-fast | 0.121 (1.07) | | | | |" in lines
    assert any("Niño 3.4" in line for line in lines)
    heads = [line for line in lines if line.startswith("| |")]
    assert (
        "| | from frame 0 | from frame 16 |" in heads
        and "| | month 1 | month 3 | month 6 | month 9 | month 12 |" in heads
    )


def test_a_baseline_of_other_runs_is_not_what_a_model_is_divided_by() -> None:
    table = card()
    table.loc[table["method"] == "climatology", "runs"] = "5 bundled"
    (whole,) = [line for line in render(table, paired()).splitlines() if "0.0766 | 0.90" in line]
    assert whole.endswith("| 0.77 (0.71–0.82) | |")


def test_models_come_before_baselines_and_test_runs_before_others() -> None:
    lines = render(card(), paired()).splitlines()
    named = [line.split(" | ")[0].lstrip("| ") for line in lines if re.match(r"\| (navier-stokes-|climatology)", line)]
    assert named[:4] == [
        "navier-stokes-fast",
        "navier-stokes-dropout",
        "climatology",
        "navier-stokes-fast, out of distribution",
    ]


def test_the_paper_s_figures_stand_beside_ours_in_its_convention_with_a_caution() -> None:
    text = render(card(), paired())
    assert "| paper: DYffusion | 0.0670 | 0.0220 | 0.877 |" in text
    assert "| navier-stokes-fast, 20 members | 0.0401 | 0.00125 | 0.770 |" in text
    assert PAPER_SCORES["navier-stokes"].comparable in text
    assert PAPER_SCORES["spring-mesh"].title not in text  # nothing of ours to compare


def test_every_table_is_whole() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", render(card(), paired()), re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        lines = table.splitlines()
        assert len({line.count("|") for line in lines}) == 1 and re.fullmatch(r"\|(---\|)+", lines[1])


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- scorecard -->\nold\n<!-- /scorecard -->\nafter\n", encoding="utf-8")
    put_into(readme, "new\n")
    assert readme.read_text(encoding="utf-8") == "before\n<!-- scorecard -->\n\nnew\n\n<!-- /scorecard -->\nafter\n"
    assert between_markers(readme) == "new\n"
    readme.write_text("no markers")
    with pytest.raises(DataError, match="no place for the score card"):
        put_into(readme, "new\n")
    with pytest.raises(DataError, match="cannot be read"):
        put_into(tmp_path / "none.md", "new\n")


def test_the_readme_shows_what_the_card_renders_to() -> None:
    assert between_markers(ROOT / "README.md") == render(read_scorecard(), read_paired())


def test_every_data_set_of_the_card_has_a_table() -> None:
    assert set(PAPER_SCORES) <= set(TITLES) == set(engine.datasets.DATASETS)


# -- the command -------------------------------------------------------------------------------------------


def generate(split: str, count: int) -> None:
    """Simulated runs of the spring mesh in the data folder: the bundled one, moved a little."""
    from engine.simulators.files import simulated_dir

    mesh = get_dataset("spring-mesh").load("0")
    directory = simulated_dir("spring-mesh", split=split)
    directory.mkdir(parents=True)
    for number in range(count):
        states = mesh.states + np.float32(0.01 * number)
        np.savez(directory / f"run_{number:04d}.npz", states=states, static=mesh.static, times=mesh.times, seed=0)


def test_generated_runs_are_scored_where_there_are_enough_of_them(folder: Path) -> None:
    mesh = get_dataset("spring-mesh")
    assert split_runs(mesh, "test", runs=2, bundled=False)[1] == "15 bundled"
    generate("test", 3)
    runs, words = split_runs(mesh, "test", runs=2, bundled=False)
    assert words == "2 generated" and [run.name for run in runs] == ["run_0000", "run_0001"]
    assert split_runs(mesh, "test", runs=4, bundled=False)[1] == "15 bundled"
    assert split_runs(mesh, "test", runs=2, bundled=True)[1] == "15 bundled"


def test_the_command_scores_models_one_by_one_and_writes_the_readme(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SpringMesh, "starts", (796, 800))
    for split in ("train", "test", "ood"):
        generate(split, 2)
    for name in ("spring-mesh-fast", "spring-mesh-dropout"):
        save_small_checkpoint(folder / name, "spring-mesh", schedule="0,67")
    for name in ("spring-mesh-fast", "spring-mesh-dropout"):
        assert main(["scorecard", "--model", name, "--members", "3", "--runs", "2"]) == 0
    table, pairs = read_scorecard(), read_paired()
    assert {(one["model"], one["method"]) for _, one in table.iterrows()} >= {
        ("spring-mesh-fast", "dyffusion"),
        ("", "persistence"),
        ("", "climatology"),
    }
    assert set(table["runs"]) == {"2 generated"} and set(table["split"]) == {"test", "ood"}
    whole = row(table, model="spring-mesh-fast", split="test", quantity="all", start="all")
    assert whole["members"] == 3 and whole["initial_conditions"] == 4 and whole["request"] == "0,67, independent"
    # both have the same random weights
    np.testing.assert_allclose(pairs["crps_ratio"], 1, rtol=1e-6)
    readme = folder.parent / "README.md"
    readme.write_text("<!-- scorecard --><!-- /scorecard -->", encoding="utf-8")
    assert main(["scorecard", "--readme"]) == 0
    assert "| spring-mesh-fast |" in between_markers(readme)
    assert "README.md" in capsys.readouterr().out


def test_a_model_of_another_data_set_or_from_elsewhere_ends_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_small_checkpoint(folder / "spring-mesh-fast", "spring-mesh")
    assert main(["scorecard", "--dataset", "sst-monthly", "--model", "spring-mesh-fast"]) == 2
    assert "is for spring-mesh, not sst-monthly" in capsys.readouterr().err
    assert main(["scorecard", "--model", "other"]) == 2
    assert "does not come with the project" in capsys.readouterr().err
    assert main(["scorecard", "--model", "spring-mesh-fast", "--members", "1"]) == 2
    assert "1 member(s) have no spread to score" in capsys.readouterr().err
