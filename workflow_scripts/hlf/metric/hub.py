"""Model folders from and to a model hub, in the style of the hub's own mixin.

The mixin itself is not used: it asks the network before it looks at the disk, loads weights without checking that all
are there, falls back to pickles, and would make its package a need of every import of the metric.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.metric.model import FILES

EXTRA = "'.[metric]'"


def fetch(repo_id: str, revision: str | None, local_files_only: bool) -> Path:
    """Folder of the cache with the files of `repo_id`, fetched first when the network is allowed and they are missing.

    Raises:
        HlfError: neither a folder nor a hub id, files that are not there, or the package huggingface_hub is missing.
    """
    if repo_id.count("/") != 1 or repo_id.startswith((".", "/", "~")):
        raise HlfError(f"model folder {repo_id} does not exist; expected a folder or an id of a model hub (owner/name)")
    with needed_for("a model of the hub", EXTRA):
        from huggingface_hub import snapshot_download
    try:
        return Path(
            snapshot_download(repo_id, revision=revision, local_files_only=local_files_only, allow_patterns=list(FILES))
        )
    except Exception as error:  # the library has types of its own for no network, no repository, no revision, no cache
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        place = "in the local cache, and the network was not asked" if local_files_only else "on the hub"
        advice = "; local_files_only=False fetches it, or give a folder" if local_files_only else ""
        version = f" at {revision}" if revision else ""
        raise HlfError(f"no folder {repo_id}, and no such model{version} {place} ({reason}){advice}") from error


def push(save: Callable[[Path], None], repo_id: str, private: bool | None, token: str | None) -> str:
    """Upload what `save` writes into a folder as one commit to `repo_id`; returns its address."""
    with needed_for("publishing a model", EXTRA):
        from huggingface_hub import HfApi
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        save(folder)
        repo = api.create_repo(repo_id=repo_id, private=private, exist_ok=True).repo_id
        return str(api.upload_folder(repo_id=repo, repo_type="model", folder_path=folder))
