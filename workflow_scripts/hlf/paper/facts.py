"""Where the numbers of a run come from: the same words under every table, in every figure and in the report."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

# votes.source of answers given by people; every other source is stamped
HUMAN = "human"
NO_VOTES = ""  # source of what no vote takes part in
OFFICIAL = "official"


class Provenance(Protocol):
    """What a figure needs to know of where its numbers come from."""

    def stamp(self) -> str:
        """Warning in red; empty when there is nothing to warn of."""

    def caption(self) -> str:
        """Small print in plain ASCII."""


@dataclass(frozen=True)
class Facts:
    """Provenance of everything that one run shows.

    Attributes:
        run: name of the run, `results/<run>/`.
        scale: size of the run, such as "mini" or "paper".
        zoo: "official" for published checkpoints, otherwise the zoo's name ("mini").
        votes: source of the scores, "human" or "simulated"; NO_VOTES where no vote takes part.
        n_pairs: scored pairs of the run (training and test part); 0 where no vote takes part.
        seed: the run's configuration seed.
        config_hash: hexadecimal digest of the merged configuration.
        weights: name of a model -> SHA-256 of its weights file.
    """

    run: str
    scale: str
    zoo: str
    votes: str
    n_pairs: int
    seed: int
    config_hash: str
    weights: Mapping[str, str] = field(default_factory=dict)

    def stamp(self) -> str:
        """Warning that has to stand in every output; empty for official models judged by people.

        >>> Facts("r", "mini", "mini", "human", 3, 1, "ab").stamp()
        'MINI models - tests the software, says nothing about any published SR model'
        """
        models, votes = self.zoo != OFFICIAL, self.votes not in (HUMAN, NO_VOTES)
        if models and votes:
            return (
                f"{self.zoo.upper()} models, {self.votes.upper()} votes - "
                "tests the software, says nothing about any SR model or person"
            )
        if models:
            return f"{self.zoo.upper()} models - tests the software, says nothing about any published SR model"
        if votes:
            return f"{self.votes.upper()} votes - tests the software, says nothing about what people see"
        return ""

    def weights_hash(self) -> str:
        """One short digest of all weights together, so that a figure's small print can hold it."""
        text = "\n".join(f"{name} {digest}" for name, digest in sorted(self.weights.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def caption(self) -> str:
        """One sentence of provenance in plain ASCII, weights shortened to one digest."""
        count = f"{len(self.weights)} file{'s' if len(self.weights) != 1 else ''}"
        weights = f"; weights {self.weights_hash()} ({count})" if self.weights else ""
        votes = "" if self.votes == NO_VOTES else f"{self.votes} votes, {self.n_pairs} pairs, "
        return (
            f"Run {self.run}, scale {self.scale}, {self.zoo} zoo, {votes}"
            f"seed {self.seed}; configuration {self.config_hash[:12]}{weights}."
        )

    def origin(self) -> str:
        """The start of `caption`: what a reader needs at each table and figure of one page.

        >>> Facts("r", "mini", "mini", "simulated", 3, 1, "ab").origin()
        'Run r, simulated votes, 3 pairs, seed 1.'
        """
        votes = "" if self.votes == NO_VOTES else f"{self.votes} votes, {self.n_pairs} pairs, "
        return f"Run {self.run}, {votes}seed {self.seed}."

    def weights_caption(self) -> str:
        """Every weights file with the first 12 digits of its hash; empty when the run used none."""
        names = ", ".join(f"{name} {digest[:12]}" for name, digest in sorted(self.weights.items()))
        return f"Weights (SHA-256): {names}." if names else ""

    def columns(self) -> dict[str, str | int]:
        """Columns that make each row of a CSV traceable by itself."""
        return {
            "run": self.run,
            "scale": self.scale,
            "zoo": self.zoo,
            "source": self.votes,
            "seed": self.seed,
            "config_hash": self.config_hash,
            "weights_hash": self.weights_hash(),
        }
