"""PASD: options, captions, seeds, tiles, texts, weights, and what goes into the result table."""

import json

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from hlf.config import SCHEMA
from hlf.errors import HlfError
from hlf.files import read_json, write_json
from hlf.images import from_tensor, to_tensor
from hlf.sr.diffusion import captioner, sizes
from hlf.sr.diffusion.captions import read_captions
from hlf.sr.folder import FolderRun, upscale_folder
from hlf.sr.pasd import OPTIONS
from hlf.sr.registry import load_upscaler
from hlf.sr.run import upscale_images
from hlf.zoo.registry import find_all_weights, needed, with_needs
from pasd_helpers import WORDS, tiny_pasd_zoo
from sr_helpers import lr_table, picture


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_pasd_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def own_zoo(tmp_path):
    """A zoo that a test may spoil."""
    return tiny_pasd_zoo(tmp_path / "zoo")


def load(zoo, precision="fp32", **options):
    return load_upscaler("pasd", "mini", zoo, "cpu", precision, {"steps": 2, "process_size": 32, **options})


def lr_batch(count=3, height=9, width=11):
    return torch.stack([to_tensor(picture(height, width, phase)) for phase in range(count)])


def captions_file(path, rows, columns=("image_id", "caption")):
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False)
    return str(path)


# --- options ---


def test_schema_and_module_know_the_same_options():
    schema = json.loads(SCHEMA.read_text())["properties"]["sr"]["properties"]["pasd"]
    assert set(schema["properties"]) == set(OPTIONS)
    kinds = {"integer": int, "number": float, "string": str, "boolean": bool}
    for name, option in OPTIONS.items():
        rule = schema["properties"][name]
        if "enum" in rule:
            assert set(rule["enum"]) <= set(option.choices or rule["enum"])
        else:
            kind = rule["type"][0] if isinstance(rule["type"], list) else rule["type"]
            assert kinds[kind] is option.type, name
            assert (rule.get("minimum"), rule.get("maximum")) == (option.low, option.high), name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": 5}, "model 'pasd' has no option 'step', expected one of: steps, guidance_scale"),
        ({"steps": 0}, r"sr.pasd.steps is 0, expected a whole number from 1 to 1000"),
        ({"added_noise_level": 1000}, r"sr.pasd.added_noise_level is 1000, expected a whole number from 0 to 999"),
        ({"noise_level_reading": "both"}, r"sr.pasd.noise_level_reading is 'both', expected grid or exact"),
        ({"information": "tags"}, r"sr.pasd.information is 'tags', expected caption or none"),
        ({"caption_style": "long"}, r"sr.pasd.caption_style is 'long', expected coca or blip or words"),
        ({"color_fix": "lab"}, r"sr.pasd.color_fix is 'lab', expected adain or wavelet or none"),
        ({"captions": 3}, r"sr.pasd.captions is 3, expected a text"),
        ({"captions": "none/such.csv"}, r"table none/such.csv does not exist"),
        ({"process_size": None}, r"sr.pasd.process_size has no value"),
    ],
)
def test_wrong_options_are_one_sentence(zoo, options, words):
    with pytest.raises(HlfError, match=words):
        load(zoo, **options)


# --- one image, many images ---


def test_an_image_does_not_depend_on_its_batch_or_order(zoo):
    model, lr = load(zoo), lr_batch()
    together = model.upscale(lr, [1, 2, 3])
    reversed_ = model.upscale(lr.flip(0), [3, 2, 1]).flip(0)
    alone = torch.cat([model.upscale(one[None], [seed]) for one, seed in zip(lr, [1, 2, 3], strict=True)])
    # draws are the same to the bit; convolutions of another batch size may flip the last level of a pixel
    for other in (reversed_, alone):
        assert (together - other).abs().max() <= 1.01 / 255
    again = load(zoo)
    assert torch.equal(alone[2:], again.upscale(lr[2:], [3])), "an earlier image left something behind"
    assert not torch.equal(alone[2:], again.upscale(lr[2:], [4]))


def test_official_order_goes_on_from_image_to_image(zoo):
    lr, options = lr_batch(2), {"official_order": True, "official_seed": 9}
    first, second, third = (load(zoo, **options) for _ in range(3))
    forward = [first.upscale(one[None], [0]) for one in lr]
    assert all(map(torch.equal, forward, [second.upscale(one[None], [77]) for one in lr])), "seeds must not matter"
    assert not torch.equal(third.upscale(lr[1:], [0]), forward[1]), "the order must matter"
    # one generator gives the draws of one image in the order posterior, first noise, added noise, as its own seed does
    assert torch.equal(forward[0], load(zoo).upscale(lr[:1], [9]))
    with pytest.raises(HlfError, match=r"sr\.pasd\.official_order .*set sr\.batch_size to 1"):
        first.upscale(lr, [0, 0])


def test_options_change_the_picture(zoo):
    lr = lr_batch(1)
    plain = load(zoo).upscale(lr, [1])
    for name, value in {
        "guidance_scale": 1.0, "conditioning_scale": 0.0, "start_point": "noise", "user_prompt": "dog",
        "negative_prompt": "x", "color_fix": "adain", "truncate": True, "process_size": 64, "steps": 3,
        "added_noise_level": 999, "noise_level_reading": "exact", "information": "none", "caption_style": "words",
    }.items():  # fmt: skip
        changed = load(zoo, **{name: value}).upscale(lr, [1])
        assert changed.shape == plain.shape and not torch.equal(changed, plain), name


