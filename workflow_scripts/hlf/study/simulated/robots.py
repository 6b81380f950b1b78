"""Simulated people on a running server: each goes through the HTTP interface as a browser does.

What they see comes from the owner's side (the database says which pair a trial is, a table how strong its change is);
what they do goes over the wire. Their votes are marked as simulated by the invite they come with.
"""

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.seeds import generator
from hlf.study.simulated.observers import TRAP_STRENGTH, Observer, draw_observer, strength_of

if TYPE_CHECKING:
    import httpx
    import numpy as np

    from hlf.study.running.platform import Platform

DEVICE = {
    "viewport_w": 1440, "viewport_h": 900, "dpr": 1, "screen_w": 1440, "screen_h": 900, "touch": False, "css_w": 640,
}  # fmt: skip
DISPLAY = {"css_w": 640, "css_h": 640, "dpr": 1, "viewport_w": 1440, "viewport_h": 900, "layout": "row"}
TIMEOUT = 60.0  # s


@dataclass
class Record:
    """What the robots met.

    Attributes:
        seconds: of every request that was answered, by its kind ("next", "vote", "image", ...).
        errors: what was not answered, or with a status of 400 and more, in words.
        acknowledged: key, assignment and answer of every vote that the server said was saved.
        started: when the first person came, s.
        ended: when the last one left, s.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    acknowledged: list[tuple[str, str, int]] = field(default_factory=list)
    started: float = 0.0
    ended: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Percentiles in ms of each kind of request, votes per second, and errors."""
        import numpy as np

        kinds = {
            kind: {
                **{f"p{p}": round(float(np.percentile(values, p)) * 1000, 1) for p in (50, 95, 99)},
                "requests": len(values),
            }
            for kind, values in sorted(self.seconds.items())
        }
        votes = len(self.acknowledged)
        span = max(self.ended - self.started, 1e-9)
        return {**kinds, "votes": votes, "votes per second": round(votes / span, 2), "errors": len(self.errors)}


class Robot:
    """One simulated person in front of a browser."""

    def __init__(
        self, url: str, invite: str, observer: Observer, rng: "np.random.Generator", record: Record,
        stop: threading.Event,
    ) -> None:  # fmt: skip
        """Open a browser: `url` of the server, an invite code, who it is, and where to write what happens."""
        with needed_for("simulated people on a server", "'.[study]'"):
            import httpx
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT)
        self._invite, self._record, self._stop = invite, record, stop
        self.observer, self.rng, self._csrf = observer, rng, ""

    def request(self, kind: str, method: str, path: str, body: Any = None) -> "httpx.Response":
        """One request, timed; waits as told when it came too often."""
        while True:
            started = time.perf_counter()
            answer = self._client.request(method, path, json=body, headers={"x-csrf-token": self._csrf})
            self._record.seconds.setdefault(kind, []).append(time.perf_counter() - started)
            if answer.status_code != 429 or self._stop.wait(float(answer.headers["retry-after"])):
                break
        if answer.status_code >= 400:
            self._record.errors.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
        return answer

    def post(self, kind: str, body: Any) -> dict[str, Any]:
        """POST to /api/<kind>; HlfError when it is refused."""
        answer = self.request(kind, "POST", f"/api/{kind}", body)
        if answer.status_code >= 400:
            raise HlfError(f"the server refused '{kind}': {answer.text[:200]}")
        found: dict[str, Any] = answer.json()
        return found

    def join(self, practice: list[int]) -> None:
        """From the link to the end of the practice, whose right answers are given."""
        self.request("join", "GET", f"/join/{self._invite}")
        page = self.request("page", "GET", "/").text
        found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', page)
        if found is None:
            raise HlfError("the server's first page holds no token; is it a study of hlf?")
        self._csrf = found.group(1)
        state = self.request("state", "GET", "/api/state").json()
        agreed = self.post("consent", {"consent_hash": state["consent"]["hash"], "device": DEVICE})
        self._csrf = agreed["csrf"]
        if agreed["phase"] == "practice":
            for number, answer in enumerate(practice, 1):
                self.post("practice", {"number": number, "answer": answer})

    def sit(self, strength_of: Callable[[str], float], think: float, images: bool) -> None:
        """Answer until nothing is left; `think` scales the time people take, 0 for none."""
        seen: set[str] = set()
        while not self._stop.is_set():
            trials = self.post("next", {})["trials"]
            if not trials:
                self.post("finish", {"comment": None})
                return
            if images:
                # as a browser does, once per image, those of the look-ahead too
                for url in [one[side] for one in trials for side in "ab" if one[side] not in seen]:
                    self.request("image", "GET", url)
                    seen.add(url)
            one = trials[0]
            answer, ms = self.observer.answer(strength_of(one["assignment"]), self.rng)
            self._stop.wait(think * ms / 1000)
            self.vote(one["assignment"], answer, ms)

    def vote(self, assignment: str, answer: int, ms: int) -> None:
        """Answer one trial, and note it when the server says that it is saved."""
        key = str(uuid.uuid4())
        body = {"assignment": assignment, "answer": answer, "key": key, "rt_ms": ms, "rt_active_ms": ms}
        saved = self.post("vote", {**body, "display": DISPLAY, "zoom": {"count": 0, "max": 1.0}})
        if saved["saved"]:
            self._record.acknowledged.append((key, assignment, answer))


