"""A-FINE against stored values of the official formulas and of a reduced model, and the full-size names."""

import copy

import pytest
import torch

from hlf.files import read_json
from hlf.images import read_image
from hlf.iqa.afine import Afine, build_heads, build_parts, sections
from hlf.iqa.picture import Picture
from hlf.zoo.load import read_state
from vectors import key_list, vector_dir

FOLDER = vector_dir("metrics")
FORMULA = read_json(FOLDER / "afine_formula.json")
SMALL = read_json(FOLDER / "manifest.json")["afine"]["small"]


def close(wanted):
    """Tolerance of the formula vectors."""
    return pytest.approx(wanted, abs=1e-5, rel=1e-5)


@pytest.fixture(scope="module")
def metric():
    torch.set_num_threads(1)
    path = FOLDER / SMALL["weights"]
    state = sections(read_state(path))
    return Afine(build_parts(state.pop("finetuned_clip"), state, path))


def with_values(part, **values):
    """A copy of a part with other constants."""
    part = copy.deepcopy(part)
    with torch.no_grad():
        for name, value in values.items():
            getattr(part, name).fill_(value)
    return part


@pytest.mark.parametrize("row", SMALL["rows"], ids=lambda row: row["pair"])
def test_golden_metrics_afine_small(metric, row):
    gt, sr = (Picture(read_image(FOLDER / f"pairs/{row['pair']}_{kind}.png")) for kind in ("ref", "dist"))
    found = metric(sr, gt)
    wanted = {"afine": "afine_all", "afine_scale": "afine_all_scale", "afine_fr": "afine_fr", "afine_nr": "afine_nr"}
    differences = {name: abs(found[name] - row[key]) for name, key in wanted.items()}
    print(f"pair {row['pair']}: largest difference {max(differences.values()):.2g}")
    for name, key in wanted.items():
        assert found[name] == pytest.approx(row[key], abs=2e-4, rel=2e-4)
    x, y = metric.features(sr.tensor), metric.features(gt.tensor)
    raw = (metric.parts["natural"](*x), metric.parts["natural"](*y))
    raw += (metric.parts["fidelity"](x[0], y[0], x[1], y[1]),)
    for value, key in zip(raw, ("naturalness_raw_dist", "naturalness_raw_ref", "fidelity_raw"), strict=True):
        assert float(value) == pytest.approx(row[key], abs=2e-4, rel=2e-4)
    # the pictures themselves are left alone, and a second call gives the same
    assert metric(Picture(sr.rgb), gt) == found


@pytest.mark.parametrize(
    ("section", "part"), [("naturalness_map", "natural_scale"), ("fidelity_map", "fidelity_scale")]
)
def test_golden_metrics_afine_maps(metric, section, part):
    for row in FORMULA[section]:
        network = with_values(metric.parts[part], yita3=row["yita3"], yita4=row["yita4"])
        assert float(network(torch.tensor([row["x"]]))) == close(row["out"])


def test_golden_metrics_afine_combination(metric):
    from pyiqa.archs.afine_arch import scale_finalscore

    for row in FORMULA["adapter"]:
        network = with_values(metric.parts["adapter"], k=row["k"])
        given = [torch.tensor([row[name]]) for name in ("n_dist", "n_ref", "fidelity")]
        assert float(network(*given)) == close(row["out"])
    for row in FORMULA["final_scale"]:
        assert float(scale_finalscore(torch.tensor([row["x"]]))) == close(row["out"])


def test_golden_metrics_afine_names():
    from pyiqa.archs.afineclip_model import AFINECLIP

    wanted = key_list("metrics", "afine")
    with torch.device("meta"):
        clip = AFINECLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12).state_dict()
    assert {name: list(tensor.shape) for name, tensor in clip.items()} == shapes(wanted["finetuned_clip"])
    for section, network in build_heads(768, 12).items():
        assert {name: list(t.shape) for name, t in network.state_dict().items()} == shapes(wanted[section])


def shapes(section):
    """Shape by name."""
    return {name: entry["shape"] for name, entry in section.items()}
