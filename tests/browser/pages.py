"""What the browser tests look at on the page."""

from playwright.sync_api import Locator, Page, expect

PATIENCE = 180_000  # ms; only a broken page needs as long
PICTURE = """() => [...document.querySelectorAll('*')]
    .flatMap(node => node.shadowRoot ? [...node.shadowRoot.querySelectorAll('canvas.field')] : [])
    .map(canvas => canvas.toDataURL()).join()"""


def player(page: Page) -> Locator:
    """The maps, once they are there."""
    expect(page.locator(".player:visible")).to_have_count(1, timeout=PATIENCE)  # those of another page are gone
    return page.locator(".player")


def wait_for_maps(page: Page, **shown: object) -> None:
    """Wait until the maps show this: `frames` of them, a `variable`, whether they are `playing`; and no others."""
    said = "".join(f'[data-{name}="{value}"]' for name, value in shown.items())
    expect(page.locator(f".player{said}:visible")).to_have_count(1, timeout=PATIENCE)
    expect(page.locator(".player")).to_have_count(1, timeout=PATIENCE)  # those of another page are gone


def mark_maps(page: Page) -> None:
    """Mark the maps as they stand in the page, for `are_marked`."""
    player(page).evaluate("maps => { maps.marked = true; }")


def are_marked(page: Page) -> bool:
    """Whether these are the very maps that were marked, and not others drawn in their place."""
    return bool(player(page).evaluate("maps => maps.marked === true"))


def wait_until_idle(page: Page) -> None:
    """Wait until nothing runs on the server, and nothing that it sent is still to be drawn."""
    page.wait_for_timeout(300)  # for what was just done to reach the server
    app = page.locator("[data-testid=stApp]")
    for _ in range(2):  # maps that were drawn ask for the charts
        expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
        expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=PATIENCE)
        page.wait_for_timeout(500)


def frame(page: Page) -> int:
    """The frame that the maps show."""
    return int(player(page).get_attribute("data-frame") or -1)


def wait_until_frame_is_not(page: Page, before: int) -> None:
    """Wait until the maps move on."""
    expect(player(page)).not_to_have_attribute("data-frame", str(before), timeout=PATIENCE)


def map_frame(page: Page, number: int = 0) -> Locator:
    """The field of one of the maps."""
    return player(page).locator(".map-frame").nth(number)


def drag(page: Page, place: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one share of a place's width and height to another."""
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    page.mouse.move(x1, y1)
    page.mouse.up()


def ticks(page: Page, axis: str) -> list[str]:
    """The numbers along an axis of the first map."""
    return player(page).locator(".map").first.locator(f".tick.{axis}:not(.name)").all_text_contents()


def chart(page: Page, key: str) -> Locator:
    """A chart below the maps, once it is drawn."""
    found = page.locator(f".st-key-{key} .js-plotly-plot")
    expect(found.locator(".coldcast-cursor")).to_be_attached(timeout=PATIENCE)
    return found


def cursor(page: Page, key: str) -> float:
    """How far right the cursor of a chart stands, in pixels of the page."""
    box = chart(page, key).locator(".coldcast-cursor").bounding_box()
    assert box is not None
    return box["x"]
