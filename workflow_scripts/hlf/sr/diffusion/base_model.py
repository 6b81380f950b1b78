"""The base model of a diffusion SR model: scheduler, text encoder and VAE from a folder in the layout of diffusers.

Weights are loaded strictly; diffusers and transformers would only warn about what is missing. Nothing is downloaded.
"""

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging

from hlf.errors import HlfError
from hlf.sr.diffusion.prompts import TextEncoder
from hlf.zoo.load import build_filled, check_state, read_config, read_state

# names of the VAE's attention before diffusers 0.17
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


class BaseFiles(NamedTuple):
    """Files of the zoo entry of a base model, in its order."""

    scheduler: Path
    text_config: Path
    text_weights: Path
    vocabulary: Path
    merges: Path
    tokenizer_config: Path
    special_tokens: Path
    vae_config: Path
    vae_weights: Path


def arguments(constructor: Any, path: Path) -> dict[str, Any]:
    """Constructor arguments among the keys of a config.json of diffusers."""
    known = inspect.signature(constructor).parameters
    return {key: value for key, value in read_config(path).items() if key in known}


def load_scheduler(files: BaseFiles) -> DDPMScheduler:
    """DDPM scheduler with the base model's noise schedule, whatever scheduler class its config names."""
    return DDPMScheduler(**arguments(DDPMScheduler.__init__, files.scheduler))


def load_vae(files: BaseFiles, dtype: torch.dtype, device: str) -> AutoencoderKL:
    """VAE in a float type on a device.

    Raises:
        HlfError: weights that do not fit the config.
    """
    own = arguments(AutoencoderKL.__init__, files.vae_config)
    vae = build_filled(lambda: AutoencoderKL(**own), read_vae(files), files.vae_weights)
    torch.nn.Module.to(vae, device, dtype)  # see `hlf.sr.diffusion.placing`
    return vae


def read_vae(files: BaseFiles) -> dict[str, Tensor]:
    """Tensors of the VAE; old attention names are renamed."""
    state = read_state(files.vae_weights, mapped=True)
    for old, new in _OLD_ATTENTION.items():
        state = {key.replace(old, new) if ".attentions." in key else key: value for key, value in state.items()}
    return state


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no report of transformers, whose findings are told in one sentence instead."""
    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_text_encoder(files: BaseFiles, dtype: torch.dtype, device: str) -> TextEncoder:
    """Tokenizer and text model in a float type on a device.

    Raises:
        HlfError: unreadable files, or weights that do not fit the config.
    """
    folder = files.text_config.parent
    try:
        # transformers renames its text model's keys from version to version, and translates old files only in here
        with _quiet():
            # told of mismatched sizes below, by name
            loaded: Any = CLIPTextModel.from_pretrained(
                folder,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
            )
        tokenizer = CLIPTokenizer.from_pretrained(files.vocabulary.parent, local_files_only=True)
    except Exception as error:  # broken files surface as nearly every type there
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise HlfError(f"text encoder in {folder.parent} cannot be loaded ({reason}); fetch it again") from error
    model, found = loaded
    for problem in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        names = [key if isinstance(key, str) else key[0] for key in found[problem]]
        keys = sorted(key for key in names if "position_ids" not in key)
        if keys:
            word = problem.split("_")[0]
            raise HlfError(
                f"checkpoint {files.text_weights} has {len(keys)} {word} keys, first '{keys[0]}'; "
                "it belongs to another text encoder"
            )
    state = model.state_dict()
    check_state(state, state, files.text_weights)  # names and shapes fit by now; values may still be broken
    return TextEncoder(tokenizer, model.eval().requires_grad_(False).to(device, dtype))
