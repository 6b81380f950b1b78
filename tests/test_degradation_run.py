"""Degradation stage: files, table, resume."""

import json

import numpy as np
import pandas as pd
import pytest

from hlf import resume
from hlf.degradation.apply import apply_plan
from hlf.degradation.run import degrade_images
from hlf.errors import HlfError
from hlf.files import sha256
from hlf.images import read_image, to_float, to_uint8, write_png


def gt_of(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


@pytest.fixture
def study(tmp_path):
    """Three small GT images and their manifest; the last lies in a sub-folder and has odd sides."""
    rows = []
    for name, folder, (height, width) in (("a", "", (32, 48)), ("b", "", (40, 32)), ("c", "007", (37, 43))):
        path = f"images/{folder}/{name}.png".replace("//", "/")
        write_png(tmp_path / path, to_uint8(gt_of(height, width, seed=ord(name))))
        row = {"run": "t", "image_id": name, "role": "dataset", "folder": folder, "path": path, "seed": 0, "source": ""}
        rows.append(row | {"width": width, "height": height, "sha256": sha256(tmp_path / path)})
    return tmp_path, pd.DataFrame(rows)


def run(study, manifest=None, levels=(0.3, 1.0), key="k", variant="bsrgan"):
    results, rows = study
    return degrade_images(rows if manifest is None else manifest, results, levels, 42, "t", variant, key)


def test_stage_writes_what_the_table_says(study):
    table, times = run(study)
    assert len(table) == len(times) == 6
    assert table.path.tolist()[-2:] == ["degradation/0.3/007/c.png", "degradation/1.0/007/c.png"]
    for row in table.itertuples():
        assert sha256(study[0] / row.path) == row.sha256
        lr = read_image(study[0] / row.path)
        assert lr.shape == (row.height, row.width, 3)
        gt = to_float(read_image(study[0] / f"images/{'007/' if row.image_id == 'c' else ''}{row.image_id}.png"))
        assert np.array_equal(lr, to_uint8(apply_plan(gt, json.loads(row.plan))))
    assert table.seed.is_unique and table.plan.is_unique


def test_order_shards_and_resume_change_nothing(study):
    whole, _ = run(study)
    files = {p: p.stat().st_mtime_ns for p in study[0].glob("degradation/*/**/*.png")}
    again, times = run(study)
    assert times.empty and whole.equals(again)
    assert files == {p: p.stat().st_mtime_ns for p in files}
    for path in files:
        path.unlink()
    parts = [run(study, study[1].iloc[[i]], levels)[0] for i in (2, 0, 1) for levels in ((1.0,), (0.3,))]
    joined = pd.concat(parts).sort_values(["image_id", "level"], ignore_index=True)
    assert whole.equals(joined)


def test_damaged_and_outdated_files_are_made_again(study):
    whole, _ = run(study)
    torn = study[0] / "degradation/0.3/a.png"
    torn.write_bytes(torn.read_bytes()[:-20])
    (study[0] / "degradation/1.0/b.png").unlink()
    record = resume.record_path(study[0] / "degradation/1.0/007/c.png")
    record.write_text(record.read_text()[:30])
    again, times = run(study)
    assert again.equals(whole)
    assert sorted(zip(times.image_id, times.level, strict=True)) == [("a", 0.3), ("b", 1.0), ("c", 1.0)]
    assert len(run(study, key="other")[1]) == 6
    assert len(run(study, key="other", variant="bsrgan_plus")[1]) == 6


def test_gt_that_changed_is_refused(study):
    write_png(study[0] / "images/a.png", to_uint8(gt_of(32, 48, seed=9)))
    with pytest.raises(HlfError, match=r"a\.png is not the file of its manifest row"):
        run(study)


def test_missing_and_small_gt_are_named(study):
    results, rows = study
    small = rows.assign(width=12)
    with pytest.raises(HlfError, match=r"images/a\.png: a GT of 12x32"):
        run(study, small)
    (results / "images/b.png").unlink()
    with pytest.raises(HlfError, match=r"b\.png cannot be opened"):
        run(study)


def test_empty_manifest_gives_empty_tables(study):
    table, times = run(study, study[1].iloc[:0])
    assert table.empty and times.empty and "plan" in table


def test_kept_only_while_image_record_and_facts_agree(tmp_path):
    image = tmp_path / "a.png"
    record = resume.record_path(image)
    facts = {"seed": 2**64 - 1, "levels": (0.3, 1.0)}
    assert record == tmp_path / ".work" / "a.json"
    assert not resume.kept(image, record, facts)
    data = write_png(image, to_uint8(gt_of(16, 16)))
    assert not resume.kept(image, record, facts)  # killed between image and record
    resume.remember(sha256(image), record, facts)
    assert resume.kept(image, record, facts)
    assert not resume.kept(image, record, facts | {"seed": 1})
    image.write_bytes(data[: len(data) // 2])
    assert not resume.kept(image, record, facts)
    image.write_bytes(data)
    for broken in ("{", "[]", '{"facts": {}}', ""):
        record.write_text(broken)
        assert not resume.kept(image, record, facts)
