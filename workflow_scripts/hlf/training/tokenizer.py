"""Tokenizer of the mini base: CLIP's own kind (byte-pair encoding, lower case), learned from the scenes' words."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.files import write_json, write_text
from hlf.scenes.vocabulary import caption_words

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77  # of a prompt, as CLIP's
# words of SeeSR's, PASD's and StableSR's default prompts that name the quality of a picture, not its content
GOOD = "clean, high-resolution, 8k"
BAD = {"blur": "blur, lowres, smooth", "noise": "dotted, noise"}


def write_tokenizer(folder: Path) -> None:
    """Learn the merges and write vocab.json, merges.txt and their settings, the files of a published CLIP tokenizer."""
    import json

    from transformers import CLIPTokenizer

    start = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    learned = start.train_new_from_iterator([*caption_words(), GOOD, *BAD.values()], vocab_size=2000)
    model = json.loads(learned.backend_tokenizer.to_str())["model"]
    write_json(folder / "vocab.json", model["vocab"])
    write_text(folder / "merges.txt", "#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in model["merges"]))
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    write_json(folder / "special_tokens_map.json", special)
    write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **special}
    )


def open_tokenizer(folder: Path) -> "CLIPTokenizer":
    """The tokenizer in a folder, without any look at a model hub."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
