"""What a run says of one finding of the paper: comparisons with intervals, one rule for the verdict, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hlf.paper.formats import number

SHOWN, NOT_SHOWN, OPPOSITE = "shown", "not shown", "opposite"
VERDICTS = (SHOWN, NOT_SHOWN, OPPOSITE)
VERDICT_RULE = (
    "A comparison is shown when its 95 % interval lies wholly on the claimed side, opposite when wholly on the other "
    "side, not shown in between or where there is no interval. A finding of several comparisons is shown when all are "
    "and none that it names is left out of the run, opposite when none is shown and at least one is opposite; its "
    "number is that of the weakest one, whose interval lies least on the claimed side for its width. Intervals are not "
    "corrected for their number."
)
NAMED = 4  # most comparisons that are named one by one


@dataclass(frozen=True)
class Comparison:
    """One number with its interval, and what the paper claims of it.

    Attributes:
        name: what is compared, in a few words, such as "BLIP" or "PE HLF (0.1)".
        value: the number; NaN where undefined.
        low: lower end of its 95 % interval; NaN where there is none.
        high: upper end.
        n: how many pairs or images it stands on.
        of: "pairs" or "images".
        limit: border between the claimed side and the other one.
        above: True when the paper claims a value above the limit, False for below.
        paper: the same number from the paper's tables; NaN where it prints none.
        reason: why there is no value or no interval; "" for none.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    of: str = "pairs"
    limit: float = 0.0
    above: bool = True
    paper: float = math.nan
    reason: str = ""

    @property
    def claimed(self) -> str:
        """The claimed side, such as "> 0"."""
        return f"{'>' if self.above else '<'} {self.limit:g}"

    @property
    def verdict(self) -> str:
        """One of VERDICTS by VERDICT_RULE; an interval that touches the limit is on neither side."""
        worst, best = self._ends()
        return SHOWN if worst > 0 else OPPOSITE if best < 0 else NOT_SHOWN

    @property
    def strength(self) -> float:
        """How far the interval's worse end lies on the claimed side, in widths of the interval; -inf without one."""
        worst, best = self._ends()
        if math.isnan(worst):
            return -math.inf
        return worst / (best - worst) if best > worst else math.copysign(math.inf, worst) if worst else 0.0

    def _ends(self) -> tuple[float, float]:
        """Interval as distances from the limit, worse end first, positive = claimed side."""
        low, high = self.low - self.limit, self.high - self.limit
        return (low, high) if self.above else (-high, -low)

    def beyond(self, value: float) -> float:
        """How far a value lies on the claimed side of the limit; negative on the other side, NaN of NaN."""
        return (value - self.limit) * (1 if self.above else -1)

    def said(self) -> str:
        """Name, number and interval for a sentence."""
        interval = "" if math.isnan(self.low) else f" [{number(self.low)}, {number(self.high)}]"
        return f"{self.name} {number(self.value) or 'undefined'}{interval}"


@dataclass(frozen=True)
class Claim:
    """A finding as the paper states it.

    Attributes:
        text: one sentence.
        section: where the paper states it.
        measure: what the compared number is.
        figures: stems of the tables and figures in which a run shows it.
        mini: why networks of the mini zoo may not show it: of the mini world in general, not of one run.
        simulated: what simulated votes have to do with it; "" for nothing.
        unprinted: what stands in place of the paper's number where it prints none; "" where it prints one.
    """

    text: str
    section: str
    measure: str
    figures: tuple[str, ...]
    mini: str
    simulated: str = ""
    unprinted: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a run has for one finding.

    Attributes:
        comparisons: those that the run could make, defined or not.
        absent: ingredients that its configuration leaves out, by name.
        beside: sentences with further numbers of the run.
        whole: False when what is absent is named by the claim ("all", "both", "none"), which then cannot be shown.
    """

    comparisons: tuple[Comparison, ...]
    absent: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    whole: bool = True

    @property
    def verdict(self) -> str:
        """One of VERDICTS by VERDICT_RULE."""
        found = [c.verdict for c in self.comparisons]
        if found and set(found) == {SHOWN}:
            return SHOWN if self.whole else NOT_SHOWN
        return OPPOSITE if OPPOSITE in found and SHOWN not in found else NOT_SHOWN

    @property
    def weakest(self) -> Comparison | None:
        """The comparison that decides: of those with an interval the one of least strength, else the first."""
        known = [c for c in self.comparisons if not math.isnan(c.low)] or list(self.comparisons)
        return min(known, key=lambda c: c.strength, default=None)


def row(claim: Claim, evidence: Evidence, mini: bool, simulated: bool) -> dict[str, object]:
    """One row of the table of findings.

    Args:
        claim: the paper's.
        evidence: the run's.
        mini: whether the networks are those of the mini zoo.
        simulated: whether the votes are.

    Returns:
        Columns finding, section, paper, measure, claimed, shown, interval_low, interval_high, n, verdict, why, figure.
    """
    weakest, many = evidence.weakest, len(evidence.comparisons)
    shown = weakest or Comparison("", math.nan, math.nan, math.nan, 0)
    which = f"; weakest of {many}: {shown.name}" if many > 1 else f": {shown.name}" if weakest else ""
    return {
        "finding": claim.text,
        "section": claim.section,
        "paper": _paper(claim, evidence),
        "measure": claim.measure + which,
        "claimed": shown.claimed if weakest else "",
        "shown": shown.value,
        "interval_low": shown.low,
        "interval_high": shown.high,
        "n": shown.n if weakest else None,
        "verdict": evidence.verdict,
        "why": why(claim, evidence, mini, simulated),
        "figure": ", ".join(claim.figures) if weakest else "",
    }


def _paper(claim: Claim, evidence: Evidence) -> str:
    """The paper's number of the comparison that decides, and how many of the others it has on the claimed side."""
    known, weakest = [c for c in evidence.comparisons if not math.isnan(c.paper)], evidence.weakest
    if not known or weakest is None:
        return claim.unprinted
    right = sum(c.beyond(c.paper) > 0 for c in known)
    parts = [number(weakest.paper)] + ([f"{right} of {len(known)} as claimed"] if len(evidence.comparisons) > 1 else [])
    return "; ".join(part for part in parts if part)


