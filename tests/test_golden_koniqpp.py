"""KonIQ++ against outputs of the official program: full size with filler weights, and a stored reduced network."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from filler import fill, largest, same_keys
from hlf.files import read_json
from hlf.images import read_image
from hlf.iqa.koniqpp import load_koniqpp
from hlf.nets import koniqpp as net
from vectors import key_list, vector_dir

FOLDER = vector_dir("metrics")
GOLDEN = read_json(FOLDER / "manifest.json")["koniqpp"]
TOLERANCE = GOLDEN["tolerance_abs"]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Metric loaded from a file as the official program writes them, with the filler's weights."""
    torch.set_num_threads(1)
    with torch.device("meta"):
        state = net.KonIQpp(**net.OFFICIAL).state_dict()
    state = {k: v if v.is_floating_point() else torch.zeros(v.shape, dtype=v.dtype) for k, v in state.items()}
    case = GOLDEN["png_case"]
    content = {"model": fill(state, GOLDEN["filler_seed"]), "optimizer": {"state": {}}, "k": case["k"], "b": case["b"]}
    folder = tmp_path_factory.mktemp("official")
    torch.save(content, folder / "koniqpp.pth")
    return load_koniqpp("official", folder)


@torch.inference_mode()
def maps(network, x):
    """Outputs, and the last map of both side networks."""
    seen = {}
    for name in ("sub_q", "sub_dist"):
        hook = getattr(network, name).fusion_block4.register_forward_hook(
            lambda _m, _i, out, name=name: seen.update({name: out})
        )
        seen[f"{name} hook"] = hook
    out = network(x)
    for name in ("sub_q", "sub_dist"):
        seen.pop(f"{name} hook").remove()
    return out, seen["sub_q"], seen["sub_dist"]


def test_golden_koniqpp_official_keys() -> None:
    with torch.device("meta"):
        same_keys(net.KonIQpp(**net.OFFICIAL), key_list("metrics", "koniqpp"), 860)


def test_golden_koniqpp_tensor_at_full_size(full) -> None:
    case = GOLDEN["tensor_case"]
    x = np.random.RandomState(105).standard_normal(3 * 96 * 160).astype(np.float32).reshape(1, 3, 96, 160)
    out, quality, defects = maps(full.network, torch.from_numpy(x))
    largest("KonIQ++ tensor case", out[0], case["out"], TOLERANCE["out"])
    stored = np.load(FOLDER / case["features"])
    largest("quality map", quality[0], stored["q_feature"], TOLERANCE["features"])
    largest("defect map", defects[0], stored["dist_feature"], TOLERANCE["features"])


def test_golden_koniqpp_picture_at_full_size(full) -> None:
    case = GOLDEN["png_case"]
    image = read_image(FOLDER / case["png"])
    x = full.preprocess(image)
    assert list(x.shape) == case["pre_shape"]
    largest("mean of input", x.double().mean((0, 2, 3)), case["pre_mean_per_channel"], TOLERANCE["pre"])
    largest("deviation of input", x.double().std((0, 2, 3)), case["pre_std_per_channel"], TOLERANCE["pre"])
    for place, value in case["pre_probe_[c,y,x]"].items():
        c, row, column = map(int, place.split(","))
        largest(f"input at {place}", float(x[0, c, row, column]), value, TOLERANCE["pre"])
    values = full(image)
    largest("quality", values["quality"], case["quality_score"], TOLERANCE["quality_score"])
    raw = (values["quality"] - case["b"][0]) / case["k"][0]
    for name, stored in zip(GOLDEN["out_order"], case["out"], strict=True):
        largest(name, values.get(name, raw), stored, TOLERANCE["out"])
        assert name == "quality_raw" or stored == case[name]


def test_golden_koniqpp_small_network() -> None:
    arrays = load_file(FOLDER / GOLDEN["small"]["file"])
    reduction = GOLDEN["small"]["reduction"]
    # torchvision counts the inner width of a group at 64 planes; here it shall equal the planes
    network = net.KonIQpp(
        reduction["stem_channels"], reduction["base_planes"], reduction["blocks"], reduction["groups"],
        64 // reduction["groups"], reduction["side_out_channels"][::2],
    ).eval()  # fmt: skip
    weights = {key.removeprefix("weights."): value for key, value in arrays.items() if key.startswith("weights.")}
    assert set(weights) == set(network.state_dict())
    network.load_state_dict(weights)
    results = dict(zip(("out", "q_feature", "dist_feature"), maps(network, arrays["input"]), strict=True))
    for name, value in results.items():
        largest(f"small {name}", value, arrays[name], GOLDEN["small"]["tolerance_abs"])
