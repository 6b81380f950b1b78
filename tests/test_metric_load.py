"""From a name to a metric, to a folder and back: public names, wrong weights, the card, the hub."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hlf
from backbone_helpers import tiny_backbones, tiny_dino
from hlf.backbones.registry import BACKBONES, load_backbone
from hlf.errors import HlfError
from hlf.metric import load
from hlf.metric.calibration import Calibration
from hlf.metric.fidelity import HighLevelFidelity
from hlf.metric.model import FILES, Origin, load_metric_folder, read_metric, save_metric

ROOT = Path(__file__).resolve().parent.parent
CALIBRATIONS = [
    None,
    Calibration("logistic", c=0.2, k=2.0),
    Calibration("isotonic", knots=((0, 0), (0.3, 0.7), (1, 1))),
]
FACTS = {
    "seed": 1,
    "learning rate": 1e-5,
    "test SRCC": [0.81, 0.74, 0.87],
    "test pairs": 145,
    "human ceiling SRCC": 0.9,
}


def pictures(n=2):
    generator = torch.Generator().manual_seed(1)
    return {name: torch.rand(n, 3, 32, 32, generator=generator) for name in ("sr", "gt")}


def fresh(code, *paths):
    """What a new process prints."""
    environment = {"PYTHONPATH": ":".join(map(str, (*paths, ROOT / "workflow_scripts"))), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    monkeypatch.setenv("HLF_ZOO", str(tiny_backbones(tmp_path / "zoo")))
    load._loaded.cache_clear()
    return tmp_path / "zoo"


def test_the_public_names_cost_nothing_until_used():
    code = """
import sys, hlf
heavy = [m for m in ("torch", "pandas", "transformers", "numpy", "PIL", "pyiqa", "hlf.errors") if m in sys.modules]
print(heavy, sorted(hlf.__all__), set(hlf.__all__) <= set(dir(hlf)), hlf.HlfError.__name__)
try:
    hlf.nothing
except AttributeError as error:
    print(error)
