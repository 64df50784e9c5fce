"""Runs as a person asks for them: first looks, more members, further ahead, other schedules, a restarted server."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, chart, frame, map_frame, player, ticks, wait_for_maps
from tools.page_server import free_port, served

pytestmark = pytest.mark.browser

MESH = "/?dataset=spring-mesh&steps=67&members=6"


def run(page: Page) -> None:
    """Press Run, and wait until the forecast is there."""
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile(r"^(done|from store)"))).to_be_visible(timeout=PATIENCE)


def set_slider(page: Page, name: str, presses: int) -> None:
    """Move a slider by so many steps."""
    slider = page.get_by_role("slider", name=name)
    for _ in range(abs(presses)):
        slider.press("ArrowRight" if presses > 0 else "ArrowLeft")


def test_a_preview_is_a_few_members_and_run_adds_the_others(open_page: Open) -> None:
    page = open_page(f"{MESH}&seed=21", calm=True)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("4 members · 67 steps")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("4 members so far: Run adds the other 2.")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(re.compile(r"67 % of them stored"))).to_be_visible(timeout=PATIENCE)
    run(page)
    expect(page.get_by_text("6 members · 67 steps")).to_be_visible(timeout=PATIENCE)


def test_more_members_and_a_longer_horizon_compute_what_is_missing(open_page: Open) -> None:
    page = open_page(f"{MESH}&seed=22&steps=134", calm=True)
    run(page)
    set_slider(page, "Ensemble members", 2)
    expect(page.get_by_text(re.compile(r"75 % of them stored"))).to_be_visible(timeout=PATIENCE)
    run(page)
    expect(page.get_by_text("8 members · 134 steps")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Stored: shown at once.")).to_be_visible(timeout=PATIENCE)
    set_slider(page, "Horizon", 4)
    expect(page).to_have_url(re.compile("steps=138"), timeout=PATIENCE)
    expect(page.get_by_text(re.compile(r"\d+ % of them stored"))).to_be_visible(timeout=PATIENCE)
    run(page)
    expect(page.get_by_text("8 members · 138 steps")).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames=139)


def test_a_schedule_that_is_stored_is_shown_when_it_is_picked(open_page: Open) -> None:
    page = open_page(f"{MESH}&seed=23", calm=True)
    run(page)
    page.get_by_role("combobox", name="Sampling schedule").click()
    page.get_by_role("option", name=re.compile("^stride32")).click()
    expect(page.get_by_text("The settings have changed since")).to_be_visible(timeout=PATIENCE)
    run(page)
    expect(page.get_by_text(re.compile(r"stride32, cold"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("combobox", name="Sampling schedule").click()
    page.get_by_role("option", name=re.compile("^stride64")).click()
    expect(page.get_by_text(re.compile(r"67 steps · stride64, cold"))).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("The settings have changed since")).to_have_count(0)


def test_time_part_place_and_colours_survive_arriving_members(open_page: Open) -> None:
    page = open_page("/?dataset=navier-stokes&members=40&seed=31", calm=True)
    chart(page, "fan")
    heading = page.get_by_text(re.compile(r"^At x"))
    middle = heading.inner_text()
    page.get_by_role("button", name="Zoom in").click()
    map_frame(page).click(position={"x": 150, "y": 20})
    expect(heading).not_to_have_text(middle, timeout=PATIENCE)
    part, place = ticks(page, "x"), heading.inner_text()
    limits = player(page).locator(".limit").evaluate_all("ends => ends.map(end => end.value)")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile(r"arriving.* of 40 members · 64 steps"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("slider", name="Lead time").fill("7")
    for words in (r"^arriving", r"^done"):
        expect(page.get_by_text(re.compile(words))).to_be_visible(timeout=PATIENCE)
        assert frame(page) == 7
        assert ticks(page, "x") == part
        expect(heading).to_have_text(place)
        assert player(page).locator(".limit").evaluate_all("ends => ends.map(end => end.value)") == limits


def test_after_a_restart_of_the_server_the_page_goes_on_with_what_is_stored(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    with served(tmp_path, port) as address:
        page.goto(f"{address}{MESH}&seed=24")
        run(page)
        page.get_by_role("slider", name="Lead time").fill("9")
        expect(page).to_have_url(re.compile("lead="))
        link = page.url
    with served(tmp_path, port):
        assert frame(page) == 9  # what was shown stays
        slider = page.get_by_role("slider", name="Ensemble members")
        expect(slider).to_be_enabled(timeout=PATIENCE)  # connected again
        slider.press("ArrowLeft")
        expect(page.get_by_text("5 members · 67 steps")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text(re.compile(r"^from store"))).to_be_visible()
        chart(page, "fan")
        assert frame(page) == 9
        expect(page).to_have_url(link.replace("members=6", "members=5"))
    context.close()