def why(claim: Claim, evidence: Evidence, mini: bool, simulated: bool) -> str:
    """Reasons for a verdict: which comparisons, how much the run could tell, further numbers, the world it lives in."""
    weakest = evidence.weakest
    parts = []
    if weakest is None:
        parts.append("Nothing to compare in this run.")
    elif len(evidence.comparisons) > 1:
        parts.append(counted(evidence.comparisons))
    elif weakest.reason:
        parts.append(f"No interval: {weakest.reason}.")
    elif weakest.verdict != NOT_SHOWN:
        parts.append(f"The interval lies wholly on the {'claimed' if weakest.verdict == SHOWN else 'other'} side.")
    if evidence.absent:
        so = "" if evidence.whole or weakest is None else ", and needed to show the finding as a whole"
        parts.append(f"Left out of this run{so}: {', '.join(evidence.absent)}.")
    if weakest is not None and weakest.verdict == NOT_SHOWN and not weakest.reason:
        parts.append(power(weakest, "The weakest number" if len(evidence.comparisons) > 1 else "The number"))
    parts += evidence.beside
    if mini and weakest is not None and weakest.verdict != SHOWN and not weakest.reason:
        parts.append(claim.mini)
    if simulated and weakest is not None and claim.simulated:
        parts.append(claim.simulated)
    return " ".join(parts)


def counted(comparisons: Sequence[Comparison]) -> str:
    """How many comparisons are shown, and which are not; of a few all are named."""
    shown = [c for c in comparisons if c.verdict == SHOWN]
    groups = {
        "opposite": [c for c in comparisons if c.verdict == OPPOSITE],
        "undefined": [c for c in comparisons if c.reason],
        "undecided": [c for c in comparisons if c.verdict == NOT_SHOWN and not c.reason],
    }
    text = f"{len(shown)} of {len(comparisons)} comparisons shown"
    if shown and len(comparisons) <= NAMED:
        text += f": {', '.join(c.said() for c in shown)}"
    for word, group in groups.items():
        if group:
            first = sorted(group, key=lambda c: c.strength)[:NAMED]
            more = f" and {len(group) - len(first)} more" if len(group) > len(first) else ""
            text += f"; {word}: {', '.join(c.name if math.isnan(c.value) else c.said() for c in first)}{more}"
    reasons = sorted({c.reason for c in comparisons if c.reason})
    return f"{text}." + (f" No interval: {reasons[0]}." if reasons else "")


def power(one: Comparison, which: str) -> str:
    """What a comparison that decides nothing could have told: its reach, against the paper's number where it has one.

    `which`: how the sentence calls its number, such as "The weakest number".
    """
    gap, theirs = one.beyond(one.value), one.beyond(one.paper)
    side = "on the claimed side" if gap > 0 else "on the other side" if gap < 0 else "on the border"
    reach = one.value - one.low if one.above else one.high - one.value
    text = (
        f"{which} lies {side}; with {one.n} {one.of} it would have to lie more than {number(reach)} from "
        f"{one.limit:g} to count"
    )
    if not theirs > 0:
        return f"{text}."
    return f"{text}, {'as the paper' if theirs > reach else 'more than the paper'}'s {number(theirs)}" + (
        " does." if theirs > reach else "."
    )
