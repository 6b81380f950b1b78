"""What the trained content reader finds changed between GT and SR."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from hlf.columns import TABLES, conform, pair_id
from hlf.errors import HlfError
from hlf.images import write_png
from hlf.scenes.objects import draw_code, draw_glyph, draw_sign
from hlf.scenes.reader import ContentReader, crop_box, letter_targets, read
from hlf.scenes.vocabulary import glyph_classes
from hlf.seeds import generator
from hlf.study.simulated.content import content_errors, load_reader

ZOO = Path(__file__).parents[1] / "resources" / "zoo" / "mini"
BOX = {"left": 30, "top": 40}


@pytest.fixture(scope="module")
def reader():
    torch.set_num_threads(1)
    return load_reader(ZOO)


def tile(kind, number):
    rng = generator(number, "content-test", kind)
    draw, size = {"glyph": (draw_glyph, 56), "sign": (draw_sign, 30), "code": (draw_code, 4)}[kind]
    thing = draw(rng, size)
    return thing.picture(), thing.label, thing.detail


def other_tile(kind, number):
    """A tile of the same kind that shows something else, resized to the same box."""
    first = tile(kind, number)
    second = next(t for t in (tile(kind, number + 100 + k) for k in range(9)) if t[1:] != first[1:] and (
        kind == "code" or t[1] != first[1]))  # fmt: skip
    return second[0].resize(first[0].size, Image.Resampling.LANCZOS)


def scene(drawing):
    canvas = Image.new("RGB", (128, 128), (110, 130, 120))
    canvas.paste(drawing, (BOX["left"], BOX["top"]), drawing)
    return np.asarray(canvas)


def study(tmp_path, kind, count=6):
    """For each of `count` things three pairs: the GT itself, a dimmed GT, and a GT whose thing was replaced."""
    content, pairs = [], []
    for i in range(count):
        drawing, label, detail = tile(kind, i)
        gt = scene(drawing)
        pictures = {"same": gt, "dim": np.rint(gt * 0.92 + 6).astype(np.uint8), "other": scene(other_tile(kind, i))}
        write_png(tmp_path / f"gt{kind}{i}.png", gt)
        size = {"right": BOX["left"] + drawing.width, "bottom": BOX["top"] + drawing.height}
        content.append({"image_id": f"{kind}{i}", "kind": kind, "label": label, "detail": detail, **BOX, **size})
        for model, picture in pictures.items():
            write_png(tmp_path / f"{model}{kind}{i}.png", picture)
            row = {"image_id": f"{kind}{i}", "model": model, "pair_id": pair_id(f"{kind}{i}", 1.0, model)}
            pairs.append({**row, "gt_path": f"gt{kind}{i}.png", "sr_path": f"{model}{kind}{i}.png"})
    pairs = pd.DataFrame(pairs).assign(run="t", level=1.0, similarity=0.5, bin=0, lr_path="", seed=1)
    return conform(pairs, "pairs"), conform(pd.DataFrame(content), "content")


@pytest.mark.parametrize("kind", ["glyph", "sign", "code"])
def test_nothing_changed_reads_as_nothing_and_a_replaced_thing_as_lost(tmp_path, reader, kind):
    pairs, content = study(tmp_path, kind)
    errors = content_errors(pairs, content, tmp_path, reader)
    assert list(errors) == ["pair_id", "content_error"] and sorted(pairs["pair_id"]) == errors["pair_id"].tolist()
    assert errors["content_error"].between(0, 1).all()
    values = errors.assign(model=errors["pair_id"].str.split("@").str[2]).groupby("model")["content_error"]
    assert values.max()["same"] < 1e-6
    assert values.median()["dim"] < 0.2
    assert values.median()["other"] > 0.9


def test_one_changed_thing_of_two_is_enough_and_order_does_not_matter(tmp_path, reader):
    pairs, content = study(tmp_path, "code", 2)
    # a second thing that stays: the plain corner of the picture, read as a glyph
    corner = content.assign(kind="glyph", left=0, top=0, right=24, bottom=24)
    both = content_errors(pairs, pd.concat([corner, content]), tmp_path, reader)
    alone = content_errors(pairs, content, tmp_path, reader)
    changed = alone["pair_id"].str.endswith("other")
    assert (alone["content_error"][changed] == 1).all() and (both["content_error"][changed] == 1).all()
    shuffled = content_errors(pairs.sample(frac=1, random_state=0), content.iloc[::-1], tmp_path, reader)
    assert shuffled.equals(alone)


def test_photographs_have_no_known_content(tmp_path, reader):
    pairs, content = study(tmp_path, "code", 2)
    with pytest.raises(HlfError, match=r"no known content for 1 images \(first: code1\).*study.votes: <file.csv>"):
        content_errors(pairs, content[content["image_id"] == "code0"], tmp_path, reader)
    with pytest.raises(HlfError, match="no known content for 2 images"):
        content_errors(pairs, conform(pd.DataFrame(columns=list(TABLES["content"])), "content"), tmp_path, reader)


def test_a_missing_reader_is_told(tmp_path):
    with pytest.raises(HlfError, match=r"zoo 'mini' lacks the weights of 'reader'"):
        load_reader(tmp_path)


def test_readings_are_probabilities_and_do_not_depend_on_their_neighbours():
    torch.manual_seed(0)
    net, crops = ContentReader(4), torch.rand(3, 3, 32, 64)
    glyphs, letters = read(net, crops)
    assert glyphs.shape == (3, len(glyph_classes())) and letters.shape == (3, 5, 27)
    assert torch.allclose(glyphs.sum(-1), torch.ones(3)) and torch.allclose(letters.sum(-1), torch.ones(3, 5))
    assert torch.equal(read(net, crops[1:2])[0][0], glyphs[1]) and not net.training


def test_a_box_is_cut_out_of_the_right_place():
    image = torch.zeros(3, 40, 60)
    image[:, 10:20, 30:50] = 1
    assert torch.allclose(crop_box(image, (30, 10, 50, 20)), torch.ones(3, 32, 64))
    assert crop_box(image, (0, 0, 30, 40)).abs().max() == 0
    assert letter_targets("TEA") == [19, 4, 0, 26, 26] and letter_targets("NORTH")[-1] == 7
