"""Recipes of the mini zoo, each with a few steps on a few scenes: what one writes, the next one and users can load."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from hlf.backbones.registry import BACKBONES, load_backbone
from hlf.errors import HlfError
from hlf.iqa.picture import Picture
from hlf.iqa.registry import METRICS, Source, load_measure
from hlf.nets import pasd, seesr
from hlf.scenes.vocabulary import tokenize
from hlf.sr.diffusion.captioner import load_captioner
from hlf.sr.registry import load_upscaler
from hlf.training.coca import CONTEXT, TOKENS
from hlf.training.pasd import restored_loss
from hlf.training.pool import build_pool, open_pool
from hlf.training.recipes import RECIPES, made_by, train_model
from hlf.training.steered import WEIGHTS, networks, save, window
from hlf.training.tags import TAGS, tags_of
from hlf.training.text_data import prompt, spoiled_pool
from hlf.training.text_to_image import min_snr
from hlf.training.tokenizer import BAD, GOOD, open_tokenizer, write_tokenizer
from hlf.training.views import ObjectViews, ObjectWindows
from hlf.zoo.registry import find_weights

ROOT = Path(__file__).resolve().parent.parent
# what makes each recipe short; the rest is the real configuration
SHORT = {
    "vgg": {"batch_size": 4},
    "reader": {"batch_size": 8},
    "bsrgan": {"batch_size": 2, "pixel_steps": 1, "crop": 32},
    "swinir": {"batch_size": 2, "pixel_steps": 1, "crop": 32},
    "pe-core": {"batch_size": 8},
    "dinov2": {"batch_size": 4},
    "vit": {"batch_size": 4},
    "blip": {"batch_size": 4},
    "vae": {"batch_size": 2, "crop": 32},
    "base": {"batch_size": 4, "window_batch": 4, "window_steps": 1, "spoiled": 6},
    "ram": {"batch_size": 4},
    "dape": {"batch_size": 2},
    "seesr": {"batch_size": 2, "window_steps": 1},
    "clip": {"batch_size": 6},
    "afine": {"batch_size": 3},
    "koniqpp": {"batch_size": 4},
    "joint": {"batch_size": 4},
    "coca": {"batch_size": 4},
    "pasd": {"batch_size": 2, "window_steps": 1},
    "stablesr": {
        "batch_size": 2,
        "window_steps": 1,
        "samples": 3,
        "sample_steps": 2,
        "cfw_steps": 2,
        "cfw_batch": 2,
        "cfw_crop": 32,
    },
}


@pytest.fixture(scope="module")
def pool_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    build_pool(folder, 40, 128, 42, 1)
    return folder


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, pool_folder) -> Path:
    """A zoo whose every model was trained for two steps, in the order of the recipes."""
    folder = tmp_path_factory.mktemp("zoo")
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())["zoo"]["training"]
    for name in RECIPES:
        short = {**settings[name], **SHORT[name], "steps": 2}
        train_model(name, short, pool_folder, folder, folder / "work" / name, 42)
    return folder


def test_every_recipe_is_configured_and_writes_what_it_says(zoo) -> None:
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())["zoo"]["training"]
    assert set(RECIPES) == set(SHORT) == set(settings) - {"scenes", "size"}
    for name in RECIPES:
        assert [f for f in made_by(name) if not (zoo / f).is_file()] == []
    names = list(RECIPES)
    assert all(names.index(need) < names.index(name) for name in names for need in RECIPES[name].needs)


@pytest.mark.parametrize("name", ["bsrgan", "swinir", "seesr", "pasd", "stablesr"])
def test_trained_sr_models_load_and_enlarge(zoo, name) -> None:
    torch.set_num_threads(1)
    noisy = {"seesr": {}, "pasd": {}, "stablesr": {"latent_overlap": 16}}
    options = {"steps": 2, "process_size": 128, **noisy[name]} if name in noisy else {}
    model = load_upscaler(name, "mini", zoo, "cpu", "fp32", options)
    lr = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    first, again, other = (model.upscale(lr, [seed]) for seed in (1, 1, 2))
    assert first.shape == (1, 3, 128, 128)
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name not in noisy)


@pytest.mark.parametrize("group", ["lpips", "dists", "afine", "clipiqa", "koniqpp", "joint"])
def test_trained_measures_load_and_measure(zoo, group) -> None:
    rng = np.random.default_rng(1)
    gt, sr = (Picture(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(2))
    measure = load_measure(group, Source("mini", zoo))
    values = measure(sr, gt)
    wanted = {name for name, metric in METRICS.items() if metric.group == group}
    assert wanted <= set(values) and all(np.isfinite(value) for value in values.values())
    assert measure(sr, gt) == values


@pytest.mark.parametrize(("name", "nets"), [("seesr", seesr), ("pasd", pasd)])
def test_of_a_trained_denoiser_only_what_was_trained_is_stored(zoo, tmp_path, name, nets) -> None:
    own, base = load_file(zoo / name / "unet" / WEIGHTS), load_file(zoo / "sd-base/unet" / WEIGHTS)
    assert own.keys().isdisjoint(base) and "the rest is read from" in (zoo / name / "unet/README.md").read_text()
    more = {"use_image_cross_attention": True} if name == "seesr" else {}
    unet, controlnet, config, control = networks(nets, zoo / "sd-base/unet", [16, 32, 32], more)
    both, configs = nn.ModuleDict({"unet": unet, "controlnet": controlnet}), {"unet": config, "controlnet": control}

    def write() -> None:
        save(tmp_path, name, "A test.", both, configs, {}, zoo / "sd-base/unet", nets.ADDED)

    write()
    stored = load_file(tmp_path / "unet" / WEIGHTS)
    assert stored.keys() == own.keys()
    assert all(torch.equal({**base, **stored}[key], value.half()) for key, value in unet.state_dict().items())
    unet.conv_in.weight.data[0, 0, 0, 0] += 1
    with pytest.raises(HlfError, match=r"training changed 'conv_in.weight'.*freeze all of the denoiser but"):
        write()


def test_the_trained_captioner_speaks_the_words_of_scenes(zoo, pool_folder) -> None:
    pool, words = open_pool(pool_folder), set(TOKENS)
    reader = load_captioner("mini", find_weights("mini", zoo, "coca"), "cpu")
    caption = reader(torch.from_numpy(pool.images[0].transpose(2, 0, 1) / 255).float())
    assert caption.endswith(" ") and set(caption.split()) <= words
    # the tokens of training, of the search and of the file of words are the same ones
    ids = torch.tensor(tokenize([pool.captions[0]], CONTEXT))[0].tolist()
    assert reader.decode([i for i in ids if i not in (0, *reader.ends)]) == f"{pool.captions[0]} "


def test_heads_that_show_the_picture_cost_nothing() -> None:
    gt = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shown = [torch.nn.functional.interpolate(gt * 2 - 1, (s, s), mode="bilinear") for s in (8, 4)]
    assert float(restored_loss(shown, gt)) == 0
    assert float(restored_loss([one + 0.25 for one in shown], gt)) == pytest.approx(0.5)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_trained_backbones_load_and_embed(zoo, name) -> None:
    embeddings = load_backbone(name, "mini", zoo)(torch.rand(2, 3, 128, 128))
    assert embeddings.shape[0] == 2 and torch.isfinite(embeddings).all()


def test_tokenizer_reads_captions_word_by_word_and_unknown_words_in_parts(tmp_path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = open_tokenizer(tmp_path)
    words = ["a", "red", "black", "sun", "with", "rays"]
    ids = tokenizer(" ".join(words)).input_ids
    assert [tokenizer.decode([i]) for i in ids[1:-1]] == words
    assert tokenizer.decode(tokenizer("xyzzy").input_ids[1:-1]) == "xyzzy"
    assert len(tokenizer("q").input_ids) == 3 and tokenizer.unk_token_id not in tokenizer("q? Ж").input_ids[1:-1]


def test_another_process_learns_the_same_tokenizer(tmp_path) -> None:
    write_tokenizer(tmp_path / "here")
    code = "import pathlib, sys; from hlf.training import tokenizer as t; t.write_tokenizer(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_tags_of_a_scene_are_what_its_content_list_says(pool_folder) -> None:
    pool = open_pool(pool_folder)
    found = tags_of(pool)
    rows = pool.content[pool.content["index"] == 7]
    assert set(rows["label"].str.lower()) | {pool.captions[7].split()[-1]} == set(found[7]) - {"sign"}
    assert ("sign" in found[7]) == (rows["kind"] == "sign").any()
    assert len(set(TAGS)) == len(TAGS)


def test_views_show_their_object_and_follow_their_generator(pool_folder) -> None:
    views = ObjectViews(open_pool(pool_folder))
    for number, row in enumerate(views.rows[:12]):
        first, again = (views.cut(number, np.random.default_rng(3), 64) for _ in range(2))
        assert torch.equal(first, again) and first.shape == (3, 64, 64)
        assert row.kind == "code" or row.label.lower() in views.captions[number]


def test_windows_hold_their_object_and_name_what_they_show(pool_folder) -> None:
    pool = open_pool(pool_folder)
    windows = ObjectWindows(pool, 4)
    for number, row in enumerate(windows.rows):
        first, again = (windows.draw(number, np.random.default_rng(number), 16) for _ in range(2))
        assert first == again and first.index == row.index
        assert min(first.top, first.left) >= 0 and max(first.top, first.left) <= 32 - 16
        for low, high, start in ((row.top, row.bottom, first.top), (row.left, row.right, first.left)):
            seen = min(high, 4 * (start + 16)) - max(low, 4 * start)
            assert seen >= min(high - low, 64) - 0.15 * 64 - 4
        assert row.label.lower() in first.caption.lower() and row.label.lower() in first.tags
        assert first.tags[-1] == pool.captions[row.index].split()[-1]
    scene = pool.captions[int(windows.rows[0].index)]
    assert windows.draw(0, np.random.default_rng(0), 32).caption == scene


def test_a_window_is_the_same_part_of_everything_that_shows_a_picture() -> None:
    cells = torch.arange(64.0).reshape(1, 1, 8, 8)
    large = cells.repeat_interleave(4, 2).repeat_interleave(4, 3)
    seen = set()
    for number in range(20):
        latents, condition = window((cells, large), 4, np.random.default_rng(number))
        assert latents.shape == (1, 1, 4, 4) and torch.equal(condition[:, :, ::4, ::4], latents)
        seen.add(float(latents[0, 0, 0, 0]))
    assert len(seen) > 5


def test_min_snr_weakens_nearly_clean_latents_only() -> None:
    kept = torch.tensor([0.99, 0.9, 5 / 6, 0.5, 0.01])
    weight = min_snr(kept, torch.arange(5)).flatten()
    assert torch.allclose(weight, torch.tensor([5 / 99, 5 / 9, 1, 1, 1]))


def test_spoiled_scenes_say_what_was_done_to_them(pool_folder) -> None:
    pool = open_pool(pool_folder)
    spoiled, words = spoiled_pool(pool, 6, 1)
    assert set(words) == set(BAD.values())
    detail = [np.abs(np.diff(p.images[:6].astype(int), axis=2)).mean((1, 2, 3)) for p in (pool, spoiled)]
    for clean, changed, word in zip(*detail, words, strict=True):
        assert (changed < clean) == (word == BAD["blur"])


def test_training_prompts_come_in_all_kinds() -> None:
    rng = np.random.default_rng(0)
    prompts = {prompt("a red star on a gradient", ["star", "gradient"], GOOD, rng) for _ in range(200)}
    assert {"", "a red star on a gradient", f"a red star on a gradient, {GOOD}", f"gradient, star, {GOOD}"} <= prompts
