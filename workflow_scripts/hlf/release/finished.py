"""A finished run as the release sees it: its tables, its facts, and what its provenance file says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import read_json, read_table
from hlf.paper.gather import facts_of

if TYPE_CHECKING:
    import pandas as pd

    from hlf.paper.facts import Facts

# tables of a run that the data set package is made of
TABLES = ("manifest", "lr", "sr", "pairs", "votes", "scores", "split", "iqa", "metric")
COPY, RECIPE, AUTO = "copy", "recipe", "auto"


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        results: results/<run>.
        tables: those of TABLES, by name.
        facts: provenance in the words of tables and figures.
        config: merged configuration as `hlf.config.shown` gives it.
        release: the configuration's group `release`.
        origin: content of provenance.json.
    """

    results: Path
    tables: "Mapping[str, pd.DataFrame]"
    facts: "Facts"
    config: Mapping[str, Any]
    release: Mapping[str, Any]
    origin: Mapping[str, Any]

    @property
    def copies(self) -> bool:
        """Whether pictures go along, or only recipes of them."""
        images = self.config["images"]["source"]
        return copies_images(self.release["images"], images, self.release["image_licence"])


def copies_images(choice: str, source: str, licence: str) -> bool:
    """Whether pictures go along with the data set.

    Args:
        choice: `release.images`.
        source: `images.source`.
        licence: `release.image_licence`.

    >>> [copies_images("auto", *how) for how in (("folder", ""), ("folder", "CC0-1.0"), ("scenes", ""))]
    [False, True, True]
    """
    return choice == COPY or (choice == AUTO and (source == "scenes" or bool(licence)))


def read_finished(files: Mapping[str, str | Path], results: Path, settings: Mapping[str, Any]) -> Finished:
    """Read a finished run.

    Args:
        files: path of each of TABLES, of `complete` and of `origin`.
        results: results/<run>.
        settings: of a rule: run, seed, scale, zoo, config_hash, config, release.*.

    Raises:
        HlfError: the run is not finished, or a table is missing or broken.
    """
    if not Path(files["complete"]).is_file():
        raise HlfError(f"{results} is not finished: {files['complete']} does not exist; run `snakemake all` first")
    tables = {name: read_table(files[name]) for name in TABLES}
    if tables["scores"].empty or not (tables["scores"]["status"] == "complete").any():
        raise HlfError(f"{results} holds no pair with enough votes; there is nothing to release")
    facts = facts_of(dict(settings), tables["scores"], tables["sr"], tables["metric"])
    release = {k.removeprefix("release."): v for k, v in settings.items() if k.startswith("release.")}
    return Finished(results, tables, facts, settings["config"], release, read_json(files["origin"]))
