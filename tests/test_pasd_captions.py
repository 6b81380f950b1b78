"""Captions of PASD: from the captioner or a file, found once, in prompts and in the result table."""

import functools

import pandas as pd
import pytest
import torch

import diffusion_helpers
from diffusion_helpers import lr_batch
from hlf.errors import HlfError
from hlf.sr.diffusion import captioner
from hlf.sr.diffusion.captions import read_captions
from hlf.sr.folder import FolderRun, upscale_folder
from hlf.sr.run import upscale_images
from hlf.zoo.registry import needed, with_needs
from pasd_helpers import WORDS, tiny_pasd_zoo
from sr_helpers import lr_table

load = functools.partial(diffusion_helpers.load, "pasd")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_pasd_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def own_zoo(tmp_path):
    """A zoo that a test may spoil."""
    return tiny_pasd_zoo(tmp_path / "zoo")


def captions_file(path, rows, columns=("image_id", "caption")):
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False)
    return str(path)


def test_prompt_and_caption_stand_in_the_table_and_the_captioner_runs_once(zoo, tmp_path):
    table, model = lr_table(tmp_path, ["a", "b"]), load(zoo)
    sr, _, _ = upscale_images(table, tmp_path, model, 42, "t", "k")
    reader = model.captions.captioner
    assert reader.runs == 2
    for caption, prompt in zip(sr["tags"], sr["prompt"], strict=True):
        assert caption and set(caption.split()) <= {*WORDS, "clear", "clean"}
        assert prompt == f"{caption} clean, high-resolution, 8k"
    assert not {"blurry", "noisy"} & set(" ".join(sr["prompt"]).split())
    # a later process keeps the pictures and knows their texts without asking anew
    later = load(zoo)
    again, seconds, _ = upscale_images(table, tmp_path, later, 42, "t", "k")
    assert again.equals(sr) and len(seconds) == 0 and later.captions.captioner.runs == 0
    for path in (tmp_path / "sr").rglob("*.texts"):
        path.write_text("{")
    again, seconds, _ = upscale_images(table, tmp_path, later, 42, "t", "k")
    assert again.equals(sr) and len(seconds) == 0 and later.captions.captioner.runs == 2


def test_a_file_of_captions_gives_what_the_captioner_gives(zoo, tmp_path):
    table = lr_table(tmp_path / "one", ["a", "b"])
    lr_table(tmp_path / "two", ["a", "b"])
    sr, _, _ = upscale_images(table, tmp_path / "one", load(zoo), 42, "t", "k")
    path = captions_file(tmp_path / "captions.csv", list(zip(sr["image_id"], sr["tags"], strict=True)))
    given, _, failures = upscale_images(table, tmp_path / "two", load(zoo, captions=path), 42, "t", "k")
    assert (
        failures.empty and list(given["sha256"]) == list(sr["sha256"]) and list(given["prompt"]) == list(sr["prompt"])
    )


def test_a_run_with_captions_needs_no_captioner(own_zoo, tmp_path):
    for path in (own_zoo / "coca").iterdir():
        path.unlink()
    with pytest.raises(HlfError, match="zoo 'mini' lacks the weights of 'coca'"):
        load(own_zoo)
    assert load(own_zoo, information="none").texts(lr_batch(1)) == [("clean, high-resolution, 8k", "")]
    captions = captions_file(
        tmp_path / "c.csv", [("a", 0.3, "a star"), ("a", 0.7, "a cat")], ("image_id", "level", "caption")
    )
    model = load(own_zoo, captions=captions)
    model.introduce(lr_batch(1)[0], "a", 0.7)
    assert model.texts(lr_batch(1)) == [("a cat clean, high-resolution, 8k", "a cat")]
    assert needed("mini", "pasd", {"captions": captions}) == needed("mini", "pasd", {"information": "none"})
    assert needed("official", "pasd", {}) == with_needs("official", "pasd") == ["pasd", "sd15", "coca"]


def test_a_missing_caption_costs_its_image_and_says_so(zoo, tmp_path):
    table = lr_table(tmp_path, ["a", "b"])
    captions = captions_file(tmp_path / "c.csv", [("b", "a star")])
    sr, _, failures = upscale_images(table, tmp_path, load(zoo, captions=captions), 42, "t", "k")
    assert list(sr["image_id"]) == ["b"] and list(failures["image_id"]) == ["a"]
    assert failures["reason"][0] == f"{captions} has no caption for image 'a' at level 0.3; add a row"


def test_a_changed_caption_makes_the_picture_anew(zoo, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    lr_table(source, ["a"])
    captions, hashes = tmp_path / "c.csv", []
    for text in ("a star", "a star", "a cat"):
        captions_file(captions, [("a", text)])
        model = load(zoo, captions=str(captions))
        table, failures = upscale_folder(source / "degradation/0.3", target, model, FolderRun())
        assert failures.empty
        hashes.append((table["sha256"][0], table["prompt"][0]))
    assert hashes[0] == hashes[1] != hashes[2] and hashes[2][1].startswith("a cat ")


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ([("a", "x")], ("image", "caption"), "has no column 'image_id', expected image_id, caption"),
        ([("a", "x"), ("a", "y")], ("image_id", "caption"), "has two captions for image 'a'"),
    ],
)
def test_wrong_files_of_captions_are_refused(tmp_path, rows, columns, words):
    with pytest.raises(HlfError, match=words):
        read_captions(tmp_path / captions_file(tmp_path / "c.csv", rows, columns))


def test_equal_images_must_have_equal_captions(zoo, tmp_path):
    model = load(zoo, captions=captions_file(tmp_path / "c.csv", [("a", "x"), ("b", "y"), ("c", "x")]))
    with pytest.raises(HlfError, match="the name of this image was not told"):
        model.upscale(lr_batch(1), [1])
    image = lr_batch(1)[0]
    model.introduce(image, "a", 0.3)
    model.introduce(image, "c", 0.3)
    with pytest.raises(HlfError, match="gives image 'b' another caption than an equal image has"):
        model.introduce(image, "b", 0.3)


def test_search_on_a_language_that_is_known_by_heart():
    """Next tokens by a fixed table: the search must find the sentence of the highest mean score."""
    start, end = 1, 9

    def logits_of(beams):
        logits = torch.full((len(beams), 10), -5.0)
        for row, ids in enumerate(beams.tolist()):
            sentence = [1, 2, 3, 4, 5, 6, 9]
            if ids == sentence[: len(ids)]:
                logits[row, sentence[len(ids)]] = 3.0
        return logits

    assert captioner.search(logits_of, start, end) == [1, 2, 3, 4, 5, 6, 9]

    def endless(beams):
        logits = torch.zeros(len(beams), 10)
        logits[:, 2], logits[:, 9] = 5.0, -50.0
        return logits

    assert captioner.search(endless, start, end) == [1] + [2] * (captioner.LONGEST - 1)
    # an end token is not allowed before the shortest length, however much it is wanted
    eager = captioner.search(lambda beams: torch.eye(10)[9].repeat(len(beams), 1) * 9, start, end)
    assert len(eager) == captioner.SHORTEST + 1 and eager[-1] == end


def test_words_of_another_captioner_are_refused(own_zoo):
    (own_zoo / "coca/words.txt").write_text("a\nb")
    with pytest.raises(HlfError, match=r"words.txt holds 2 tokens, expected 11 for .*model.safetensors"):
        load(own_zoo)
