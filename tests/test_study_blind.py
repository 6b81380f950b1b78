"""What a person's browser gets in a whole sitting tells neither model nor side, nor which pairs are traps."""

import re
import struct
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from hlf.study.running.storage import tables
from hlf.study.server.app import STATIC
from hlf.study.settings import Settings
from study_guest import DEVICE, Guest, Site
from study_server import MODELS, make_study

SITTING = {"trials": 20, "traps": 16, "people_quota": 20, "trap_rate": 4, "gt_gap": 1}
# the page's own words: the banner of simulated studies, and the question
OWN = ("say nothing about any SR model or\n  any person", Settings().question)
# labels of a side or of a pair, as words of their own
LABELS = re.compile(
    r"\b(gt|sr|hr|lr|ref|reference|ground.?truth|original|upscaled|synthe\w+|traps?|is_trap|trap_\w+|yes_\w+|no_(identical|"
    r"lowlevel)|model|level|degrad\w+|pair_?id|gt_\w+|sr_\w+)\b",
    re.IGNORECASE,
)


# all that the interface says; another key needs a thought on what it tells
KEYS = {
    "next": {"phase", "trials", "progress", "undo"}, "vote": {"saved", "late", "progress", "undo"},
    "undo": {"trial", "progress", "undo"}, "state": {"phase", "csrf", "study", "consent", "progress", "undo",
        "completion"},
    "practice": {"attempt", "items", "done", "correct", "answer", "reason", "finished", "passed", "again"},
    "finish": {"answers", "completion"},
}  # fmt: skip


class Seen:
    """A sitting: all that came to the browser, and what the database knows of it.

    Attributes:
        replies: (URL, response) of every request.
        trials: what /api/next and /api/undo gave, in order.
        rows: joined rows of assignments and pairs, by assignment.
    """

    def __init__(self, site):
        self.site, self.replies, self.trials = site, [], []
        self.me = Guest(site)
        self.me.client.event_hooks["response"] = [lambda found: self.replies.append((str(found.url), found))]
        self.sit()
        a, p = tables.assignment, tables.pair
        query = (
            select(a.c.id, a.c.gt_side, a.c.is_trap, p).join(p, p.c.id == a.c.pair).where(a.c.participant == self.me.id)
        )
        self.rows = {row[0]: row._mapping for row in site.storage.read(lambda c: c.execute(query).all())}
        self.files = {row["id"]: row["path"] for row in site.rows(tables.image)}

    def sit(self):
        me = self.me.come("welcome")
        me.get("/api/state")
        me.come("consent") if not me.code else None
        items = me.get("/api/practice").json()["items"]
        for item in items:
            me.get(item["a"]), me.get(item["b"])
        me._trials()
        while trials := me.next():
            self.trials += trials
            for side in "ab":
                me.get(trials[0][side])
            me.vote(trials[0], len(self.trials) % 2)
            if len(self.trials) == 12:
                undone = me.post("undo", key="undo-1")["trial"]
                self.trials.append(undone)
                me.vote(undone, 1)
        me.post("problem", kind="script", message="x")
        me.post("finish", comment="thank you")
        for path in ("/", "/api/state", "/image/unknown/a", "/api/nothing"):
            me.get(path)
        for file in sorted(STATIC.iterdir()):
            assert me.get(f"/static/{file.name}").status_code == 200

    def bytes_of(self, image):
        return (self.site.platform.folder / self.files[image]).read_bytes()

    def image(self, url):
        return next(found for one, found in self.replies if one.endswith(url))


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return Seen(Site(make_study(tmp_path_factory.mktemp("blind"), **SITTING)))


def texts(seen):
    """All that is no picture: (where, text), without the opaque ids and codes, which are words by chance."""
    opaque = {trial["assignment"] for trial in seen.trials} | set(seen.me.client.cookies.values()) | {seen.me.csrf}
    opaque |= set(seen.me.code.split())  # words of a list
    for url, found in seen.replies:
        parts = {"url": url, "headers": "\n".join(f"{k}: {v}" for k, v in found.headers.items())}
        if not found.headers.get("content-type", "").startswith("image/png"):
            parts["body"] = found.text
            for own in OWN:
                parts["body"] = parts["body"].replace(own, "")
        for what, text in parts.items():
            for one in sorted(opaque, key=len, reverse=True):
                text = text.replace(one, "")
            yield f"{what} of {url}", re.sub(r"(set-cookie: \w+=)[^;]+", r"\1", text)


def test_nothing_names_a_model_a_file_or_a_pair(seen):
    pairs = seen.site.rows(tables.pair)
    names = {*MODELS, *seen.files, *seen.files.values(), *(Path(path).stem for path in seen.files.values())}
    for row in pairs:
        names |= {row["name"], row["image_id"], row["trap_kind"], row["gt_name"], row["sr_name"]}
    names -= {""}
    assert len(names) > 150 and {"stablesr", "gt/img000.png", "yes_swap", "img003"} <= names
    reasons = {row["reason"] for row in pairs if row["role"] == "practice"}
    count = 0
    for where, text in texts(seen):
        count += 1
        lower = text.lower()
        assert not [name for name in names if name.lower() in lower], where
        if "api/practice" not in where:  # which tells the reason after the answer
            assert not [reason for reason in reasons if reason in text], where
    assert count > 300


