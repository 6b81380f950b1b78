"""Command `hlf sr` with the diffusion models: one bad image neither ends the run nor hides; what is whole is kept."""

import pytest
import torch

from diffusion_helpers import QUICK, ZOOS
from hlf.cli import main
from hlf.files import read_table
from hlf.images import read_image
from sr_helpers import picture, png


@pytest.mark.parametrize("name", list(ZOOS))
def test_a_folder_with_a_bad_image_is_finished_told_of_and_resumed(tmp_path, capsys, name):
    torch.set_num_threads(1)
    zoo, folder, out = ZOOS[name](tmp_path / "zoo"), tmp_path / "in", tmp_path / "out"
    options = [word for key, value in QUICK[name].items() for word in ("--option", f"{key}={value}")]
    argv = ["sr", "-m", name, "-i", str(folder), "-o", str(out), "--device", "cpu", "--zoo-folder", str(zoo), *options]
    folder.mkdir()
    for number, stem in enumerate(("a", "c")):
        (folder / f"{stem}.png").write_bytes(png(picture(12, 11, number)))
    (folder / "b.png").write_bytes(png(picture(12, 11))[:100])
    assert main(argv) == 1
    capsys.readouterr()
    failures = read_table(out / "failures.csv")
    assert list(failures["image_id"]) == ["b"] and list(failures["model"]) == [name]
    assert "b.png" in failures["reason"][0] and "cannot be decoded" in failures["reason"][0]
    first = {stem: (out / f"{stem}.png").read_bytes() for stem in ("a", "c")}
    assert list(read_table(out / "sr.parquet")["image_id"]) == ["a", "c"]
    assert read_image(out / "a.png").shape == (48, 44, 3)
    # mended, cut short by a kill, and called again: the missing ones are made, the whole one is left alone
    (folder / "b.png").write_bytes(png(picture(12, 11, 2)))
    (out / "c.png").write_bytes(first["c"][:-10])
    kept = (out / "a.png").stat().st_mtime_ns
    assert main(argv) == 0
    assert (out / "a.png").stat().st_mtime_ns == kept
    assert (out / "c.png").read_bytes() == first["c"] and (out / "b.png").is_file()
    assert len(read_table(out / "failures.csv")) == 0
