"""Pictures of the real page for the README: `python -m tools.make_tour` writes them into docs/.

Each scene is a link of the page, what is pressed there, and how long the forecast may take. The animation is the player
of the first page, lead after lead.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tools.page_server import ARGUMENTS, ROOT, find_chromium, served

DOCS = ROOT / "docs"
WIDTH, HEIGHT = 1280, 860  # pixels of the window
PATIENCE = 300_000  # ms; a forecast of some scenes is computed first
QUALITY = 72  # of the pictures, so that all of them together stay below a megabyte
FRAME_MS = 120
ANIMATION_WIDTH = 800  # pixels


@dataclass(frozen=True)
class Scene:
    """A picture: its file, the link, what a person does there, and the height of the window."""

    name: str
    link: str
    act: Callable[[Page], None] = lambda page: None
    height: int = HEIGHT


def compare(page: Page) -> None:
    """Let the paper's way to sample be the second forecast."""
    page.get_by_text("The paper's sampling", exact=True).click()
    page.get_by_role("button", name="Run B").click()
    expect(page.locator(".player .divider")).to_be_visible(timeout=PATIENCE)


SCENES = (
    Scene("forecast", "/?dataset=navier-stokes&at=1.45,0.1#lead=2.4"),
    Scene("members", "/members?dataset=sst-monthly&init=2015-06&sort=error&member=4#lead=6"),
    Scene("probability", "/probability?dataset=sst-monthly&init=2015-06#lead=3"),
    Scene("verify", "/verify?dataset=sst-monthly&init=2015-06#lead=6", height=1340),
    Scene("compare", "/compare?dataset=sst-monthly&init=2015-06#lead=6", compare),
    Scene("sampler", "/sampler?dataset=sst-monthly&init=2015-06"),
)
ANIMATED = "/?dataset=navier-stokes#lead=0"


def main() -> int:
    """Draw the pictures named on the command line, all by default."""
    names = ["animation", *(scene.name for scene in SCENES)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names, []], help="which pictures (default: all)")
    wanted = parser.parse_args().names or names
    chromium = find_chromium()
    if chromium is None:
        print("There is no Chromium: install one or name it in CHROMIUM.")
        return 1
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for scene in SCENES:
            if scene.name in wanted:
                save(DOCS / f"{scene.name}.webp", [picture(browser, address, scene)])
        if "animation" in wanted:
            save(DOCS / "animation.webp", frames(browser, address))
        browser.close()
    return 0


def visit(browser: Browser, link: str, height: int) -> Page:
    """The page of a link, once its maps are there and nothing goes on."""
    context = browser.new_context(viewport={"width": WIDTH, "height": height}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(link)
    settle(page)
    return page


def settle(page: Page) -> None:
    """Wait until the maps are drawn and the server rests."""
    expect(page.locator(".player canvas.field").first).to_be_visible(timeout=PATIENCE)
    for _ in range(2):
        page.wait_for_timeout(1500)
        expect(page.locator("[data-testid=stApp]")).to_have_attribute(
            "data-test-script-state", "notRunning", timeout=PATIENCE
        )
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=PATIENCE)


def picture(browser: Browser, address: str, scene: Scene) -> Image.Image:
    """A scene as it stands in the window."""
    page = visit(browser, address + scene.link, scene.height)
    scene.act(page)
    settle(page)
    page.mouse.move(2, 2)
    return image(page.screenshot())


def frames(browser: Browser, address: str) -> list[Image.Image]:
    """The maps at every lead."""
    page = visit(browser, address + ANIMATED, HEIGHT)
    player = page.locator(".player")
    maps = player.locator(".maps")
    found = []
    for _ in range(int(player.get_attribute("data-frames") or 0)):
        shot = image(maps.screenshot())
        found.append(shot.resize((ANIMATION_WIDTH, ANIMATION_WIDTH * shot.height // shot.width)))
        page.get_by_role("button", name="One frame on").click()
    return found


def image(shot: bytes) -> Image.Image:
    """A screenshot as a picture."""
    return Image.open(io.BytesIO(shot)).convert("RGB")


def save(path: Path, pictures: list[Image.Image]) -> None:
    """Write one picture, or several as an animation that repeats."""
    first, *others = pictures
    first.save(path, quality=QUALITY, method=6, save_all=bool(others), append_images=others, duration=FRAME_MS, loop=0)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