def refuse_silent(url: str) -> None:
    """Raise HlfError when no server answers at `url`, before anything is noted in a study."""
    with needed_for("a simulated study", "'.[study]'"):
        import httpx

    try:
        httpx.get(url, timeout=30)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise HlfError(
            f"no server answers at {url} ({error}); start one with `hlf study serve`, or name its address with --url"
        ) from error


def send_people(
    platform: "Platform", url: str, invite: str, people: int, strength: Mapping[str, float], careless: float, seed: int,
    think: float = 1.0, images: bool = True,
) -> Record:  # fmt: skip
    """Let `people` simulated people take part at once; each leaves when nothing is left to answer.

    Args:
        platform: the same study, opened beside the server, to look up which pair a trial is.
        url: of the server.
        invite: code of an invite for simulated people.
        people: how many come.
        strength: strength of every pair's change, by pair id, see `observers.strength_of`.
        careless: expected share of careless people.
        seed: every person has a generator of their own.
        think: 1 for the time that people take, 0 for none.
        images: whether images are loaded too.
    """
    record, stop = Record(started=time.monotonic()), threading.Event()
    look = _lookup(platform, strength)
    practice = [row.answer for row in platform.practice_pairs()]

    def live(number: int) -> None:
        """One robot from its invite to its end; what goes wrong is recorded."""
        rng = generator(seed, "study", "robot", number)
        try:
            robot = Robot(url, invite, draw_observer(str(number), careless, rng), rng, record, stop)
            robot.join(practice)
            robot.sit(look, think, images)
        except Exception as error:  # a lost connection is a finding, not an end
            record.errors.append(f"person {number}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=live, args=(number,), daemon=True) for number in range(1, people + 1)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
    record.ended = time.monotonic()
    return record


def planted_strengths(platform: "Platform", seed: int) -> dict[str, float]:
    """A made-up strength for every pair, Beta(0.4, 0.4) between the ends, where no content error is known."""
    from sqlalchemy import select

    from hlf.study.running.storage.tables import pair

    query = select(pair.c.name).where(pair.c.study == platform.study, pair.c.role == "trial").order_by(pair.c.name)
    names = platform.storage.read(lambda c: c.execute(query).scalars().all())
    return {name: 4.0 * float(generator(seed, "study", "strength", name).beta(0.4, 0.4)) - 2.0 for name in names}


def content_strengths(platform: "Platform", path: Path) -> dict[str, float]:
    """Strength of every pair's change from a run's table of content errors (`study/simulated/content_error.parquet`).

    Raises:
        HlfError: the table lacks a pair of the study.
    """
    import pandas as pd
    from sqlalchemy import select

    from hlf.files import read_table
    from hlf.study.running.storage.tables import pair

    query = select(pair.c.name).where(pair.c.study == platform.study, pair.c.role == "trial")
    names = pd.DataFrame({"pair_id": platform.storage.read(lambda c: c.execute(query).scalars().all())})
    return dict(zip(names["pair_id"], map(float, strength_of(names, read_table(path))), strict=True))


def _lookup(platform: "Platform", strength: Mapping[str, float]) -> Callable[[str], float]:
    from sqlalchemy import select

    from hlf.study.running.storage.tables import assignment, pair

    def look(one: str) -> float:
        """Strength of the change that a robot sees in an assignment, as the simulated people do."""
        query = select(pair.c.name, pair.c.answer).join(assignment, assignment.c.pair == pair.c.id)
        row = platform.storage.read(lambda c: c.execute(query.where(assignment.c.id == one)).one())
        return strength[row.name] if row.answer < 0 else TRAP_STRENGTH * (2 * row.answer - 1)

    return look
