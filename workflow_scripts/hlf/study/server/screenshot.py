"""A picture of the page on which people answer, from a real browser on a study that exists only for it."""

import importlib.util
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

    from hlf.study.running.platform import Platform
    from hlf.study.shown.bundle import Bundle

# names of Chromium, and of its relatives, on the search path
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PACKAGES = ("fastapi", "itsdangerous", "playwright", "sqlalchemy", "uvicorn", "xkcdpass")
WIDTH, HEIGHT = 1440, 900  # CSS pixels of the window, at one device pixel each: a common laptop
QUANTILE = 0.75  # of the similarities, where the pair is taken: changed, but its things can be told; our choice
# nothing that differs from run to run: no colour profile, no subpixel text, no bars, no calls elsewhere
OPTIONS = (
    "--disable-gpu", "--disable-lcd-text", "--font-render-hinting=none", "--force-color-profile=srgb",
    "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
PATIENCE = 60_000  # ms for one step of the browser
READY = '#stage[data-ready="true"]:visible'
DEVICE = {
    "viewport_w": WIDTH, "viewport_h": HEIGHT, "dpr": 1, "screen_w": WIDTH, "screen_h": HEIGHT, "css_w": WIDTH // 2,
    "touch": False,
}  # fmt: skip


def find_browser() -> str | None:
    """Path of a Chromium on this machine, None when there is none."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def lacking() -> str:
    """What a picture of the page needs and this machine lacks, with the command that brings it; "" if nothing."""
    needs = []
    if find_browser() is None:
        needs.append("no Chromium is installed: apt-get install chromium")
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        needs.append(f"packages {', '.join(absent)} are not installed: pip install '.[study]' playwright")
    return "; ".join(needs)


def typical_pair(pairs: "pd.DataFrame") -> str:
    """Id of the pair to show, by rule: of the mildest level, at QUANTILE of the similarity of SR to GT, then by id.

    Args:
        pairs: table `pairs`.

    Raises:
        HlfError: there is no pair.
    """
    if pairs.empty:
        raise HlfError("there is no pair to show; run the sampling stage first")
    level = pairs["level"].astype(float)
    mildest = pairs[level == level.min()].sort_values(["similarity", "pair_id"])
    return str(mildest["pair_id"].iloc[int(QUANTILE * (len(mildest) - 1))])


def trial_page(bundle: "Bundle", pair_id: str) -> bytes:
    """The page of a trial as PNG, WIDTH x HEIGHT pixels: the first one of the first person who takes part.

    Equal arguments give equal bytes on one machine; fonts and browser are the machine's.

    Args:
        bundle: of the study.
        pair_id: trial to show.

    Raises:
        HlfError: the bundle has no such trial, no browser or package, or the browser did not get there.
    """
    if pair_id not in [pair.pair_id for pair in bundle.pairs if pair.role == "trial"]:
        raise HlfError(f"the bundle in {bundle.folder} has no trial {pair_id}; make it again: snakemake study_bundle")
    missing = lacking()
    if missing:
        raise HlfError(f"the page cannot be shown; {missing}")
    with tempfile.TemporaryDirectory() as folder:
        platform, invite = _study(bundle, Path(folder), pair_id)
        try:
            with _served(platform) as url:
                return _photograph(url, invite, [row.answer for row in platform.practice_pairs()])
        finally:
            platform.storage.close()


def _study(bundle: "Bundle", folder: Path, pair_id: str) -> "tuple[Platform, str]":
    """An open study of the bundle whose first trial is the given pair, and an invite."""
    from sqlalchemy import update

    from hlf.study.running.folder import StudyFolder
    from hlf.study.running.platform import Platform
    from hlf.study.running.storage import open_storage, tables
    from hlf.study.running.studies import fill_study, new_invite, set_status
    from hlf.study.settings import Settings

    study = StudyFolder(folder, "page", f"sqlite:///{folder / 'study.sqlite'}", "", {}, bytes(32))
    storage, settings = open_storage(study.url, create=True), Settings.from_dict(bundle.settings)
    storage.write(lambda c: fill_study(c, study.id, bundle, settings, 0))
    # every other pair has all its votes, so this one comes first
    others = (tables.pair.c.role == "trial") & (tables.pair.c.name != pair_id)
    storage.write(lambda c: c.execute(update(tables.pair).where(others).values(load=tables.pair.c.target)))
    set_status(storage, study.id, "open", "picture of the page")
    return Platform(storage, study.id, study.secret, bundle.folder / "images"), new_invite(
        storage, study, "", one_use=False
    )


@contextmanager
def _served(platform: "Platform") -> Iterator[str]:
    """Address of a server of the study in a thread of this process, on a free port of this machine alone."""
    import uvicorn

    from hlf.study.server.app import create_app
    from hlf.study.server.security import Options

    app = create_app(platform, Options(secure=False, limits=False, hide_owner=True))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.02)
        if not server.started:
            raise HlfError("the server of the page did not start; its reason stands above")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def _photograph(url: str, invite: str, practice: list[int]) -> bytes:
    """Take part up to the first trial, and take its picture."""
    from playwright.sync_api import Error, sync_playwright

    # Chromium refuses to put itself into a sandbox for root, as in containers
    rights = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*OPTIONS, *rights])
        try:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1, reduced_motion="reduce",
                locale="en-GB",
            )  # fmt: skip
            context.set_default_timeout(PATIENCE)
            _join(context.request, url, invite, practice)
            page = context.new_page()
            page.goto(url)
            page.click('section[data-screen="notice"] [data-action="go"]')
            page.wait_for_selector(READY)
            # an answer button that is still grey would show how quick this machine is
            page.wait_for_selector('#left:not([aria-disabled="true"])')
            return page.screenshot(animations="disabled", caret="hide")
        except Error as error:
            raise HlfError(f"the browser did not get to the first trial: {str(error).splitlines()[0]}") from error
        finally:
            browser.close()


def _join(request: Any, url: str, invite: str, practice: list[int]) -> None:
    """Join, consent and practise, over the browser's own connection so that it has the cookies."""

    def post(path: str, body: dict[str, Any]) -> None:
        """One request of the participant whose page is shown."""
        token = request.get(f"{url}/api/state").json()["csrf"]
        reply = request.post(f"{url}/api/{path}", data=body, headers={"X-CSRF-Token": token})
        if not reply.ok:
            raise HlfError(f"the study's server refused '{path}': {reply.text()[:200]}")

    request.get(f"{url}/join/{invite}")
    text = request.get(f"{url}/api/state").json()["consent"]["hash"]
    post("consent", {"consent_hash": text, "device": DEVICE})
    for number, answer in enumerate(practice, 1):
        post("practice", {"number": number, "answer": answer})
