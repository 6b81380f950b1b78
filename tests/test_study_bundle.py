"""The bundle of a study: images without a trace of their side, traps that are fair, refusals of whatever is wrong."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from hlf.columns import TABLES, conform, pair_id
from hlf.errors import HlfError
from hlf.images import encode_png, read_image
from hlf.scenes.scene import scene_for
from hlf.study.choice import sitting
from hlf.study.shown import bundle_writer
from hlf.study.shown.bundle import read_bundle
from hlf.study.shown.bundle_writer import NAME, write_bundle
from hlf.study.shown.gallery import Gallery
from hlf.study.shown.traps import pool_size, traps_for

FACTS = {"run": "t", "scale": "mini", "seed": 42, "config_hash": "abc", "more": "is not written"}
MODELS = ("bsrgan", "seesr")


def pairs_of(images):
    rows = [(name, 0.3, model) for name in images for model in MODELS]
    table = pd.DataFrame(rows, columns=["image_id", "level", "model"])
    table["pair_id"] = [pair_id(*row) for row in rows]
    table["gt_path"] = [f"images/gt/{name}.png" for name, _, _ in rows]
    table["sr_path"] = [f"sr/{model}/{name}.png" for name, _, model in rows]
    return conform(table.assign(run="t", similarity=0.5, bin=0, seed=1, lr_path="lr.png"), "pairs")


def save(path, pixels, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **kwargs)


def save_run(root, pictures):
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "made by a model")
    for number, (name, pixels) in enumerate(pictures.items()):
        save(root / f"images/gt/{name}.png", pixels, dpi=(72, 72))
        for model in MODELS:
            rng = np.random.default_rng(number)
            sr = np.clip(pixels + rng.normal(0, 9, pixels.shape), 0, 255).astype(np.uint8)
            save(root / f"sr/{model}/{name}.png", sr, pnginfo=text)
    return pairs_of(pictures)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Root and pairs of a run on seven small pictures that are no squares."""
    root = tmp_path_factory.mktemp("photographs")
    coarse = np.random.default_rng(3).integers(0, 256, (7, 4, 6, 3), dtype=np.uint8)
    return root, save_run(root, {f"p{i}": np.kron(c, np.ones((9, 9, 1), np.uint8)) for i, c in enumerate(coarse)})


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Root, pairs and content of a run on eight scenes."""
    root = tmp_path_factory.mktemp("scenes")
    drawn = {f"s{i}": scene_for(5, "dataset", i, 128, (0.35, 0.75)) for i in range(8)}
    things = [(name, t.kind, t.label, *t.box, t.detail) for name, scene in drawn.items() for t in scene.objects]
    content = pd.DataFrame(things, columns=list(TABLES["content"]))
    return root, save_run(root, {name: scene.image for name, scene in drawn.items()}), content


@pytest.fixture(scope="module")
def written(photographs, tmp_path_factory):
    """A bundle of photographs; tests that change it copy it first."""
    root, pairs = photographs
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(folder, pairs, root, FACTS, {"people_quota": 60, "min_css_px": 300})
    return folder


@pytest.fixture(scope="module")
def of_scenes(scenes, tmp_path_factory):
    root, pairs, content = scenes
    folder = tmp_path_factory.mktemp("bundle_of_scenes")
    write_bundle(folder, pairs, root, FACTS, {}, content)
    return folder


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written, tmp_path / "bundle")


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def pixels_of(bundle, name):
    return read_image(bundle.folder / "images" / name)


def distance(a, b):
    return float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))


# what is shown


def test_images_are_the_pipelines_to_the_pixel_and_carry_nothing_else(written, photographs):
    root, pairs = photographs
    bundle = read_bundle(written)
    trials = {p.pair_id: p for p in bundle.pairs if p.role == "trial"}
    assert set(trials) == set(pairs["pair_id"])
    for row in pairs.itertuples():
        shown = trials[row.pair_id]
        assert (shown.model, shown.level, shown.image_id, shown.answer) == (row.model, "0.3", row.image_id, -1)
        assert (shown.gt_name, shown.sr_name) == (row.gt_path, row.sr_path)
        for file, path in ((shown.gt_file, row.gt_path), (shown.sr_file, row.sr_path)):
            assert (pixels_of(bundle, file) == read_image(root / path)).all()
            data = (written / "images" / file).read_bytes()
            assert not any(word in data for word in (b"tEXt", b"pHYs", b"made by"))
            assert data[:41].count(b"IHDR") == 1 and data[-8:-4] == b"IEND"


def test_names_tell_nothing_and_every_side_has_its_own(written, photographs):
    rows = read_bundle(written).pairs
    names = [name for row in rows for name in (row.gt_file, row.sr_file)]
    assert len(set(names)) == len(names) == len(list((written / "images").iterdir()))
    assert all(NAME.fullmatch(name) for name in names)
    for row in rows:
        for word in (row.pair_id, row.image_id, row.model or "trap", "0.3"):
            assert word not in row.gt_file + row.sr_file
    twice = [row.gt_file for row in rows if row.image_id == "p0" and row.role == "trial"]
    assert len(twice) == len(MODELS)
    assert len({(written / "images" / name).read_bytes() for name in twice}) == 1


def test_equal_arguments_give_equal_bytes_and_another_seed_other_names(written, photographs, tmp_path):
    root, pairs = photographs
    settings = {"people_quota": 60, "min_css_px": 300}
    write_bundle(tmp_path / "again", pairs.sample(frac=1, random_state=1), root, FACTS, settings)
    assert files(tmp_path / "again") == files(written)
    write_bundle(tmp_path / "other", pairs, root, FACTS | {"seed": 43}, settings)
    assert not set(files(tmp_path / "other" / "images")) & set(files(written / "images"))


def test_study_json_says_what_was_set(written):
    found = json.loads((written / "study.json").read_text())
    assert found == {
        "format": 1, "source": "human", "settings": {"people_quota": 60, "min_css_px": 300},
        **{name: FACTS[name] for name in ("run", "scale", "seed", "config_hash")},
    }  # fmt: skip
    bundle = read_bundle(written)
    assert bundle.seed == 42 and bundle.facts["source"] == "human" and bundle.settings == found["settings"]


def test_rows_for_the_database(written):
    bundle = read_bundle(written)
    images, pairs = bundle.image_rows("one"), bundle.pair_rows("one", 12)
    ids = {row["id"] for row in images}
    assert len(ids) == len(images) == 2 * len(pairs)
    # an id is the key of a table that all studies of a database share
    assert not ids & {row["id"] for row in bundle.image_rows("two")}
    assert all({row["gt_image"], row["sr_image"]} <= ids for row in pairs)
    assert {(row["role"], row["target"]) for row in pairs} == {("trial", 12), ("trap", 0), ("practice", 0)}
    assert {(row["width"], row["height"]) for row in images} == {(54, 36)}


def test_many_images_go_to_sub_folders(photographs, written, tmp_path, monkeypatch):
    root, pairs = photographs
    monkeypatch.setattr(bundle_writer, "FOLDER_LIMIT", 20)
    shutil.copytree(written, tmp_path / "b")
    write_bundle(tmp_path / "b", pairs, root, FACTS, {"people_quota": 60})
    names = [row.gt_file for row in read_bundle(tmp_path / "b").pairs]
    assert all(name[:3] == f"{name[3:5]}/" for name in names)
    assert not list((tmp_path / "b/images").glob("*.png"))


# traps and practice


def known(bundle, role):
    return [row for row in bundle.pairs if row.role == role]


@pytest.mark.parametrize("source", ["written", "of_scenes"])
def test_traps_are_half_yes_half_no_and_mean_it(source, request):
    bundle = read_bundle(request.getfixturevalue(source))
    found = known(bundle, "trap")
    assert len(found) == 16 and sum(row.answer for row in found) == 8
    kinds = {"no_identical", "no_lowlevel", "yes_swap"} | ({"yes_planted"} if source == "of_scenes" else set())
    assert {row.trap_kind for row in found} == kinds
    for row in found:
        gt, sr = (pixels_of(bundle, name) for name in (row.gt_file, row.sr_file))
        assert (
            row.trap_kind.startswith(("no", "yes")[row.answer])
            and row.pair_id.split("_")[1] == ("no", "yes")[row.answer]
        )
        if row.trap_kind == "no_identical":
            assert (gt == sr).all()
            assert bundle.pictures[row.gt_file].sha256 != bundle.pictures[row.sr_file].sha256
        elif row.trap_kind == "no_lowlevel":
            assert 0 < distance(gt, sr) < 30
        else:
            assert distance(gt, sr) > 12 and row.answer == 1
    assert {row.reason.split(" ")[1] for row in found if row.trap_kind == "no_lowlevel"} >= {"is", "has"}


def test_swapped_scenes_share_nothing(of_scenes, scenes):
    content = scenes[2]
    labels = {name: set(own["label"]) for name, own in content.groupby("image_id")}
    swaps = [row for row in known(read_bundle(of_scenes), "trap") if row.trap_kind == "yes_swap"]
    assert len(swaps) == 4
    for row in swaps:
        other = row.sr_name.removeprefix("images/gt/").removesuffix(".png")
        assert other != row.image_id and not labels[row.image_id] & labels[other]
    # the same picture in every trap would give traps away
    assert len({row.sr_name for row in swaps}) == len(swaps)


def test_planted_changes_are_scenes_of_their_own(of_scenes):
    bundle = read_bundle(of_scenes)
    planted = [row for row in bundle.pairs if row.image_id == row.pair_id]
    assert len(planted) == 4 + 3
    pictures = [bundle.pictures[name].sha256 for row in planted for name in (row.gt_file, row.sr_file)]
    assert len(set(pictures)) == len(pictures)


def test_a_stranger_shares_no_content_even_if_it_looks_nearer(tmp_path):
    pictures = {
        name: np.full((8, 8, 3), grey, np.uint8) for name, grey in zip("abcde", (0, 50, 200, 250, 3), strict=True)
    }
    pairs = save_run(tmp_path, pictures)
    rows = [("a", "LIFT"), ("a", "sun"), ("b", "TAXI"), ("c", "LIFT"), ("d", "sun"), ("d", "star"), ("e", "moon")]
    content = pd.DataFrame(rows, columns=["image_id", "label"]).assign(kind="glyph")
    for why in ("first", "second"):
        assert Gallery(pairs, tmp_path, content, 42).stranger("a", why) == "b"
    assert Gallery(pairs, tmp_path, None, 42).stranger("a", "photograph") == "d"


def test_two_pictures_of_one_scene_are_no_swap(tmp_path):
    pairs = save_run(tmp_path, {"a": np.full((8, 8, 3), 90, np.uint8), "b": np.full((8, 8, 3), 97, np.uint8)})
    with pytest.raises(HlfError, match="no GT image of the 2 in the study has the size of a and shows another scene"):
        Gallery(pairs, tmp_path, None, 42).stranger("a", "trap")


@given(st.integers(1, 400), st.integers(4, 20), st.integers(1, 10**6))
def test_a_pool_is_enough_for_every_person(quota, rate, person):
    answers = list(sitting(42, person, quota, rate).values())
    assert max(answers.count(0), answers.count(1)) <= pool_size(quota, rate) / 2
    assert traps_for(quota, rate) <= pool_size(quota, rate) >= 16


@pytest.mark.parametrize("source", ["written", "of_scenes"])
def test_practice_has_three_changes_and_two_that_only_look_like_one(source, request):
    bundle = read_bundle(request.getfixturevalue(source))
    found = known(bundle, "practice")
    assert [row.pair_id for row in found] == [f"practice_{i}" for i in range(1, 7)]
    assert [row.answer for row in found] != sorted(row.answer for row in found)
    assert all(row.reason.endswith(".") for row in found)
    assert len({row.reason for row in found if row.answer == 0}) == 3
    far = {
        a: [distance(*(pixels_of(bundle, n) for n in (r.gt_file, r.sr_file))) for r in found if r.answer == a]
        for a in (0, 1)
    }
    assert len(far[1]) == 3 and min(far[1]) > 5
    assert sorted(d > 0 for d in far[0]) == [False, True, True]
    # scenes plant one change of every kind, made for the pair; photographs have no such thing
    assert len({r.reason for r in found if r.answer and r.image_id == r.pair_id}) == (3 if source == "of_scenes" else 0)


# writing that fails or is cut off


def test_a_killed_write_is_no_bundle_and_the_next_goes_on(photographs, written, tmp_path, monkeypatch):
    root, pairs = photographs
    folder, calls = tmp_path / "b", []

    def dying(array):
        calls.append(1)
        if len(calls) > 20:
            raise KeyboardInterrupt
        return encode_png(array)

    monkeypatch.setattr(bundle_writer, "encode_png", dying)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(folder, pairs, root, FACTS, {"people_quota": 60, "min_css_px": 300})
    monkeypatch.undo()
    with pytest.raises(HlfError, match=r"study\.json does not exist"):
        read_bundle(folder)
    kept = {p.name: p.stat().st_mtime_ns for p in (folder / "images").iterdir()}
    assert len(kept) >= 20
    spoiled = folder / "images" / min(kept)
    spoiled.write_bytes(spoiled.read_bytes()[:-20])
    write_bundle(folder, pairs, root, FACTS, {"people_quota": 60, "min_css_px": 300})
    assert files(folder) == files(written)
    same = [name for name, time in kept.items() if (folder / "images" / name).stat().st_mtime_ns == time]
    assert len(same) == len(kept) - 1


def test_a_write_killed_at_its_end_leaves_no_bundle_of_two_runs(photographs, copied, monkeypatch):
    root, pairs = photographs

    def dying(path, value):
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle_writer, "write_json", dying)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(copied, pairs, root, FACTS | {"seed": 1}, {})
    with pytest.raises(HlfError, match=r"study\.json does not exist"):
        read_bundle(copied)


def test_images_of_an_earlier_call_go_and_others_stay(photographs, copied):
    root, pairs = photographs
    (copied / "images/mine.png").write_bytes(b"the owner's")
    write_bundle(copied, pairs, root, FACTS | {"seed": 1}, {})
    bundle = read_bundle(copied)
    assert {p.name for p in (copied / "images").iterdir()} == {*bundle.pictures, "mine.png"}


def test_gt_and_sr_of_different_size_are_refused(photographs, tmp_path):
    root, pairs = photographs
    row = pairs.iloc[3]
    shutil.copytree(root, tmp_path / "run")
    save(tmp_path / "run" / row["sr_path"], np.zeros((36, 53, 3), np.uint8))
    with pytest.raises(HlfError, match=f"pair {row['pair_id']}: GT is 54x36 and SR is 53x36 pixels"):
        write_bundle(tmp_path / "b", pairs, tmp_path / "run", FACTS, {})
    assert not (tmp_path / "b/study.json").exists()


def test_missing_and_broken_images_are_refused(photographs, tmp_path):
    root, pairs = photographs
    shutil.copytree(root, tmp_path / "run")
    path = tmp_path / "run" / pairs["sr_path"].iloc[0]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(HlfError, match=r"bsrgan/p0\.png cannot be decoded"):
        write_bundle(tmp_path / "b", pairs, tmp_path / "run", FACTS, {})
    path.unlink()
    with pytest.raises(HlfError, match=r"bsrgan/p0\.png cannot be opened: No such file"):
        write_bundle(tmp_path / "b", pairs, tmp_path / "run", FACTS, {})


def test_what_cannot_become_a_study_is_refused(photographs, tmp_path):
    root, pairs = photographs
    with pytest.raises(HlfError, match="no GT image of the 1 in the study has the size of p0"):
        write_bundle(tmp_path / "b", pairs[pairs["image_id"] == "p0"], root, FACTS, {})
    with pytest.raises(HlfError, match="there is no pair to show"):
        write_bundle(tmp_path / "b", pairs.head(0), root, FACTS, {})
    with pytest.raises(HlfError, match="study setting undo is 4"):
        write_bundle(tmp_path / "b", pairs, root, FACTS, {"undo": 4})
    (tmp_path / "file").write_text("a folder cannot be made here")
    with pytest.raises(HlfError, match=r"cannot write .* Not a directory"):
        write_bundle(tmp_path / "file/b", pairs, root, FACTS, {})


# reading


def edit(folder, change):
    """Rewrite pairs.csv with its rows, dictionaries of text, changed in place."""
    path = folder / "pairs.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = change(rows) or rows
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def role(rows, name):
    return next(row for row in rows if row["role"] == name)


def test_an_owner_may_drop_traps_and_add_pairs(copied):
    own = np.full((36, 54, 3), 7, np.uint8)
    (copied / "images/mine").mkdir()
    (copied / "images/mine/trap.png").write_bytes(encode_png(own))

    def change(rows):
        more = {
            **role(rows, "trap"),
            "pair_id": "my trap",
            "sr_file": "mine/trap.png",
            "answer": "1",
            "trap_kind": "own",
        }
        return [row for row in rows if row["pair_id"] not in ("trap_no_01", "trap_yes_02")] + [more]

    edit(copied, change)
    bundle = read_bundle(copied)
    assert (bundle.pairs[-1].pair_id, bundle.pairs[-1].answer) == ("my trap", 1)
    assert len(known(bundle, "trap")) == 15
    assert (bundle.pictures["mine/trap.png"].width, bundle.pictures["mine/trap.png"].height) == (54, 36)


def cell(kind, **cells):
    return lambda rows: role(rows, kind).update(cells)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (cell("trial", answer="1"), r"row 2 \(p0@0.3@bsrgan\): answer is '1', allowed for a trial is -1"),
        (cell("trap", answer="banana"), "answer is 'banana', allowed for a trap is 0 or 1"),
        (cell("practice", answer="-1"), "answer is '-1', allowed for a practice is 0 or 1"),
        (cell("trial", role="gold"), "row 2: role is 'gold', allowed is one of trial, trap, practice"),
        (cell("trial", pair_id=" "), "row 2: pair_id is empty"),
        (cell("trial", model=""), "a trial needs model and level"),
        (cell("practice", reason=""), "a practice pair needs a reason"),
        (cell("trial", gt_file="gone.png"), r"gone\.png of pair p0@0.3@bsrgan cannot be opened"),
        (cell("trial", gt_file="../study.json"), "expected the path of a file below images/"),
        (cell("trial", sr_file="/etc/hostname"), "expected the path of a file below images/"),
        (cell("trial", sr_file="a\\b.png"), "expected the path of a file below images/"),
        (cell("trial", sr_file="./b.png"), "expected the path of a file below images/"),
        (lambda rows: rows[0].update(sr_file=rows[0]["gt_file"]), "gt_file and sr_file are the same file"),
        (lambda rows: rows[1].update(pair_id=rows[0]["pair_id"]), "names pair p0@0.3@bsrgan more than once"),
        (lambda rows: [r for r in rows if r["role"] != "trial"], "holds no pair of role trial"),
        (lambda rows: [r for r in rows if r["trap_kind"] != "yes_swap"], "0 traps with the answer yes and 8 with no"),
        (lambda rows: [r for r in rows if r["role"] != "trap"], "a person who answers 14 pairs meets 8 traps"),
        (lambda rows: [r for r in rows if not r["pair_id"].endswith(("_3", "_4"))], "holds 4 practice pairs, but 5"),
        (lambda rows: [{k: v for k, v in r.items() if k != "answer"} for r in rows], "lacks columns answer"),
    ],
)
def test_a_wrong_row_is_told(copied, change, sentence):
    edit(copied, change)
    with pytest.raises(HlfError, match=sentence):
        read_bundle(copied)


def test_settings_of_the_owner_decide_how_much_is_needed(copied):
    edit(copied, lambda rows: [r for r in rows if not r["pair_id"].endswith(("_3", "_4"))])
    read_bundle(copied, {"practice_pass": 4})
    edit(copied, lambda rows: [r for r in rows if r["role"] == "trial"])
    read_bundle(copied, {"practice_pass": 0, "people_quota": 3})
    with pytest.raises(HlfError, match="study setting minutes is 0"):
        read_bundle(copied, {"minutes": 0})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pair_id,role\n", "lacks columns image_id, level"),
        ("", "lacks columns pair_id"),
        (None, r"pairs\.csv does not exist"),
    ],
)
def test_a_table_that_is_none_is_told(copied, text, sentence):
    if text is None:
        (copied / "pairs.csv").unlink()
    else:
        (copied / "pairs.csv").write_text(text)
    with pytest.raises(HlfError, match=sentence):
        read_bundle(copied)


def test_rows_of_another_length_and_encoding_are_told(copied):
    text = (copied / "pairs.csv").read_text(encoding="utf8")
    (copied / "pairs.csv").write_text(text.replace("bsrgan,", "bsrgan,,", 1), encoding="utf8")
    with pytest.raises(HlfError, match="row 2 has another number of cells than the header"):
        read_bundle(copied)
    (copied / "pairs.csv").write_text(text.replace("both", "b\xf6th"), encoding="latin1")
    with pytest.raises(HlfError, match="cannot be read as CSV in UTF-8"):
        read_bundle(copied)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "has format 2, this version of hlf reads 1"),
        ({"seed": "42"}, "seed is '42', expected a value of type int"),
        ({"settings": {"colour": 1}}, "'colour' is unknown"),
        ({"run": None}, "run is None, expected a value of type str"),
    ],
)
def test_a_wrong_study_json_is_told(copied, change, sentence):
    path = copied / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HlfError, match=sentence):
        read_bundle(copied)


def test_images_of_different_size_and_links_that_lead_out_are_refused(copied, tmp_path):
    pair = read_bundle(copied).pairs[0]
    target = copied / "images" / pair.sr_file
    data = target.read_bytes()
    target.write_bytes(encode_png(np.zeros((36, 55, 3), np.uint8)))
    with pytest.raises(HlfError, match=f"pair {pair.pair_id} shows .* of 54x36 beside .* of 55x36 pixels"):
        read_bundle(copied)
    (tmp_path / "outside.png").write_bytes(data)
    target.unlink()
    target.symlink_to(tmp_path / "outside.png")
    with pytest.raises(HlfError, match="leads out of"):
        read_bundle(copied)
