"""Tokenizer of the mini base: CLIP's own kind (byte-pair encoding, lower case), learned from the scenes' words."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.files import write_json, write_text
from hlf.scenes.vocabulary import caption_words

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
LENGTH = 77  # of a prompt, as CLIP's
# words of SeeSR's, PASD's and StableSR's default prompts that name the quality of a picture, not its content
GOOD = "clean, high-resolution, 8k"
BAD = {"blur": "blur, lowres, smooth", "noise": "dotted, noise"}


def learned_merges(words: list[str]) -> list[tuple[str, str]]:
    """Merges of byte-pair encoding until every word is one token: the most frequent pair first, ties by spelling.

    Own code, since tokenizers' trainer counts words in a randomly seeded table and breaks ties by what it met first, so
    that another process learns other merges.

    >>> learned_merges(["ab", "abc"])
    [('a', 'b'), ('a', 'b</w>'), ('ab', 'c</w>')]
    """
    spelled = [[*word[:-1], word[-1] + WORD_END] for word in sorted(set(words))]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for parts in spelled for pair in pairwise(parts)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        spelled = [_merged(parts, best) for parts in spelled]
    return merges


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if found and (found[-1], part) == pair:
            found[-1] += part
        else:
            found.append(part)
    return found


def write_tokenizer(folder: Path) -> None:
    """Learn the merges and write vocab.json, merges.txt and their settings, the files of a published CLIP tokenizer."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    split = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[]).backend_tokenizer.pre_tokenizer
    texts = [*caption_words(), GOOD, *BAD.values()]
    merges = learned_merges([word for text in texts for word, _ in split.pre_tokenize_str(text)])
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + WORD_END for letter in letters), *(first + second for first, second in merges)]
    write_json(folder / "vocab.json", {token: i for i, token in enumerate([*dict.fromkeys(tokens), START, END])})
    write_text(folder / "merges.txt", "#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in merges))
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    write_json(folder / "special_tokens_map.json", special)
    write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **special}
    )


def open_tokenizer(folder: Path) -> "CLIPTokenizer":
    """The tokenizer in a folder, without any look at a model hub."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
