"""Planted edits change what they say, where they say; scenes are the same bytes as ever."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.iqa.sharpness import sharpness
from hlf.scenes import edits, texture
from hlf.scenes.edits import KINDS, SINGLE, TEXTURE, planted_edit, planted_edits
from hlf.scenes.objects import Glyph, Sign, Warped
from hlf.scenes.scene import draw, plan_scene, scene_for
from hlf.seeds import generator

WAYS = [way for ways in KINDS.values() for way in ways]
# of the scenes below, taken before scenes were drawn from plans: the mini zoo was trained on them
SCENES = "6d0a180f039cfecfe43fbef352c2fd7589de3cc13ba9d8bfaf622763f8220a90"


def inside(edit):
    mask = np.zeros(edit.before.shape[:2], dtype=bool)
    for left, top, right, bottom in edit.boxes:
        mask[top:bottom, left:right] = True
    return mask


def differs(edit):
    return (edit.before != edit.after).any(-1)


def test_scenes_are_the_same_bytes_as_ever():
    digest = hashlib.sha256()
    for size, share in ((64, (0.2, 0.55)), (128, (0.35, 0.75)), (128, (0.2, 0.55)), (256, (0.2, 0.55))):
        for number in range(40):
            scene = scene_for(42, "dataset", number, size, share)
            digest.update(scene.image.tobytes())
            digest.update(repr((scene.objects, scene.caption, scene.place)).encode())
    assert digest.hexdigest() == SCENES


@pytest.mark.parametrize("way", SINGLE)
@pytest.mark.parametrize("size", [64, 128])
def test_an_edit_of_one_object_changes_its_box_and_nothing_else(way, size):
    for number in range(6):
        edit = planted_edit(5, way, number, size)
        assert edit.before.shape == edit.after.shape == (size, size, 3) and edit.before.dtype == np.uint8
        (left, top, right, bottom) = edit.boxes[0]
        assert len(edit.boxes) == 1 and 0 <= left < right <= size and 0 <= top < bottom <= size
        assert edit.changed == 1 and not differs(edit)[~inside(edit)].any()
        assert differs(edit).sum() >= 8


def test_holistic_edits_change_every_object_or_all_around_them():
    for number in range(8):
        edit = planted_edit(5, "objects", number, 128)
        assert len(edit.boxes) >= 2 and not differs(edit)[~inside(edit)].any()
        for left, top, right, bottom in edit.boxes:
            assert differs(edit)[top:bottom, left:right].any()
        place = planted_edit(5, "place", number, 128)
        assert place.boxes == ((0, 0, 128, 128),) and 0.2 < differs(place).mean() < 1


def test_texture_only_edits_leave_the_content():
    for edit in planted_edits(5, TEXTURE, 9, 128):
        assert edit.changed == 0 and edit.boxes == ()
        gap = np.abs(edit.before.astype(float) - edit.after)
        assert 0.3 < gap.mean() < 15, edit.way
    sharp = planted_edit(5, "sharpening", 0, 128)
    assert sharpness(sharp.after) > sharpness(sharp.before)
    contrast = planted_edit(5, "contrast", 0, 128)
    assert contrast.after.std() != pytest.approx(contrast.before.std(), rel=0.03)


@pytest.mark.parametrize("way", WAYS)
def test_edits_depend_on_seed_way_and_number_only(way):
    first, again = (planted_edit(3, way, 2, 64) for _ in range(2))
    assert (first.before == again.before).all() and (first.after == again.after).all() and first.boxes == again.boxes
    for other in (planted_edit(4, way, 2, 64), planted_edit(3, way, 1, 64)):
        assert (first.before != other.before).any()


def test_ways_of_a_kind_take_turns():
    for kind, ways in KINDS.items():
        made = planted_edits(1, kind, 2 * len(ways), 64)
        assert [edit.way for edit in made] == [*ways, *ways] and {edit.kind for edit in made} == {kind}
        assert len({edit.before.tobytes() for edit in made}) == len(made)


@given(st.integers(0, 10_000))
def test_a_sign_changes_in_one_letter_and_keeps_its_plate(seed):
    rng = generator(seed, "letters")
    plan = plan_scene(rng, 128)
    found = edits._CHANGES["letter"](plan, rng, 128)
    if found is None:
        return
    pairs = [(a, b) for (a, _), (b, _) in zip(found[0].things, found[1].things, strict=True) if a != b]
    ((old, new),) = pairs
    assert isinstance(old, Sign) and old.plate == new.plate and len(old.word) == len(new.word)
    assert sum(a != b for a, b in zip(old.word, new.word, strict=True)) == 1
    assert old.picture().size == new.picture().size


@given(st.integers(0, 10_000))
def test_a_swapped_pictogram_keeps_badge_and_colours(seed):
    rng = generator(seed, "glyphs")
    old = Glyph("★", 30, "white", "red", 0)
    new = edits._swapped(old, rng)
    assert new.glyph != old.glyph and (new.side, new.plate, new.ink, new.shape) == (30, "white", "red", 0)


def test_a_warped_thing_keeps_name_and_size_and_loses_its_form():
    glyph = Glyph("★", 40, "white", "red", 2)
    warped = Warped(glyph, 0.0, 0.16)
    assert (warped.kind, warped.label, warped.detail) == (glyph.kind, glyph.label, glyph.detail)
    a, b = (np.asarray(thing.picture()).astype(int) for thing in (glyph, warped))
    assert a.shape == b.shape and np.abs(a - b).mean() > 10
    assert (np.asarray(Warped(glyph, 0.0, 0.0).picture()) == np.asarray(glyph.picture())).all()


def test_a_plan_without_things_is_its_background():
    plan = plan_scene(generator(1, "plan"), 64)
    assert (draw(type(plan)(plan.background, plan.place, ())).image == plan.background).all()


def test_what_cannot_be_planted_is_told(monkeypatch):
    with pytest.raises(HlfError, match="'letters' is unknown, expected one of letter, payload"):
        planted_edit(1, "letters", 0, 64)
    with pytest.raises(HlfError, match="'texture' is unknown, expected one of details"):
        planted_edits(1, "texture", 1, 64)
    monkeypatch.setattr(edits, "TRIES", 1)
    with pytest.raises(HlfError, match=r"no scene of 64 pixels with pictograms of \(0.2, 0.55\) of its side holds"):
        for number in range(50):  # one scene in twenty holds a code
            planted_edit(1, "payload", number, 64)


@given(st.integers(0, 8), st.integers(0, 1000))
def test_a_moved_picture_is_the_same_farther_right_and_down(pixels, seed):
    image = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    found = texture.moved(image, pixels)
    assert found.shape == image.shape
    assert (found[pixels:, pixels:] == image[: 20 - pixels, : 24 - pixels]).all()


def test_mild_changes_are_of_the_stated_strength():
    scene = scene_for(1, "mild", 0, 128)
    flat = np.full((128, 128, 3), 128, dtype=np.uint8)
    noise = texture.noisy(flat, 4.0, generator(1, "noise")).astype(float) - 128
    assert noise.std() == pytest.approx(4, rel=0.05) and (noise[..., 0] == noise[..., 1]).all()
    assert sharpness(texture.blurred(scene.image, 1.0)) < sharpness(texture.blurred(scene.image, 0.5))
    gaps = [np.abs(texture.compressed(scene.image, q).astype(float) - scene.image).mean() for q in (95, 60, 20)]
    assert gaps == sorted(gaps) and gaps[0] < 4
