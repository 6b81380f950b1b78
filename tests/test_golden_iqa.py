"""PSNR, SSIM and VIF against stored values of pyiqa 0.1.16 and of an independent float64 implementation."""

import pandas as pd
import pytest

from hlf.columns import conform
from hlf.files import read_json
from hlf.images import read_image
from hlf.iqa.measure import measure_pairs
from hlf.iqa.registry import Source
from hlf.iqa.vif64 import vif64
from vectors import vector_dir

FOLDER = vector_dir("metrics")
NAMES = ["psnr", "psnry", "ssim", "ssimc", "vif"]
ROWS = read_json(FOLDER / "iqa_values.json")["rows"]
# stated by the vectors: same call of pyiqa on another build, and another implementation
TOLERANCE = read_json(FOLDER / "manifest.json")["iqa_values"]["tolerance_abs"]


@pytest.fixture(scope="module")
def measured():
    """Values by metric and pair, of the whole measuring code on the stored PNG files."""
    rows = [(row["id"], row["id"], row["ref"], row["dist"]) for row in ROWS]
    pairs = pd.DataFrame(rows, columns=["pair_id", "image_id", "gt_path", "sr_path"])
    rest = {"run": "t", "level": 1.0, "model": "m", "similarity": 0.5, "bin": 0, "lr_path": "", "seed": 1}
    source = Source("mini", FOLDER)
    table, _ = measure_pairs(conform(pairs.assign(**rest), "pairs"), FOLDER, NAMES, source, "t", {}, None)
    assert (table["status"] == "ok").all()
    return table.set_index(["metric", "pair_id"])["value"]


@pytest.mark.parametrize("row", ROWS, ids=[f"{r['id']}-{r['kind']}" for r in ROWS])
@pytest.mark.parametrize("name", NAMES)
def test_golden_metrics_measured_values(measured, name, row):
    # a smooth reference makes pyiqa's float32 VIF drift
    smooth = name == "vif" and row["kind"] == "smooth"
    same_call = TOLERANCE["pyiqa_same_call"]["vif_kind_smooth" if smooth else name]
    assert measured[name, row["id"]] == pytest.approx(row["pyiqa"][name], abs=same_call)
    assert measured[name, row["id"]] == pytest.approx(
        row["independent"][name], abs=TOLERANCE["own_implementation"][name]
    )


@pytest.mark.parametrize("row", ROWS, ids=[f"{r['id']}-{r['kind']}" for r in ROWS])
def test_golden_metrics_vif64(row):
    sr, gt = read_image(FOLDER / row["dist"]), read_image(FOLDER / row["ref"])
    # both are float64; pyiqa's float32 rounding to grey levels, whose ties hang on the processor, moves VIF by 3e-5:
    # still far closer than the 2e-3 allowed for any implementation
    assert vif64(sr, gt) == pytest.approx(row["independent"]["vif"], abs=5e-5)
    drift = TOLERANCE["pyiqa_same_call"]["vif_kind_smooth" if row["kind"] == "smooth" else "vif"]
    assert vif64(sr, gt) == pytest.approx(row["pyiqa"]["vif"], abs=drift)
    assert vif64(gt, sr) == pytest.approx(row["pyiqa"]["vif_swapped_args"], abs=TOLERANCE["own_implementation"]["vif"])