"""
    names = ["HighLevelFidelity", "HlfError", "load_metric", "register_pyiqa", "score"]
    public = sorted([*names, "__version__"])
    assert fresh(code).splitlines() == [f"[] {public} True HlfError", "module 'hlf' has no attribute 'nothing'"]
    for name in names:
        assert callable(getattr(hlf, name))


def test_zero_shot_is_the_backbone_as_published_and_says_so_once(zoo, caplog):
    load._told.clear()
    with caplog.at_level(logging.WARNING):
        metric = hlf.load_metric("dinov2", device="cpu")
        again = hlf.load_metric("hlf-dinov2", device="cpu", as_loss=True)
    assert [r.getMessage() for r in caplog.records] == [metric.note]
    assert "mini backbone" in metric.note and "not fine-tuned on human scores" in metric.note
    assert not metric.origin.tuned and again.as_loss and not metric.calibrated
    backbone = load_backbone("dinov2", "mini", zoo)
    assert metric.origin.weights_sha256 == backbone.description.weights_sha256
    x = pictures()
    wanted = HighLevelFidelity(backbone).score(**x)
    assert metric.score(**x).tolist() == wanted.tolist()
    assert hlf.score(**x, device="cpu").tolist() == wanted.tolist()
    assert hlf.score(sr=x["sr"][0], gt=x["gt"][0], device="cpu") == pytest.approx(wanted[0], abs=1e-6)
    assert load._loaded.cache_info().hits == 1


def test_an_official_metric_tuned_on_votes_of_people_needs_no_note():
    backbone = tiny_dino()
    object.__setattr__(backbone.description, "zoo", "official")
    assert HighLevelFidelity(backbone, origin=Origin(tuned=True)).note == ""
    assert HighLevelFidelity(backbone, origin=Origin(tuned=True, stamp="SIMULATED votes")).note.endswith(
        "SIMULATED votes"
    )


@pytest.mark.parametrize("calibration", CALIBRATIONS, ids=["raw", "logistic", "isotonic"])
def test_a_folder_gives_the_metric_back(tmp_path, calibration):
    origin = Origin(tuned=True, facts=FACTS, stamp="MINI")
    metric = HighLevelFidelity(tiny_dino(), calibration, origin=origin)
    metric.save_pretrained(tmp_path / "a")
    again = HighLevelFidelity.from_pretrained(tmp_path / "a")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == sorted(FILES)
    assert again.calibration == calibration and again.calibrated == (calibration is not None)
    assert (again.origin.tuned, again.origin.facts, again.origin.stamp) == (True, FACTS, "MINI")
    x = pictures()
    assert again.score(**x).tolist() == metric.score(**x).tolist()
    assert (
        hlf.load_metric("dinov2", weights=tmp_path / "a", device="cpu").score(**x).tolist() == again.score(**x).tolist()
    )
    again.save_pretrained(tmp_path / "b")
    assert [(tmp_path / f"{f}/{n}").read_bytes() for n in FILES for f in "a"] == [
        (tmp_path / f"b/{n}").read_bytes() for n in FILES
    ]


def test_calibrated_or_raw(tmp_path):
    HighLevelFidelity(tiny_dino(), CALIBRATIONS[1], origin=Origin(tuned=True)).save_pretrained(tmp_path)
    x, raw = pictures(), HighLevelFidelity(tiny_dino()).score(**pictures())
    assert hlf.load_metric(weights=tmp_path, calibrated=False, device="cpu").score(**x).tolist() == raw.tolist()
    calibrated = hlf.load_metric(weights=tmp_path, device="cpu")
    assert calibrated.score(**x) == pytest.approx(CALIBRATIONS[1](raw))
    loss = hlf.load_metric(weights=tmp_path, as_loss=True, loss_reduction="none", device="cpu")
    assert loss(x["sr"], x["gt"]).tolist() == pytest.approx(raw.tolist(), abs=1e-7)


def test_a_folder_of_before_still_loads(tmp_path):
    save_metric(tmp_path, tiny_dino(), {"seed": 3}, "", CALIBRATIONS[1])
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("calibration", "tuned", "stamp"):
        del config[key]
    (tmp_path / "config.json").write_text(json.dumps(config))
    stored = read_metric(tmp_path)
    assert stored.calibration is None and stored.origin.tuned and stored.origin.facts == {"seed": 3}
    assert load_metric_folder(tmp_path)[1] == stored.origin.weights_sha256


def test_the_card_tells_what_the_run_knows(tmp_path):
    save_metric(tmp_path, tiny_dino(), FACTS, "MINI models, SIMULATED votes", CALIBRATIONS[1])
    card = (tmp_path / "README.md").read_text()
    quality, training = card.split("## How good it is")[1].split("## Training")
    assert "| test SRCC | 0.810 (95 %: 0.740 to 0.870) |" in quality and "| test pairs | 145 |" in quality
    assert "| human ceiling SRCC | 0.9 |" in quality and "| learning rate | 1e-05 |" in training
    for words in (
        "library_name: hlf\nlicense: apache-2.0",
        "**MINI models, SIMULATED votes**",
        "| Licence of the backbone | Apache-2.0 |",
        "squashed to 32x32, bicubic, antialiased; mean 0.485, 0.456, 0.406",
        "share = 1 / (1 + (raw / 0.2)^-2)",
        "raw distance = 1 - cosine",
        "all weights fine-tuned on human scores",
        "arXiv 2512.07037",
        "**Limits**",
        "**Intended**",
        "**Colour and size**",
    ):
        assert words in card
    HighLevelFidelity(tiny_dino()).save_pretrained(tmp_path / "zero")
    other = (tmp_path / "zero/README.md").read_text()
    assert "Predicts the share of viewers" in card and "Predicts" not in other and "no share of viewers" in other
    assert "as published, not fine-tuned" in other and "Correlations on the test part are not stored" in other


def test_weights_of_another_backbone_are_refused(tmp_path, zoo):
    save_metric(tmp_path / "dino", tiny_dino(), {}, "")
    for name in ("pe-core", "hlf-pe"):
        with pytest.raises(HlfError, match=r"weights .*dino are of backbone 'dinov2', expected 'pe-core'"):
            hlf.load_metric(name, weights=tmp_path / "dino")
    HighLevelFidelity(load_backbone("pe-core", "mini", zoo)).save_pretrained(tmp_path / "pe")
    assert hlf.load_metric("hlf-pe", weights=tmp_path / "pe", device="cpu").backbone.description.name == "pe-core"
    # the weights of one under the description of the other
    (tmp_path / "dino/model.safetensors").write_bytes((tmp_path / "pe/model.safetensors").read_bytes())
    with pytest.raises(HlfError, match="belongs to another model or size"):
        hlf.load_metric("dinov2", weights=tmp_path / "dino")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"backbone": "vgg"}, "metric 'vgg' is unknown, expected one of vit, clip, blip, dinov2"),
        ({"weights": "nowhere"}, "weights nowhere: expected a model folder with config.json"),
        ({"zoo": "large"}, "zoo 'large' is unknown, expected one of mini, official"),
        (
            {"zoo_folder": "nowhere"},
            "zoo 'mini' lacks the weights of 'dinov2': nowhere/dinov2/config.json does not exist",
        ),
        (
            {"zoo": "official", "zoo_folder": "nowhere"},
            "hub entry facebook/dinov2-base, licence Apache-2.0; put config",
        ),
        ({"device": "tpu"}, "device 'tpu' is unknown, expected auto, cpu or cuda"),
        ({"resize_mode": "pad"}, "resize_mode 'pad' is unknown"),
        ({"calibrated": True}, "this metric has no calibration"),
    ],
)
def test_wrong_arguments_are_told(zoo, arguments, words):
    with pytest.raises(HlfError, match=words):
        hlf.load_metric(**{"backbone": "dinov2", "device": "cpu", **arguments})


def test_a_wrong_calibration_in_a_folder_is_told(tmp_path):
    save_metric(tmp_path, tiny_dino(), {}, "")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "calibration": {"kind": "logistic", "c": -1, "k": 1}}))
    with pytest.raises(HlfError, match=r"config.json: a logistic calibration needs .* c=-1.0"):
        HighLevelFidelity.from_pretrained(tmp_path)


def test_a_missing_library_is_told(tmp_path):
    # a package of this name that cannot be imported stands before the real one
    (tmp_path / "transformers.py").write_text("raise ModuleNotFoundError('gone', name='transformers')")
    code = """
