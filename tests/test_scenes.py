"""Scenes show what they say they show, in words that the models know."""

from functools import cache

import numpy as np
import pytest

from hlf.images import to_tensor
from hlf.scenes.backgrounds import PHOTOGRAPHS, photograph
from hlf.scenes.objects import CODE_SIDE, code_modules, draw_code, draw_glyph, draw_sign
from hlf.scenes.scene import make_scene, scene_for
from hlf.scenes.vocabulary import (
    COLOURS,
    GLYPHS,
    KINDS,
    LETTERS,
    MAX_LETTERS,
    PLACES,
    WORDS,
    caption_words,
    glyph_classes,
    tokenize,
    vocabulary_size,
)
from hlf.seeds import generator
from hlf.study.simulated.content import _modules

SIZES = (64, 128, 256)


@cache
def scenes(size, count=60):
    return [scene_for(1, "test", i, size) for i in range(count)]


def test_a_scene_depends_on_seed_role_and_number_only():
    first, again = (scene_for(3, "dataset", 5, 96) for _ in range(2))
    assert (first.image == again.image).all() and first.objects == again.objects and first.caption == again.caption
    for other in (scene_for(4, "dataset", 5, 96), scene_for(3, "train", 5, 96), scene_for(3, "dataset", 6, 96)):
        assert not (other.image == first.image).all()


@pytest.mark.parametrize("size", SIZES)
def test_objects_lie_inside_and_apart(size):
    for scene in scenes(size):
        assert scene.image.shape == (size, size, 3) and scene.image.dtype == np.uint8
        assert 1 <= len(scene.objects) <= 3
        cover = np.zeros((size, size), dtype=int)
        for thing in scene.objects:
            left, top, right, bottom = thing.box
            assert 0 <= left < right <= size and 0 <= top < bottom <= size
            cover[top:bottom, left:right] += 1
        assert cover.max() == 1


@pytest.mark.parametrize("size", SIZES)
def test_all_kinds_and_places_occur_and_are_named(size):
    found = scenes(size)
    assert {o.kind for s in found for o in s.objects} == set(KINDS)
    assert {s.place for s in found} == set(PLACES)
    names = {"glyph": set(glyph_classes()), "sign": set(WORDS), "code": {"code"}}
    for scene in found:
        assert scene.caption.endswith(f" on a {scene.place}")
        assert all(o.label in names[o.kind] for o in scene.objects)
        labels = [o.label.lower() for o in sorted(scene.objects, key=lambda o: o.box)]
        places = [scene.caption.find(label) for label in labels]
        assert min(places) >= 0 and places == sorted(places)


def test_captions_become_tokens_whose_end_is_the_highest():
    captions = [s.caption for s in scenes(128)]
    rows = tokenize(captions)
    end = vocabulary_size() - 1
    words = caption_words()
    for caption, row in zip(captions, rows, strict=True):
        assert len(row) == 40 and row[0] == 1 and max(row) == end and row.count(end) == 1
        inner = row[1 : row.index(end)]
        assert " ".join(words[i - 2] for i in inner) == caption
        assert set(row[row.index(end) + 1 :]) <= {0}
    long = tokenize(["a and " * 40], 10)[0]
    assert len(long) == 10 and long[-1] == end
    with pytest.raises(KeyError, match="zebra"):
        tokenize(["a zebra"])


def test_vocabularies_hold_no_name_twice():
    assert len(set(GLYPHS)) == len(GLYPHS) == len(set(glyph_classes())) == 68
    assert len(set(WORDS)) == len(WORDS) and len(set(caption_words())) == len(caption_words())
    assert all(set(w) <= set(LETTERS) and len(w) <= MAX_LETTERS for w in WORDS)
    assert len(set(COLOURS.values())) == len(COLOURS)


@pytest.mark.parametrize("size", SIZES)
def test_codes_read_back_exactly(size):
    found = [(s, o) for s in scenes(size) for o in s.objects if o.kind == "code"]
    assert len(found) >= 2
    for scene, thing in found:
        read = _modules(to_tensor(scene.image), thing.box)
        assert read.shape == (CODE_SIDE**2, 2) and (read.sum(1) == 1).all()
        assert (read[:, 1].reshape(CODE_SIDE, CODE_SIDE) == code_modules(thing.detail)).all()


def test_payloads_differ_and_so_do_their_codes():
    assert (code_modules("12345") != code_modules("12346")).any() and code_modules("00000").shape == (11, 11)


def test_things_are_drawn_in_two_colours_that_differ():
    rng = generator(1, "tiles")
    for _ in range(15):
        for thing in (draw_glyph(rng, 40), draw_sign(rng, 24), draw_code(rng, 3)):
            array = np.asarray(thing.picture()).astype(float)
            grey = array[..., :3] @ [0.299, 0.587, 0.114]
            solid = grey[array[..., 3] == 255]
            assert np.ptp(solid) > 80, (thing.label, thing.detail)
            assert thing.label == "code" or thing.detail in COLOURS


@pytest.mark.parametrize("size", [64, 320, 512, 640])
def test_photographs_smaller_than_a_scene_are_enlarged(size):
    for number in range(len(PHOTOGRAPHS) * 2):
        crop = photograph(generator(number, "photo"), size)
        assert crop.shape == (size, size, 3) and crop.std() > 1


def test_large_scenes_can_be_drawn():
    assert make_scene(generator(1, "large"), 512).image.shape == (512, 512, 3)
