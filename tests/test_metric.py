"""Fine-tuning and scoring with a tiny backbone: what it learns from, what it keeps, and what a kill costs."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone_helpers import TUNING, tiny_dino, toy_study
from hlf.backbones.base import hlf_distance
from hlf.backbones.embed import embed_files
from hlf.errors import HlfError
from hlf.images import read_image, to_tensor
from hlf.metric import train as metric_train
from hlf.metric.calibration import fit_calibration
from hlf.metric.model import load_metric_folder, save_metric
from hlf.metric.pairs import load_pairs, validation_groups
from hlf.metric.score import score_pairs
from hlf.metric.step import Stepper
from hlf.metric.train import fine_tune, tune_and_save
from hlf.sampling.similarity import pair_similarity


@pytest.fixture
def study(tmp_path):
    return toy_study(tmp_path)


def tune(backbone, data, work, **settings):
    return fine_tune(backbone, *data, {**TUNING, **settings}, work, 1, work / "events")


def sets(study, root):
    pairs, split = study
    train = split[split["part"] == "train"]
    held = train["image_id"].isin(validation_groups(split, 0.3, 1))
    return load_pairs(pairs, train[~held], root), load_pairs(pairs, train[held], root)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 6), min_size=2, max_size=12), st.floats(0.05, 0.5), st.integers(0, 99))
def test_validation_is_cut_by_gt_from_the_training_part(counts, share, seed):
    rows = [(f"{i:02d}", "train") for i, n in enumerate(counts) for _ in range(n)] + [("99", "test")] * 4
    split = pd.DataFrame(rows, columns=["image_id", "part"])
    chosen = validation_groups(split, share, seed)
    assert chosen and "99" not in chosen and chosen < {f"{i:02d}" for i in range(len(counts))}
    assert chosen == validation_groups(split.sample(frac=1, random_state=0), share, seed)
    taken = sum(counts[int(name)] for name in chosen)
    # stops at the share, so it is passed by less than one GT
    assert taken < share * sum(counts) + max(counts)


def test_validation_needs_two_gt_images_and_follows_the_seed():
    split = pd.DataFrame({"image_id": ["a", "a", "b"], "part": ["train", "train", "test"]})
    with pytest.raises(HlfError, match="pairs of 1 GT images, expected at least 2"):
        validation_groups(split, 0.2, 1)
    many = pd.DataFrame({"image_id": [f"{i}" for i in range(40)], "part": "train"})
    assert validation_groups(many, 0.2, 1) != validation_groups(many, 0.2, 2)
    assert len(validation_groups(many, 0.2, 1)) == 8


def test_pairs_keep_their_own_pictures_and_scores(study, tmp_path):
    pairs, split = study
    loaded = load_pairs(pairs, split.sample(frac=1, random_state=2), tmp_path)
    assert len(loaded.images) == 24 and len(loaded.score) == 16
    index = np.array([5, 0])
    sr, gt, score = loaded.batch(index, torch.device("cpu"))
    for row, number in enumerate(index):
        pair = pairs.sort_values("pair_id").iloc[number]
        assert torch.equal(gt[row], to_tensor(read_image(tmp_path / pair["gt_path"])))
        assert torch.equal(sr[row], to_tensor(read_image(tmp_path / pair["sr_path"])))
        wanted = split.set_index("pair_id").loc[pair["pair_id"], "score"]
        assert float(score[row]) == pytest.approx(wanted)


def test_tuning_learns_and_keeps_the_best_epoch(study, tmp_path):
    backbone, data = tiny_dino(), sets(study, tmp_path)
    history = tune(backbone, data, tmp_path / "work")
    assert [h["epoch"] for h in history] == [0, 1, 2, 3, 4]
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    # scores of two levels allow no more than this, which the untouched backbone may reach already
    assert history[-1]["train_srcc"] >= history[0]["train_srcc"] and history[-1]["train_srcc"] > 0.87
    best = min(h["validation_loss"] for h in history)
    # the weights that are left are those of the best epoch, not of the last
    left = metric_train._validate(backbone, data[1], 4)
    assert left["validation_loss"] == best
    assert history[0]["validation_loss"] == metric_train._validate(tiny_dino(), data[1], 4)["validation_loss"]


def test_tuning_stops_when_validation_gets_no_better(study, tmp_path, monkeypatch):
    data, losses = sets(study, tmp_path), iter([0.5, 0.3, 0.4, 0.31, 0.32, 0.1])
    states = []

    def planned(backbone, pairs, batch_size):
        states.append({k: v.clone() for k, v in backbone.state_dict().items()})
        return {"validation_loss": next(losses), "validation_srcc": 0.0}

    monkeypatch.setattr(metric_train, "_validate", planned)
    backbone = tiny_dino()
    history = tune(backbone, data, tmp_path / "work", epochs=9, patience=3)
    assert len(history) == 5
    left = backbone.state_dict()
    assert all(torch.equal(v, left[k]) for k, v in states[1].items())
    assert any(not torch.equal(v, left[k]) for k, v in states[4].items())


def test_no_epochs_leaves_the_backbone_untouched(study, tmp_path):
    backbone, start = tiny_dino(), tiny_dino().state_dict()
    history = tune(backbone, sets(study, tmp_path), tmp_path / "work", epochs=0)
    assert len(history) == 1 and all(torch.equal(v, start[k]) for k, v in backbone.state_dict().items())


@pytest.mark.parametrize("settings", [{}, {"precision": "fp16", "augmentation": "flip_crop", "accumulation": 2}])
def test_a_killed_run_ends_with_the_same_bits(study, tmp_path, monkeypatch, settings):
    data, whole = sets(study, tmp_path), tiny_dino()
    expected = tune(whole, data, tmp_path / "unbroken", **settings)
    real, calls = metric_train._epoch, []

    def dies_in_the_third(*args):
        calls.append(1)
        if len(calls) == 3:
            real(*args)  # the epoch's work is lost with the process
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(metric_train, "_epoch", dies_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        tune(tiny_dino(), data, tmp_path / "work", **settings)
    resumed = tiny_dino(seed=99)  # what the new process starts from does not matter
    assert tune(resumed, data, tmp_path / "work", **settings) == expected
    assert len(calls) == 5
    state = whole.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in resumed.state_dict().items())
    saved = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=False)["scaler"] for name in ("unbroken", "work")
    ]
    assert saved[0] == saved[1] and bool(saved[0]) == ("precision" in settings)


def test_a_loss_that_is_not_finite_stops_the_run(study, tmp_path):
    backbone = tiny_dino()
    with torch.no_grad():
        backbone.tower.layernorm.weight.fill_(float("inf"))
    with pytest.raises(HlfError, match=r"fine-tuning of dinov2 diverged; lower metric.learning_rate"):
        Stepper(backbone, TUNING).step(sets(study, tmp_path)[0], np.arange(4))


def test_a_model_folder_gives_the_same_scores(study, tmp_path):
    pairs, split = study
    backbone = tiny_dino(8)
    save_metric(tmp_path / "model", backbone, {"seed": 1}, "MINI, simulated votes")
    loaded, digest = load_metric_folder(tmp_path / "model")
    assert len(digest) == 64 and not loaded.training and loaded.description == backbone.description
    first, second = (score_pairs(pairs, split, tmp_path, "t", b, True, digest) for b in (backbone, loaded))
    assert first.equals(second)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "**MINI, simulated votes**" in card and "| seed | 1 |" in card
    names = sorted(p.name for p in (tmp_path / "model").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, r"config.json does not exist"),
        ("{", r"config.json is not valid JSON"),
        ("[]", 'expected "metric": "hlf"'),
        ('{"metric": "lpips"}', 'expected "metric": "hlf"'),
        ('{"metric": "hlf"}', r"config.json does not describe a backbone \('backbone'\)"),
        ('{"metric": "hlf", "backbone": {"preprocess": {"mean": [], "std": []}}}', "does not describe a backbone"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path, config, words):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(HlfError, match=words):
        load_metric_folder(tmp_path)


def test_weights_and_configuration_must_belong_together(tmp_path):
    save_metric(tmp_path, tiny_dino(), {}, "")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["backbone"]["network"]["hidden_size"] = 32
    path.write_text(json.dumps(config))
    with pytest.raises(HlfError, match=r"model.safetensors: key .* belongs to another model or size"):
        load_metric_folder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(HlfError, match=r"model.safetensors does not exist"):
        load_metric_folder(tmp_path)


def counted(backbone):
    """The backbone, and a list that grows with the number of images it embeds."""
    seen = []
    backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    return backbone, seen


def test_scores_are_the_distance_of_each_pair_and_every_picture_is_embedded_once(study, tmp_path):
    pairs, split = study
    backbone, seen = counted(tiny_dino())
    table = score_pairs(pairs.iloc[::-1], split, tmp_path, "t", backbone, False, "abc")
    assert sum(seen) == 24 and len(table) == 16
    assert (table["backbone"] == "dinov2").all() and not table["tuned"].any() and (table["zoo"] == "mini").all()
    for row in table.merge(pairs, on="pair_id").head(5).itertuples():
        with torch.no_grad():
            gt, sr = (backbone(to_tensor(read_image(tmp_path / p))[None]) for p in (row.gt_path, row.sr_path))
        assert row.value == pytest.approx(float(hlf_distance(sr, gt)), abs=1e-7)
    parts = split.set_index("pair_id")["part"]
    assert (table.set_index("pair_id")["part"] == parts[table["pair_id"]]).all()


def test_batches_hold_one_size_and_keep_the_order(study, tmp_path):
    from hlf.images import write_png

    write_png(tmp_path / "large.png", np.full((48, 40, 3), 90, dtype=np.uint8))
    paths = [tmp_path / n for n in ("gt0.png", "gt1.png", "gt2.png", "large.png", "gt3.png")]
    backbone, seen = counted(tiny_dino())
    together = embed_files(paths, backbone, 2, "cpu")
    assert seen == [2, 1, 1, 1]
    assert torch.allclose(together, embed_files(paths, backbone, 1, "cpu"), atol=1e-5)


def test_similarity_is_the_cosine_with_each_gt_embedded_once(study, tmp_path):
    pairs, _ = study
    gt = pairs.drop_duplicates("image_id")[["image_id", "gt_path"]].rename(columns={"gt_path": "path"}).head(3)
    sr = pairs[["image_id", "level", "model", "sr_path"]].rename(columns={"sr_path": "path"})
    lr = gt.assign(level=1.0, path="lr.png")
    backbone, seen = counted(tiny_dino())
    table = pair_similarity(gt, lr, sr.sample(frac=1, random_state=1), tmp_path, "t", backbone)
    assert len(table) == 6 and sum(seen) == 9 and table["pair_id"].is_monotonic_increasing
    scores = score_pairs(pairs, pairs.assign(part="train"), tmp_path, "t", backbone, False, "w").set_index("pair_id")
    assert np.allclose(1 - table["similarity"], scores.loc[table["pair_id"], "value"], atol=1e-6)
    assert table["similarity"].between(-1, 1 + 1e-12).all() and (table["weights_sha256"] == "w" * 64).all()


def test_tune_and_save_never_looks_at_the_test_part(study, tmp_path):
    pairs, split = study
    for path in pairs.merge(split[split["part"] == "test"], on="pair_id")[["gt_path", "sr_path"]].to_numpy().ravel():
        (tmp_path / path).unlink(missing_ok=True)
    settings, work = {**TUNING, "epochs": 1}, tmp_path / "w"
    table = tune_and_save(
        tiny_dino(), pairs, split, tmp_path, settings, work, 1, tmp_path / "model", "", tmp_path / "events"
    )
    assert table["epoch"].tolist() == [0, 1] and (table["backbone"] == "dinov2").all()
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    facts = config["facts"]
    assert facts["training pairs"] + facts["validation pairs"] == 12 and facts["validation pairs"] == 4
    # four pairs are too few for a calibration: told, not hidden
    assert config["calibration"] is None and "undefined: a calibration needs at least 5 pairs" in facts["calibration"]


def test_the_calibration_is_that_of_the_validation_part(tmp_path):
    pairs, split = toy_study(tmp_path, images=16)
    for kind in ("logistic", "none"):
        folder, backbone = tmp_path / kind, tiny_dino()
        settings = {**TUNING, "epochs": 1, "calibration": kind}
        tune_and_save(backbone, pairs, split, tmp_path, settings, tmp_path / "w", 1, folder, "", tmp_path / "events")
        held = split["image_id"].isin(validation_groups(split, TUNING["validation_share"], 1))
        validation = load_pairs(pairs, split[held], tmp_path)
        fitted = fit_calibration(metric_train.predict(backbone, validation, 4), validation.score, kind)
        stored = json.loads((folder / "config.json").read_text())["calibration"]
        assert stored == (None if kind == "none" else fitted.to_dict())
