"""The maps and the charts below them as a person handles them: time, part of the map, place, colours, keys, link."""

import io
import re
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.conftest import Open
from tests.browser.pages import (
    PATIENCE,
    PICTURE,
    chart,
    cursor,
    drag,
    frame,
    map_frame,
    player,
    ticks,
    wait_for_maps,
    wait_until_frame_is_not,
)

pytestmark = pytest.mark.browser

FLOW = "/?dataset=navier-stokes"


def messages_sent(page: Page) -> list[object]:
    """What the page sends the server from now on, also after a reload."""
    sent: list[object] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: sent.append(payload))

    page.on("websocket", listen)
    page.reload()
    chart(page, "fan")
    page.wait_for_timeout(1500)
    sent.clear()
    return sent


def press(page: Page, *keys: str) -> None:
    """Press keys while nothing in particular has the focus."""
    for key in keys:
        page.keyboard.press(key)


# -- time --------------------------------------------------------------------------------------------------


def test_scrubbing_never_calls_the_server(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    sent = messages_sent(page)
    for position in range(0, 30, 2):
        page.get_by_role("slider", name="Lead time").fill(str(position))
        assert frame(page) == position
    press(page, "ArrowLeft", "ArrowLeft", "+", "c")
    player(page).get_by_role("button", name="Play").click()
    wait_until_frame_is_not(page, 26)
    page.wait_for_timeout(1000)
    assert sent == []


def test_the_cursors_of_the_curves_move_with_the_maps_and_a_click_on_a_curve_moves_the_maps(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    late = {key: cursor(page, key) for key in ("scores", "ratio", "fan")}
    page.get_by_role("slider", name="Lead time").fill("8")
    early = {key: cursor(page, key) for key in late}
    assert all(early[key] < late[key] - 50 for key in late)
    plot = chart(page, "scores").locator(".nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    last = int(player(page).get_attribute("data-frames") or 0) - 1
    assert abs(frame(page) - last / 2) <= 1
    assert early["fan"] < cursor(page, "fan") < late["fan"]


def test_the_plume_shares_the_time_of_the_maps(open_page: Open) -> None:
    page = open_page("/?dataset=sst-monthly", calm=True)
    late = cursor(page, "plume-nino34")
    page.get_by_role("slider", name="Lead time").fill("2")
    assert cursor(page, "plume-nino34") < late


def test_speed_and_keys(open_page: Open) -> None:
    page = open_page("/?dataset=spring-mesh", calm=True)
    rate = page.get_by_role("combobox", name="Speed of the animation")
    player(page).focus()
    press(page, "[")
    expect(rate).to_have_value("0.5")
    press(page, "]", "]")
    expect(rate).to_have_value("2")
    wait_for_maps(page, playing="false")
    press(page, " ")
    wait_for_maps(page, playing="true")
    press(page, " ", "ArrowLeft")
    at = frame(page)
    press(page, "ArrowRight")
    assert frame(page) == at + 1
    press(page, "?")
    expect(player(page).get_by_text("play or pause")).to_be_visible()


def test_keys_work_before_anything_is_clicked_and_not_while_a_person_types(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    last = frame(page)
    press(page, "ArrowLeft")
    assert frame(page) == last - 1
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.click()
    press(page, "ArrowLeft", "c")
    assert frame(page) == last - 1
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_still_picture_is_of_one_lead_and_numbers_are_those_of_the_lead(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    page.get_by_role("slider", name="Lead time").fill("10")
    still, value = page.evaluate(PICTURE), player(page).locator(".map-value").first.inner_text()
    player(page).get_by_role("button", name="Play").click()
    wait_until_frame_is_not(page, 10)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("slider", name="Lead time").fill("10")
    assert page.evaluate(PICTURE) == still
    assert player(page).locator(".map-value").first.inner_text() == value


# -- the part of the map -----------------------------------------------------------------------------------


def test_zoom_and_pan_are_one_for_all_maps(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    whole, picture = ticks(page, "x"), page.evaluate(PICTURE)
    page.get_by_role("button", name="Zoom in").click(click_count=3)
    assert ticks(page, "x") != whole
    counts = player(page).locator(".map").evaluate_all("maps => maps.map(map => map.querySelector('.ticks').innerText)")
    assert len(set(counts)) == 1
    near = ticks(page, "x")
    page.keyboard.down("Shift")
    drag(page, map_frame(page), (0.3, 0.5), (0.8, 0.5))
    page.keyboard.up("Shift")
    assert float(ticks(page, "x")[0]) < float(near[0])
    expect(page.get_by_text("At x 1.1", exact=False)).to_be_visible()  # the place is where it was
    player(page).focus()
    press(page, "0")
    assert ticks(page, "x") == whole
    assert page.evaluate(PICTURE) == picture


def test_the_wheel_zooms_about_the_pointer_with_control_alone(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    whole = ticks(page, "x")
    map_frame(page).hover(position={"x": 20, "y": 20})
    page.mouse.wheel(0, -300)
    assert ticks(page, "x") == whole
    page.evaluate("scrollTo(0, 0)")
    map_frame(page).hover(position={"x": 20, "y": 20})
    page.keyboard.down("Control")
    for _ in range(6):
        page.mouse.wheel(0, -60)
    page.keyboard.up("Control")
    page.wait_for_function("before => location.hash.includes('view=')", arg=None)
    assert float(ticks(page, "x")[-1]) < 0.6


def test_one_map_fills_the_place_and_gives_it_back(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    before = map_frame(page).bounding_box()
    player(page).get_by_role("button", name="Spread", exact=True).click()
    expect(player(page).locator(".map")).to_have_count(1)
    after = map_frame(page).bounding_box()
    assert before is not None and after is not None
    assert after["width"] > 1.5 * before["width"]
    expect(page).to_have_url(re.compile("maps=spread"), timeout=PATIENCE)
    player(page).get_by_role("button", name="Spread", exact=True).click()
    expect(player(page).locator(".map")).to_have_count(4)


# -- the place ---------------------------------------------------------------------------------------------


def test_a_dragged_box_becomes_the_mean_that_the_chart_shows(open_page: Open) -> None:
    page = open_page("/?dataset=sst-monthly", calm=True)
    drag(page, map_frame(page), (0.4, 0.4), (0.6, 0.6))
    expect(page.get_by_text("Mean over", exact=False)).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"at=[-\d.]+(%2C[-\d.]+){3}"), timeout=PATIENCE)
    page.mouse.move(5, 5)  # under the pointer is a value of its own
    values = player(page).locator(".map-value").all_text_contents()
    assert all(value.startswith("box mean") for value in values)
    truth = chart(page, "fan").evaluate("plot => plot._fullData.find(line => line.name === 'truth').y[11]")
    shown = float(values[1].removeprefix("box mean ").removesuffix(" °C").replace("−", "-"))
    assert shown == pytest.approx(truth, abs=1e-3)  # the page's twelfth month and the server's


def test_a_place_in_an_obstacle_is_not_taken(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    box = map_frame(page).bounding_box()
    assert box is not None
    map_frame(page).click(position={"x": 0.2 * box["width"], "y": 0.55 * box["height"]})
    page.wait_for_timeout(1000)
    assert "at=" not in page.url


def test_particles_can_be_chosen_where_they_are(open_page: Open) -> None:
    page = open_page("/?dataset=spring-mesh", calm=True)
    pin = player(page).locator(".map").first.locator(".pin")
    before = pin.bounding_box()
    box = map_frame(page).bounding_box()
    assert before is not None and box is not None
    spacing = box["width"] / 10.2  # of ten particles, with an edge
    page.mouse.click(before["x"] + before["width"] / 2 - 2 * spacing, before["y"] + before["height"] / 2)
    expect(page).to_have_url(re.compile("at="), timeout=PATIENCE)
    expect(page.get_by_text(re.compile(r"^At x \d, y \d$"))).to_be_visible(timeout=PATIENCE)
    after = pin.bounding_box()
    assert after is not None and abs(after["x"] - before["x"]) > 10


def test_paths_of_particles_are_drawn_and_stay_in_the_link(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    page.get_by_role("slider", name="Lead time").fill("10")
    without = page.evaluate(PICTURE)
    page.get_by_role("button", name="Paths of drifting particles").click()
    expect(page).to_have_url(re.compile("traces=true"), timeout=PATIENCE)
    page.wait_for_function(f"before => ({PICTURE})() !== before", arg=without, timeout=PATIENCE)
    mean, _, spread, _ = page.evaluate(PICTURE).split(",data:")
    plain_mean, _, plain_spread, _ = without.split(",data:")
    assert mean != plain_mean and spread == plain_spread


# -- colours -----------------------------------------------------------------------------------------------


def test_the_ends_of_the_colours_are_written_by_hand_shared_by_mean_and_truth_and_kept(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    before = page.evaluate(PICTURE)
    page.get_by_role("textbox", name="Mean: upper end of the colours").fill("0,8")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Truth: upper end of the colours")).to_have_value("0.8")
    assert page.evaluate(PICTURE) != before
    expect(page).to_have_url(re.compile(r"limits=field%3A0%3A0\.8"), timeout=PATIENCE)
    page.get_by_role("radio", name="Vorticity").click()
    wait_for_maps(page, variable="vorticity")
    page.get_by_role("radio", name="Speed").click()
    wait_for_maps(page, variable="speed")
    expect(page.get_by_role("textbox", name="Mean: upper end of the colours")).to_have_value("0.8")
    player(page).locator(".beyond").first.click()  # so many are beyond that the page offers to fit them
    expect(page.get_by_role("textbox", name="Mean: upper end of the colours")).to_have_value("1.63", timeout=PATIENCE)


def test_what_is_no_number_changes_no_colours(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    end = page.get_by_role("textbox", name="Spread: upper end of the colours")
    before = end.input_value()
    for text in ("warm", "", "-3"):
        end.fill(text)
        page.keyboard.press("Enter")
        expect(end).to_have_value(before)


def test_colours_can_be_fitted_to_each_map_and_lead(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    end = page.get_by_role("textbox", name="Spread: upper end of the colours")
    fixed = end.input_value()
    press(page, "c")
    late = end.input_value()
    page.get_by_role("slider", name="Lead time").fill("3")
    assert float(end.input_value()) < float(late)
    assert end.is_disabled()
    press(page, "c")
    expect(end).to_have_value(fixed)


# -- taken along -------------------------------------------------------------------------------------------


def test_a_picture_of_the_maps_is_saved(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    assert frame(page) > 0
    with page.expect_download() as waiting:
        press(page, "s")
    path = waiting.value.path()
    assert waiting.value.suggested_filename == "navier-stokes_speed_lead-5.12.png"
    picture = np.asarray(Image.open(io.BytesIO(Path(path).read_bytes())).convert("RGB"))
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500


def test_the_link_brings_everything_back_elsewhere(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    page.get_by_role("radio", name="Vorticity").click()
    expect(page).to_have_url(re.compile("variable=vorticity"), timeout=PATIENCE)
    map_frame(page).click(position={"x": 12, "y": 40})
    expect(page.get_by_text("At x 0.0", exact=False)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("slider", name="Lead time").fill("12")
    page.get_by_role("button", name="Zoom in").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the link to this view").click()
    expect(page.get_by_text("The link to this view is copied.")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    numbers = player(page).locator(".map-value").all_text_contents()
    parts = urlparse(link)
    other = open_page(f"{parts.path}?{parts.query}#{parts.fragment}")  # one who did not ask for calm
    chart(other, "fan")
    wait_for_maps(other, variable="vorticity")
    assert frame(other) == 12
    assert ticks(other, "x") == ticks(page, "x")
    expect(other.get_by_text("At x 0.0", exact=False)).to_be_visible()
    assert player(other).locator(".map-value").all_text_contents() == numbers
    assert other.url == link


def test_the_way_back_leads_through_what_was_asked_before(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("5")
    seed.press("Enter")
    expect(page).to_have_url(re.compile("seed=5"), timeout=PATIENCE)
    page.get_by_role("radio", name="Vorticity").click()
    expect(page).to_have_url(re.compile("variable=vorticity"), timeout=PATIENCE)
    page.go_back()
    wait_for_maps(page, variable="speed")
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("5")
    page.go_back()
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("0", timeout=PATIENCE)
    page.go_forward()
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("5", timeout=PATIENCE)
    expect(page).to_have_url(re.compile("seed=5"))


def test_time_part_place_and_colours_survive_another_page(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    chart(page, "fan")
    page.get_by_role("slider", name="Lead time").fill("9")
    page.get_by_role("button", name="Zoom in").click()
    map_frame(page).click(position={"x": 150, "y": 20})
    expect(page).to_have_url(re.compile("at="), timeout=PATIENCE)
    page.get_by_role("textbox", name="Mean: upper end of the colours").fill("1.2")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("limits="), timeout=PATIENCE)
    link, part = page.url, ticks(page, "x")
    page.get_by_role("link", name="About").click()
    expect(page.locator(".player")).to_have_count(0, timeout=PATIENCE)
    page.get_by_role("link", name="Forecast").click()
    chart(page, "fan")
    assert frame(page) == 9
    assert ticks(page, "x") == part
    expect(page.get_by_role("textbox", name="Mean: upper end of the colours")).to_have_value("1.2")
    expect(page).to_have_url(link, timeout=PATIENCE)


def test_the_demo_turns_its_pages(open_page: Open) -> None:
    page = open_page("/?demo=1")
    for title, sign in [
        ("1 of 5 · A forecast is a distribution", "Test run 0, frame 0"),
        ("2 of 5 · Ask any place why", "At x 1.45, y 0.1 m"),
        ("3 of 5 · The ocean, twelve months ahead", "Niño 3.4 plume"),
        ("4 of 5 · The sampler is in your hands", "10 members · 134 steps · full, cold"),
        ("5 of 5 · It says where not to trust it", "Unlike training, run 1, frame 0"),
    ]:
        expect(page.get_by_text(title)).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text(sign).first).to_be_visible(timeout=PATIENCE)
        wait_for_maps(page, playing="true")
        expect(page).to_have_url(re.compile(f"demo={title[0]}"), timeout=PATIENCE)
        if not title.startswith("5"):
            page.keyboard.press("PageDown")
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_text("5 of 5")).to_have_count(0, timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"dataset=spring-mesh&init=ood-1%3A0"), timeout=PATIENCE)


def test_colours_and_numbers_stay_when_one_map_is_shown_alone(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    for _ in range(2):
        assert all(player(page).locator(".limit").evaluate_all("ends => ends.map(end => end.value)"))
        assert all(player(page).locator(".map-value").all_text_contents())
        player(page).locator(".map-title").first.click()


def test_a_drag_that_is_broken_off_leaves_no_box(open_page: Open) -> None:
    page = open_page(FLOW, calm=True)
    chart(page, "fan")
    map_frame(page).evaluate(
        """node => {
            const box = node.getBoundingClientRect();
            const at = (type, x) => new PointerEvent(type, { pointerId: 1, button: 0, buttons: 1, bubbles: true,
                clientX: box.left + x, clientY: box.top + 20 });
            node.setPointerCapture = () => {};
            for (const [type, x] of [["pointerdown", 20], ["pointermove", 90], ["pointercancel", 90]])
                node.dispatchEvent(at(type, x));
        }"""
    )
    expect(player(page).locator(".box").first).to_be_hidden()
    page.wait_for_timeout(500)
    assert "at=" not in page.url


def test_the_way_back_passes_other_pages(open_page: Open) -> None:
    page = open_page(f"{FLOW}&members=5", calm=True)
    assert frame(page) > 0
    page.get_by_role("link", name="About").click()
    expect(page.locator(".player")).to_have_count(0, timeout=PATIENCE)
    page.get_by_role("link", name="Forecast").click()
    expect(page).to_have_url(re.compile("members=5"), timeout=PATIENCE)
    for _ in range(3):
        page.go_back()
        page.wait_for_timeout(1500)
        assert "sst-monthly" not in page.url