def test_results_are_grey_levels_that_files_keep(zoo):
    sr = load(zoo).upscale(lr_batch(1), [1])
    assert torch.equal(to_tensor(from_tensor(sr[0])), sr[0])


def test_a_failing_network_gives_nan_for_its_image_and_the_stage_retries_in_fp32(zoo, tmp_path):
    table, model = lr_table(tmp_path, ["a"]), load(zoo, "bf16")
    model.networks("bf16").unet.conv_out.bias.data.fill_(float("inf"))
    assert torch.isnan(model.upscale(lr_batch(1), [0])).all()
    sr, _, failures = upscale_images(table, tmp_path, model, 42, "t", "k")
    assert list(sr["precision"]) == ["fp32"] and len(failures) == 0
    exact, _, _ = upscale_images(table, tmp_path, load(zoo), 42, "t", "other key")
    assert list(sr["sha256"]) == list(exact["sha256"]), "the second try must be what fp32 gives at once"


@pytest.mark.parametrize(
    ("size", "process_size", "wanted"),
    [
        ((256, 192), 768, (1024, 768)),
        ((128, 128), 768, (768, 768)),
        ((101, 77), 8, (400, 304)),
        ((20, 60), 96, (96, 288)),
    ],
)
def test_sizes(size, process_size, wanted):
    """An image of at least the process size is only cut to the VAE's cells; a smaller one is enlarged further."""
    width, height = size
    assert sizes.enlarged(picture(height, width), 4, process_size, 8).shape[1::-1] == wanted


def test_tiles_hold_both_branches_and_a_thin_image_is_tiled_too(zoo, monkeypatch):
    model = load(zoo, steps=1, latent_tile=12, latent_overlap=4)
    calls = []
    network = model.networks("fp32").unet
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda sample, *rest: calls.append(sample.shape) or forward(sample, *rest))
    model.upscale(lr_batch(1, 8, 24), [1])
    # 32x96 pixels, latent 8x24: more than 12 * 12 in area, so tiles as high as the image, at 0, 4, 8, 12 and 16
    assert calls == [(2, 4, 8, 8)] * 5


# --- captions ---


def test_prompt_and_caption_stand_in_the_table_and_the_captioner_runs_once(zoo, tmp_path):
    table, model = lr_table(tmp_path, ["a", "b"]), load(zoo)
    sr, _, _ = upscale_images(table, tmp_path, model, 42, "t", "k")
    reader = model.captions.captioner
    assert reader.runs == 2
    for caption, prompt in zip(sr["tags"], sr["prompt"], strict=True):
        assert caption and set(caption.split()) <= {*WORDS, "clear", "clean"}
        assert prompt == f"{caption} clean, high-resolution, 8k"
    assert not {"blurry", "noisy"} & set(" ".join(sr["prompt"]).split())
    again, seconds, _ = upscale_images(table, tmp_path, model, 42, "t", "k")
    assert again.equals(sr) and len(seconds) == 0 and reader.runs == 2


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


# --- weights ---


def test_every_needed_entry_is_named_before_anything_is_read(own_zoo):
    assert with_needs("mini", "pasd") == ["pasd", "sd-base", "coca"]
    for name, paths in find_all_weights("mini", own_zoo, "pasd").items():
        for path in paths:
            away = path.rename(path.with_name("away"))
            with pytest.raises(HlfError, match=f"lacks the weights of '{name}': {path} does not exist; source:"):
                load(own_zoo)
            away.rename(path)


@pytest.mark.parametrize("file", ["pasd/unet", "pasd/controlnet", "coca"])
@pytest.mark.parametrize("how", ["truncated", "missing", "unexpected", "shape"])
def test_spoilt_weights_are_one_sentence_with_file_and_key(own_zoo, file, how):
    (path,) = (own_zoo / file).glob("*.safetensors")
    state = load_file(path)
    key = next(name for name in sorted(state) if state[name].ndim > 1)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        changed = {
            "missing": {k: v for k, v in state.items() if k != key},
            "unexpected": {**state, "stranger.weight": torch.zeros(3)},
            "shape": {**state, key: torch.zeros(7, 3)},
        }
        save_file(changed[how], path)
    with pytest.raises(HlfError) as caught:
        load(own_zoo)
    sentence = str(caught.value)
    print(sentence)
    assert "\n" not in sentence and str(path) in sentence
    if how != "truncated":
        assert ("stranger.weight" if how == "unexpected" else key) in sentence


def test_words_of_another_captioner_are_refused(own_zoo):
    (own_zoo / "coca/words.txt").write_text("a\nb")
    with pytest.raises(HlfError, match=r"words.txt holds 2 tokens, expected 11 for .*model.safetensors"):
        load(own_zoo)


def test_networks_of_another_size_are_refused(own_zoo):
    from hlf.nets import pasd as nets

    config = own_zoo / "pasd/controlnet/config.json"
    smaller = {**read_json(config), "conditioning_embedding_out_channels": [4, 8]}
    write_json(config, smaller)
    save_file(nets.controlnet(smaller).state_dict(), config.with_name("diffusion_pytorch_model.safetensors"))
    with pytest.raises(HlfError, match=r"reads images 2 times as large as the latent, the VAE in .*makes them 4 times"):
        load(own_zoo)