import hlf
try:
    hlf.load_metric("dinov2", device="cpu")
except hlf.HlfError as error:
    print(error)
"""
    words = "backbone dinov2 needs package transformers, which is not installed; "
    words += "pip install '.[metric]' in a checkout of hlf"
    assert fresh(code, tmp_path).strip() == words


def test_the_zoo_is_found_from_any_folder(tmp_path, monkeypatch):
    from hlf.zoo.registry import zoo_folder

    monkeypatch.delenv("HLF_ZOO", raising=False)
    monkeypatch.chdir(tmp_path)
    assert zoo_folder("mini") == ROOT / "resources/zoo/mini" and zoo_folder("mini", "there") == Path("there")
    (tmp_path / "resources/zoo/mini").mkdir(parents=True)
    assert zoo_folder("mini") == Path("resources/zoo/mini")
    assert zoo_folder("official") == Path("resources/zoo/official")
    monkeypatch.setenv("HLF_ZOO", "elsewhere")
    assert zoo_folder("mini") == Path("elsewhere")


def test_a_hub_model_that_is_not_in_the_cache_is_told_without_network(tmp_path):
    with pytest.raises(
        HlfError, match=r"no folder lab/hlf, and no such model at v1 in the local cache, and the network"
    ):
        HighLevelFidelity.from_pretrained("lab/hlf", revision="v1")
    for name in ("./lab/hlf", "hlf", str(tmp_path / "none")):
        with pytest.raises(HlfError, match="does not exist; expected a folder or an id of a model hub"):
            HighLevelFidelity.from_pretrained(name)


def test_hub_files_are_fetched_by_revision_and_published_whole(tmp_path, monkeypatch):
    import huggingface_hub

    metric = HighLevelFidelity(tiny_dino(), CALIBRATIONS[1], origin=Origin(tuned=True, facts=FACTS))
    metric.save_pretrained(tmp_path / "cache")
    asked = []

    def snapshot(repo_id, **options):
        asked.append((repo_id, options))
        return str(tmp_path / "cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    found = HighLevelFidelity.from_pretrained("lab/hlf", revision="v1", local_files_only=False)
    options = {"revision": "v1", "local_files_only": False, "allow_patterns": list(FILES)}
    assert asked == [("lab/hlf", options)] and found.calibration == CALIBRATIONS[1]

    class Api:
        def __init__(self, token):
            assert token == "secret"

        def create_repo(self, repo_id, private, exist_ok):
            assert private and exist_ok
            return type("Repo", (), {"repo_id": repo_id})

        def upload_folder(self, repo_id, repo_type, folder_path):
            stored = {p.name: p.read_bytes() for p in Path(folder_path).iterdir()}
            assert stored == {p.name: p.read_bytes() for p in (tmp_path / "cache").iterdir()}
            return f"{repo_type}/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert found.push_to_hub("lab/hlf", private=True, token="secret") == "model/lab/hlf"


@pytest.mark.parametrize("name", [*load.NAMES, *BACKBONES])
def test_every_name_loads_and_its_folder_gives_it_back(name, zoo, tmp_path):
    metric, x = hlf.load_metric(name, device="cpu"), pictures()
    backbone = load.NAMES.get(name, name)
    assert metric.backbone.description.name == backbone and metric.backbone.description.zoo == "mini"
    metric.save_pretrained(tmp_path / "model")
    again = hlf.load_metric(backbone, weights=tmp_path / "model", device="cpu")
    assert again.score(**x).tolist() == metric.score(**x).tolist() and again.origin.tuned is False


def test_poolings_and_variants_reach_the_backbone(zoo, tmp_path):
    metric = hlf.load_metric("vit", pooling="class", device="cpu")
    assert metric.backbone.pooling == "class"
    metric.save_pretrained(tmp_path / "model")
    assert "| Compared | pooling 'class' |" in (tmp_path / "model/README.md").read_text()
    assert hlf.load_metric("vit", weights=tmp_path / "model", device="cpu").backbone.pooling == "class"
    with pytest.raises(HlfError, match="zoo 'mini' has no model 'dinov2-g'"):
        hlf.load_metric("dinov2", variant="G")
    with pytest.raises(HlfError, match="pooling of dinov2 is 'none', expected one of"):
        hlf.load_metric("dinov2", pooling="none")
