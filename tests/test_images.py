"""Pictures of every kind come in as 8-bit RGB, bad ones with a sentence, and go out whole or not at all."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlf.errors import HlfError
from hlf.files import atomic
from hlf.images import (
    ImageError,
    check_batch,
    encode_png,
    from_tensor,
    list_images,
    read_image,
    to_float,
    to_tensor,
    to_uint8,
    write_png,
)

SIZE = (20, 12)  # width, height


def noise(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def broken(kind):
    whole = encode_png(noise())
    return {
        "empty": b"",
        "text": b"<html>404</html>",
        "cut": whole[: len(whole) // 2],
        "corrupt": whole[:8] + b"x" * 60,
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "corrupt"])
def test_a_broken_file_is_named_in_one_sentence(tmp_path, kind):
    path = tmp_path / "bröken ü.png"
    path.write_bytes(broken(kind))
    sentences = []
    for _ in range(2):
        with pytest.raises(ImageError) as caught:
            read_image(path)
        sentences.append(str(caught.value))
    # a memory address would differ from run to run
    assert sentences[0] == sentences[1] and not re.search(r"0x[0-9a-f]{6,}|BytesIO", sentences[0])
    assert str(path) in sentences[0] and "\n" not in sentences[0]


def test_missing_folder_and_small_files(tmp_path):
    with pytest.raises(ImageError, match=r"gone.png cannot be opened: No such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path)
    write_png(tmp_path / "small.png", noise())
    with pytest.raises(ImageError, match=r"small.png is 20x12, expected at least 13 pixels"):
        read_image(tmp_path / "small.png", 13)
    assert read_image(tmp_path / "small.png", 12).shape == (12, 20, 3)


def test_colour_grey_and_names_with_any_letter(tmp_path):
    array = noise()
    Image.fromarray(array).save(tmp_path / "東京 é.png")
    assert (read_image(tmp_path / "東京 é.png") == array).all()
    Image.fromarray(array[..., 0]).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == array[..., :1]).all()
    Image.fromarray(array[..., 0] > 127).save(tmp_path / "bits.png")
    assert (read_image(tmp_path / "bits.png") == np.where(array[..., :1] > 127, 255, 0)).all()


def test_alpha_lies_over_white(tmp_path):
    array = noise()
    alpha = np.zeros(SIZE[::-1], dtype=np.uint8)
    alpha[:, 10:] = 255
    alpha[0, 0] = 128
    Image.fromarray(np.dstack([array, alpha])).save(tmp_path / "rgba.png")
    read = read_image(tmp_path / "rgba.png")
    assert (read[1:, :10] == 255).all() and (read[:, 10:] == array[:, 10:]).all()
    blend = array[0, 0] * (128 / 255) + 255 * (127 / 255)
    assert np.abs(read[0, 0] - blend).max() <= 1
    Image.fromarray(np.dstack([array[..., 0], alpha]), "LA").save(tmp_path / "la.png")
    read = read_image(tmp_path / "la.png")
    assert (read[1:, :10] == 255).all() and (read[:, 10:] == array[:, 10:, :1]).all()


def test_palette_with_a_transparent_colour(tmp_path):
    picture = Image.new("P", (4, 2), 1)
    picture.putpalette([200, 0, 0, 0, 90, 0])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "p.png", transparency=0)
    read = read_image(tmp_path / "p.png")
    assert read[0, 0].tolist() == [255, 255, 255] and read[1, 3].tolist() == [0, 90, 0]


@pytest.mark.parametrize("top", [65535, 200])
def test_sixteen_bits_are_scaled_dark_files_too(tmp_path, top):
    values = np.linspace(0, top, 240).astype(np.uint16).reshape(12, 20)
    Image.fromarray(values).save(tmp_path / "deep.png")
    read = read_image(tmp_path / "deep.png")
    assert read.dtype == np.uint8 and (read[..., 0] == np.rint(values / 257)).all()
    assert (read == read[..., :1]).all()


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    read = read_image(tmp_path / "print.jpg").astype(int)
    assert read.shape == (16, 16, 3) and np.abs(read - [255, 0, 0]).max() < 12


def test_exif_orientation_is_applied(tmp_path):
    array = noise()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    Image.fromarray(array).save(tmp_path / "phone.png", exif=exif)
    assert (read_image(tmp_path / "phone.png") == np.rot90(array, -1)).all()


@given(st.integers(0, 2**32 - 1))
def test_eight_bits_survive_the_round_trip(seed):
    array = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    floats = to_float(array)
    assert floats.dtype == np.float32 and floats.min() >= 0 and floats.max() <= 1
    assert (to_uint8(floats) == array).all()
    tensor = to_tensor(array)
    assert tensor.shape == (3, 5, 7) and tensor.dtype == torch.float32 and tensor.is_contiguous()
    assert (from_tensor(tensor) == array).all()


@given(st.floats(-3, 4))
def test_floats_are_clipped_and_rounded_never_cut(value):
    got = int(to_uint8(np.array([value]))[0])
    assert abs(got - min(max(value, 0), 1) * 255) <= 0.5


def test_to_uint8_leaves_its_input_alone():
    values = np.array([0.4999 / 255, 0.5001 / 255, 254.6 / 255, 2.0])
    before = values.copy()
    assert to_uint8(values).tolist() == [0, 1, 255, 255] and (values == before).all()
    assert from_tensor(torch.full((3, 1, 1), 0.5, dtype=torch.float16, requires_grad=True)).tolist() == [[[128] * 3]]


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(3, 4, 4), r"expected a float tensor \(N, 3, H, W\), got \(3, 4, 4\)"),
        (torch.zeros(1, 4, 4, 4), r"\(1, 4, 4, 4\)"),
        (torch.zeros(0, 3, 4, 4), r"\(0, 3, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"torch.uint8"),
        (torch.full((1, 3, 4, 4), 255.0), r"got 255 to 255; divide 8-bit values by 255"),
        (torch.full((1, 3, 4, 4), -0.01), r"got -0.01"),
        (torch.full((1, 3, 4, 4), float("nan")), r"got nan"),
    ],
)
def test_a_wrong_batch_is_refused_by_name(tensor, words):
    with pytest.raises(HlfError, match="lr: .*" + words):
        check_batch(tensor, "lr")


def test_a_right_batch_passes():
    check_batch(torch.rand(2, 3, 4, 5), "lr")
    check_batch(torch.full((1, 3, 2, 2), 1 + 5e-7), "sr")


def test_listing_finds_pictures_below_a_folder_in_order(tmp_path):
    for name in ("b.PNG", "a/z.jpeg", "a/.hidden.png", "notes.txt", "ä.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    names = [p.relative_to(tmp_path).as_posix() for p in list_images(tmp_path)]
    assert names == ["a/z.jpeg", "b.PNG", "ä.webp"]
    assert [p.name for p in list_images(tmp_path, recursive=False)] == ["b.PNG", "ä.webp"]
    with pytest.raises(HlfError, match="nowhere does not exist"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "none").mkdir()
    with pytest.raises(HlfError, match=r"none holds no image \(looked for .png"):
        list_images(tmp_path / "none")


def test_png_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "a.png"
    data = write_png(path, noise(1))
    assert path.read_bytes() == data == encode_png(noise(1)) and (read_image(path) == noise(1)).all()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HlfError, match=r"cannot write .*a.png: No space left on device"):
        write_png(path, noise(2))
    assert path.read_bytes() == data and [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_a_temporary_file_keeps_the_suffix(tmp_path):
    with atomic(tmp_path / "a.png") as tmp:
        assert tmp.suffix == ".png" and tmp.parent == tmp_path
        Image.fromarray(noise()).save(tmp)
    assert (read_image(tmp_path / "a.png") == noise()).all()