def test_nothing_labels_a_side_or_a_trap(seen):
    for where, text in texts(seen):
        found = {match.group(0).lower() for match in LABELS.finditer(text)}
        assert not found, where


def test_pairs_and_traps_look_alike(seen):
    """Same keys, same shape of ids, same headers, and numbers in order."""
    assert Counter(row["is_trap"] for row in seen.rows.values())[True] >= 4
    assert {tuple(sorted(trial)) for trial in seen.trials} == {("a", "assignment", "b", "number")}
    for trial in seen.trials:
        assert re.fullmatch(r"[\w-]{22}", trial["assignment"])
        assert (trial["a"], trial["b"]) == tuple(f"/image/{trial['assignment']}/{side}" for side in "ab")
    shapes = set()
    for url, found in seen.replies:
        if re.search(r"/image/[\w-]{22}/[ab]$", url):
            shapes.add(tuple(name for name in found.headers if name != "set-cookie"))
            assert found.status_code == 200
    assert len(shapes) == 1
    for kind, keys in KEYS.items():
        found = [one.json() for url, one in seen.replies if url.endswith(f"/api/{kind}")]
        assert found and set().union(*found) == keys, kind
    votes = [found.json() for url, found in seen.replies if url.endswith("/api/vote")]
    assert {tuple(sorted(vote)) for vote in votes} == {("late", "progress", "saved", "undo")}  # no feedback


def test_sides_are_what_the_database_says_and_half_and_half(seen):
    left = Counter()
    for trial in {trial["assignment"]: trial for trial in seen.trials}.values():
        row = seen.rows[trial["assignment"]]
        sides = seen.image(trial["a"]).content, seen.image(trial["b"]).content
        wanted = seen.bytes_of(row["gt_image"]), seen.bytes_of(row["sr_image"])
        assert sides == (wanted if row["gt_side"] == "left" else wanted[::-1])
        left[row["gt_side"]] += 1
    count = sum(left.values())
    assert count >= 24 and 0.3 * count <= left["left"] <= 0.7 * count


def test_sides_are_independent_of_the_pair_and_the_person(tmp_path):
    """Over many people: every pair has its GT on both sides, and every person too."""
    site = Site(make_study(tmp_path, trials=10, traps=8, people_quota=10, trap_rate=4, gt_gap=0, votes_per_pair=12))
    people = [site.platform.consent("0" * 64, device=DEVICE)[0] for _ in range(12)]
    site.storage.write(lambda c: c.execute(tables.participant.update().values(passed=True)))
    for who in people:
        for _ in range(12):
            for trial in site.platform.next(who)[0][:1]:
                site.platform.release(who, trial.assignment, "load_error")
    rows = site.rows(tables.assignment)
    share = sum(row["gt_side"] == "left" for row in rows) / len(rows)
    assert len(rows) >= 100 and 0.4 < share < 0.6
    for key in ("participant", "pair"):
        sides = {one: {row["gt_side"] for row in rows if row[key] == one} for one in {row[key] for row in rows}}
        assert sum(len(both) == 2 for both in sides.values()) > 0.8 * len(sides), key


def chunks(data):
    """Kinds of the parts of a PNG file."""
    found, place = [], 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        found.append(data[place + 4 : place + 8])
        place += 12 + length
    assert place == len(data)
    return found


def test_images_hold_pixels_alone_and_come_without_validators(seen):
    kinds = set()
    for url, found in seen.replies:
        if "/image/" in url and found.status_code == 200:
            assert {*chunks(found.content)} == {b"IHDR", b"IDAT", b"IEND"}
            kinds.add(found.content[24:29])  # depth, colour, compression, filter, interlacing
            assert not {"etag", "last-modified", "accept-ranges", "content-disposition", "expires"} & set(found.headers)
            assert len(found.content) == int(found.headers["content-length"])
    assert kinds == {b"\x08\x02\x00\x00\x00"}


def test_one_gt_in_two_trials_cannot_be_told_by_its_address(seen):
    by_image = {}
    for trial in seen.trials:
        row = seen.rows[trial["assignment"]]
        side = "a" if row["gt_side"] == "left" else "b"
        by_image.setdefault(row["image_id"], {})[trial["assignment"]] = trial[side]
    twice = [list(urls.values()) for urls in by_image.values() if len(urls) > 1]
    assert len(twice) >= 4
    for urls in twice:
        first, second = (seen.image(url) for url in urls[:2])
        assert urls[0] != urls[1]
        telling = [dict(found.headers) for found in (first, second)]
        equal = {name for name in telling[0] if telling[0][name] == telling[1].get(name)}
        assert equal.isdisjoint({"etag", "last-modified", "x-request-id", "content-md5", "digest"})
        for header in (
            {"if-none-match": "*"},
            {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"},
            {"range": "bytes=0-9"},
        ):
            again = seen.me.get(urls[0], headers=header)
            assert again.status_code == 200 and again.content == first.content
