"""What a visitor sees and does, in a real browser."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Open
from tests.browser.pages import (
    PATIENCE,
    PICTURE,
    are_marked,
    chart,
    frame,
    mark_maps,
    player,
    wait_for_maps,
    wait_until_frame_is_not,
    wait_until_idle,
)

pytestmark = pytest.mark.browser


def test_the_first_visit_shows_a_moving_example(open_page: Open) -> None:
    page = open_page()
    expect(page.get_by_text("example", exact=True)).to_be_visible(timeout=PATIENCE)
    wait_until_frame_is_not(page, frame(page))


def test_the_first_visit_shows_real_sea_surface_temperature_with_coastlines(open_page: Open) -> None:
    page = open_page(calm=True)
    expect(page.get_by_text("from June 2015, 12 months")).to_be_visible(timeout=PATIENCE)
    assert int(player(page).get_attribute("data-coastlines") or 0) > 10
    assert player(page).get_attribute("data-variable") == "anomaly"
    expect(player(page).locator(".clock")).to_have_text("lead 12 months / 12 months · valid 2016-06")
    expect(player(page).get_by_text("150°W").first).to_be_visible()
    expect(page.get_by_text("Niño 3.4 plume")).to_be_visible()
    expect(page).to_have_url(re.compile("init=2015-06"), timeout=PATIENCE)
    with_coasts = page.evaluate(PICTURE)
    page.get_by_role("radio", name="Heatwave").click()
    wait_for_maps(page, variable="above-percentile-90")
    assert page.evaluate(PICTURE) != with_coasts
    player(page).locator(".map-frame").first.hover(position={"x": 30, "y": 40})
    assert "°C" in " ".join(player(page).locator(".map-value").all_text_contents())


def test_data_that_are_not_there_are_offered_not_missed(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="Daily SST").click()
    expect(page.get_by_text("NOAA OISST").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


def test_a_data_set_is_picked_a_short_forecast_runs_and_the_frames_change(open_page: Open) -> None:
    page = open_page("/?dataset=navier-stokes")
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="Spring mesh").click()
    expect(page.get_by_role("radio", name="Displacement")).to_be_visible(timeout=PATIENCE)
    for name, presses in (("Horizon", 19), ("Ensemble members", 2)):
        slider = page.get_by_role("slider", name=name)
        slider.press("Home")
        for _ in range(presses):
            slider.press("ArrowRight")
    expect(page.get_by_text("20 steps", exact=True)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("3 members · 20 steps")).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames=21)
    first, picture = frame(page), page.evaluate(PICTURE)
    wait_until_frame_is_not(page, first)
    # the frame may have changed between the two lines above, so that its picture is the next one's
    page.wait_for_function(f"before => ({PICTURE})() !== before", arg=picture, timeout=PATIENCE)
    expect(page).to_have_url(re.compile("steps=20&members=3"), timeout=PATIENCE)


def test_members_arrive_while_the_player_keeps_its_place(open_page: Open) -> None:
    page = open_page("/?dataset=navier-stokes&members=40&seed=11", calm=True)
    mark_maps(page)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text(re.compile(r"\d+ of 40 members · 16 of 64 steps"))).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames=17)
    page.get_by_role("slider", name="Lead time").fill("5")
    expect(page.get_by_text(re.compile(r"arriving.* of 40 members · 64 steps"))).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames=65)
    assert frame(page) == 5
    expect(page.get_by_text(re.compile(r"^done"))).to_be_visible(timeout=PATIENCE)
    assert frame(page) == 5
    assert are_marked(page)  # they were there all the time


def test_what_has_arrived_of_a_cancelled_run_stays_and_is_not_computed_again(open_page: Open) -> None:
    page = open_page("/?dataset=navier-stokes&members=40&seed=12", calm=True)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text(re.compile(r"\d+ of 40 members · 64 steps"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(r"cancelled.* of 40 members"))).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Run")).to_be_enabled(timeout=PATIENCE)
    slider = page.get_by_role("slider", name="Ensemble members")
    slider.press("Home")
    for _ in range(7):
        slider.press("ArrowRight")
    expect(page).to_have_url(re.compile("members=8"), timeout=PATIENCE)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text(re.compile(r"^from store"))).to_be_visible(timeout=PATIENCE)


def test_two_visitors_who_ask_the_same_share_one_run(open_page: Open) -> None:
    pages = [open_page("/?dataset=navier-stokes&members=30&seed=13", calm=True) for _ in range(2)]
    for page in pages:
        page.get_by_role("button", name="Run").click()
    for page in pages:
        expect(page.get_by_text(re.compile(r"^done"))).to_be_visible(timeout=PATIENCE)
    headings = [page.locator("[data-testid=stMarkdown]", has_text="30 members") for page in pages]
    for heading in headings:
        expect(heading).to_have_count(1, timeout=PATIENCE)  # that of the members before is gone
    took = {re.findall(r"[\d.]+ s$", heading.inner_text().strip())[0] for heading in headings}
    assert len(took) == 1  # seconds of the same run


def test_the_player_pauses_steps_and_scrubs_by_mouse_and_keyboard(open_page: Open) -> None:
    page = open_page("/?dataset=spring-mesh", calm=True)
    last = int(player(page).get_attribute("data-frames") or 0) - 1
    assert frame(page) == last  # still, on the last frame, for those who asked for calm
    page.get_by_role("button", name="One frame back").click()
    assert frame(page) == last - 1
    player(page).press("ArrowLeft")
    assert frame(page) == last - 2
    player(page).press("ArrowRight")
    assert frame(page) == last - 1
    page.get_by_role("slider", name="Lead time").fill("3")
    assert frame(page) == 3
    expect(player(page).locator(".clock")).to_have_text(re.compile(r"lead 0\.\d\d / 6\.\d\d s · valid 0\.\d\d s"))
    player(page).press(" ")
    wait_until_frame_is_not(page, 3)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_hovering_shows_the_value_in_every_map(open_page: Open) -> None:
    page = open_page("/?dataset=navier-stokes", calm=True)
    player(page).locator(".map-frame").first.hover(position={"x": 30, "y": 40})
    values = player(page).locator(".map-value").all_text_contents()
    assert len(values) == 4
    assert all("m s⁻¹" in value for value in values)


def test_a_click_moves_the_chart_of_one_place(open_page: Open) -> None:
    page = open_page("/?dataset=navier-stokes", calm=True)
    player(page).locator(".map-frame").first.click(position={"x": 12, "y": 40})
    expect(page.get_by_text("At x 0.0", exact=False)).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("/?dataset=ocean", "ocean"),
        ("/?dataset=spring-mesh&init=99:0", "99"),
        ("/?dataset=spring-mesh&schedule=0,5,3", "3 follows 5"),
        ("/?dataset=navier-stokes&steps=nan", "nan"),
        ("/?dataset=navier-stokes&steps=900000", "GiB"),
    ],
)
def test_a_bad_link_is_answered_with_one_sentence(open_page: Open, link: str, named: str) -> None:
    page = open_page(link)
    alerts = page.get_by_test_id("stAlertContentError")
    expect(alerts).to_have_count(1, timeout=PATIENCE)
    expect(alerts).to_contain_text(named)
    assert "Traceback" not in page.content()
    expect(player(page)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_a_narrow_screen(address: str, browser: Browser, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address + "/?dataset=navier-stokes")
    expect(page.locator(".player")).to_be_visible(timeout=PATIENCE)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    box = page.locator(".player").bounding_box()
    context.close()
    assert wide <= 400
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400


def test_the_ends_of_the_colours_are_read_on_two_narrow_maps_beside_one_another(address: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(address + "/?dataset=spring-mesh&limits=error:-0.0127:0.0127")  # long numbers, and few within them
    legends = player(page).locator(".legend")
    expect(legends).to_have_count(4)
    cut = legends.locator(".limit").evaluate_all("all => all.map(each => each.scrollWidth - each.clientWidth)")
    over = legends.evaluate_all("all => all.map(each => each.scrollWidth - each.clientWidth)")
    context.close()
    assert max(cut) <= 0
    assert max(over) <= 0


@pytest.mark.soak
@pytest.mark.parametrize("link", ["?dataset=sst-monthly", "?dataset=navier-stokes", "?dataset=spring-mesh", "?demo=2"])
@pytest.mark.parametrize("width", [320, 400, 768, 1100, 1440, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_viewport_holds_the_page_without_a_complaint(
    address: str, browser: Browser, scheme: Literal["light", "dark"], width: int, link: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 800)
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/{link}")
    chart(page, "fan")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Keys (?)").click()
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    boxes = page.locator(".player, .js-plotly-plot").evaluate_all(
        "nodes => nodes.map(node => node.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    context.close()
    assert wide <= width
    assert all(left >= 0 and right <= width for left, right in boxes)
    assert complaints == []


@pytest.mark.soak
@pytest.mark.parametrize(
    "name", ["members", "probability", "verify", "compare", "sampler", "skill", "data", "runs", "about"]
)
@pytest.mark.parametrize("width", [320, 400, 768, 1100, 1440, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_other_page_fits_every_viewport(
    address: str, browser: Browser, scheme: Literal["light", "dark"], width: int, name: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 800, reduced_motion="reduce"
    )
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/{name}?dataset=sst-monthly")
    wait_until_idle(page)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    boxes = page.locator(".player, .js-plotly-plot, [data-testid=stAlert]").evaluate_all(
        "nodes => nodes.map(node => node.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    context.close()
    assert wide <= width
    assert all(left >= 0 and right <= width for left, right in boxes)
    assert complaints == []
