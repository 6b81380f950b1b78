"""What a run has for each finding: which rows, SR models and variants are compared, and what stands beside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hlf.iqa.registry import METRICS
from hlf.paper import expected
from hlf.paper import findings_measures as measures
from hlf.paper import findings_models as models
from hlf.paper.facts import OFFICIAL
from hlf.paper.findings_verdict import Comparison, Evidence, counted
from hlf.paper.formats import number
from hlf.paper.tables import row_name
from hlf.paper.tuning import measures as measures_of
from hlf.tuning.variants import BASELINE, variant_name

if TYPE_CHECKING:
    import pandas as pd

ALPHAS = (0.1, 0.01)  # of the paper's Table 4
HLF, DISTORTION = ("clip_hlf", "blip_hlf", "pe_hlf"), ("psnr", "ssim", "vif")  # columns of it
# SRCC halfway from the paper's best no-reference measure (0.29) to the least of its moderately consistent ones (0.72)
HALFWAY = 0.5
NO_REFERENCE = [name for key, name in expected.METRIC_NAMES.items() if METRICS[key].kind == "NR"]
SIMPLE = ("PSNR", "SSIM")
LEARNED = ("LPIPS", "DISTS", "A-FINE fidelity term")
MIDDLE = ("VIF", *LEARNED)
FOUNDATION = tuple(name for name in expected.BACKBONE_NAMES if name != "vit")  # ViT Score is what they are held against
UNTOUCHED, TUNED = ([row_name(b, tuned, OFFICIAL) for b in FOUNDATION] for tuned in (False, True))
VIT_SCORE = row_name("vit", False, OFFICIAL)
# name of a comparison, the rows of Tables 2 and 3 that it is about, and those they are held against
Part = tuple[str, Sequence[str], Sequence[str]]


class Material:
    """Tables of a run behind its findings.

    Attributes:
        tables: scores, split, iqa, metric, measures, strata, pairs, agreement, ceiling; folds and evaluation only where
            the configuration makes them.
        n_boot: resamples over GT images.
        seed: the run's seed.
    """

    def __init__(self, tables: "Mapping[str, pd.DataFrame]", n_boot: int, seed: int) -> None:
        self.tables, self.n_boot, self.seed = tables, n_boot, seed
        self.pairs = models.complete(tables["scores"])
        iqa, metric, scores, split = (tables[name] for name in ("iqa", "metric", "scores", "split"))
        self.rows = measures.Rows(iqa, metric, scores, split, n_boot, seed)
        self.everything = measures.Rows(iqa, metric, scores, split.assign(part="test"), n_boot, seed)

    def have(self, names: Sequence[str]) -> list[str]:
        """Those rows of Tables 2 and 3 that the run measured."""
        return [name for name in names if name in self.rows.kinds]

    def of_kind(self, kind: str) -> list[str]:
        """Rows of the paper's Table 2 of kind "FR" or "NR" that the run measured."""
        return [name for name in self.have(list(expected.TABLE2)) if self.rows.kinds[name] == kind]

    def compare(self, parts: "Sequence[Part]", **more: Any) -> tuple[Comparison, ...]:
        """`measures.Rows.contrast` of each part, on the test pairs."""
        return tuple(self.rows.contrast(name, first, second, **more) for name, first, second in parts)

    def on_all(self, parts: "Sequence[Part]", **more: Any) -> tuple[str, ...]:
        """The same on all scored pairs, for rows that were fitted to none of them: a sentence, none without parts."""
        found = [self.everything.contrast(name, first, second, **more) for name, first, second in parts]
        if not found:
            return ()
        text = counted(found) if len(found) > 1 else f"{found[0].said()}."
        return (f"On all {self.everything.pairs} scored pairs, to which none of these rows was fitted: {text}",)

    def gap(
        self, table: "pd.DataFrame", column: str, first: Sequence[str], second: Sequence[str], **more: Any
    ) -> Comparison:
        """`models.gap` with the run's resamples."""
        return models.gap(table, column, first, second, self.n_boot, self.seed, **more)


def _u_shape(of: Material) -> Evidence:
    return Evidence((models.u_shape(of.pairs, of.n_boot, of.seed),))


def _consistent(of: Material) -> Evidence:
    return Evidence((models.agreement(of.tables["agreement"]),))


def _models(
    of: Material, sharper: Sequence[str], than: Sequence[str], worse: Sequence[str], better: Sequence[str]
) -> Evidence:
    """The first models sharper than the second ones, and of two other groups the first with higher scores."""
    named = dict.fromkeys((*sharper, *than, *worse, *better))
    absent = [m for m in named if m not in set(of.pairs["model"])]
    if absent:
        return Evidence((), tuple(expected.MODEL_NAMES[m] for m in absent))
    pictures = of.tables["measures"][~of.tables["measures"]["baseline"].astype(bool)]
    found = (
        _renamed("sharpness, {}", of.gap(pictures, "sharpness", sharper, than)),
        _renamed("score, {}", of.gap(of.pairs, "score", worse, better)),
    )
    return Evidence(found, beside=(*_all_candidates(of, worse, better), *_content(of, worse, better)))


def _renamed(pattern: str, one: Comparison) -> Comparison:
    return replace(one, name=pattern.format(one.name))


def _all_candidates(of: Material, worse: Sequence[str], better: Sequence[str]) -> list[str]:
    """What the scores say of all pictures instead of the chosen pairs."""
    weighted = models.weighted_back(of.pairs, of.tables["pairs"], of.tables["strata"])
    some = of.tables["strata"][of.tables["strata"]["model"].isin([*worse, *better])]
    one = of.gap(weighted, "score", worse, better, weight="stands_for")
    return [
        "The sampling takes an SR model's pairs evenly over its similarities, which levels the models' mean scores; "
        f"weighted back to the {int(some['available'].sum())} pictures they were chosen from: score, {one.said()}."
    ]


def _content(of: Material, worse: Sequence[str], better: Sequence[str]) -> list[str]:
    """What the content reader says; nothing for photographs, whose content is unknown."""
    pictures = of.tables["measures"]
    shown = pictures[~pictures["baseline"].astype(bool) & (pictures["things"] > 0)]
    if not {*worse, *better} <= set(shown["model"]):
        return []
    shown = shown.assign(read_right=shown["right"] / shown["things"])
    one = of.gap(shown, "read_right", worse, better, weight="things")
    return [f"Share of pictograms and words that the content reader reads rightly: {one.said()}."]


def _seesr(of: Material) -> Evidence:
    return _models(of, ["seesr"], ["stablesr"], ["seesr"], ["stablesr"])


def _stablesr(of: Material) -> Evidence:
    found = _models(of, ["seesr", "pasd"], ["stablesr"], ["seesr", "pasd"], ["stablesr"])
    if not found.comparisons:
        return found
    low = models.mean_of(of.pairs, "share", "stablesr", 0.5, "share of its scores below 1/2", of.n_boot, of.seed)
    return Evidence((low, *found.comparisons), beside=found.beside)


def _gans(of: Material) -> Evidence:
    return _models(of, ["seesr", "pasd"], ["bsrgan", "swinir"], ["bsrgan", "swinir"], ["stablesr"])


def _no_reference(of: Material) -> Evidence:
    rows = of.of_kind("NR")
    parts: list[Part] = [(name, [name], []) for name in rows]
    absent = tuple(n for n in NO_REFERENCE if n not in rows)
    found = of.compare(parts, limit=HALFWAY, above=False)
    return Evidence(found, absent, of.on_all(parts, limit=HALFWAY, above=False), not absent)


def _full_reference(of: Material) -> Evidence:
    full, none = of.of_kind("FR"), of.of_kind("NR")
    absent = tuple(n for n in expected.TABLE2 if n not in full + none)
    if not full or not none:
        return Evidence((), absent)
    parts: list[Part] = [(f"mean of {len(full)} FR less mean of {len(none)} NR", full, none)]
    beside, ours, theirs = "", _alone(of, full), _alone(of, none)
    if theirs:
        best = max(theirs, key=lambda n: theirs[n])
        below = [f"{n} ({number(v)})" for n, v in ours.items() if v <= theirs[best]]
        beside = f"Best NR row: {best} ({number(theirs[best])}); FR rows not above it: {', '.join(below) or 'none'}."
    return Evidence(of.compare(parts), absent, (*filter(None, [beside]), *of.on_all(parts)))


def _alone(of: Material, names: Sequence[str]) -> dict[str, float]:
    """|SRCC| of rows, where it is defined."""
    found = {name: of.rows.contrast(name, [name]).value for name in names}
    return {name: value for name, value in found.items() if value == value}


def _middle(of: Material) -> Evidence:
    middle, simple, none = of.have(MIDDLE), of.have(SIMPLE), of.of_kind("NR")
    parts: list[Part] = [("above PSNR and SSIM", middle, simple), ("above NR", middle, none)]
    parts = [part for part in parts if part[1] and part[2]]
    tuned: list[Part] = [("below fine-tuned backbones", of.have(TUNED), middle)] if of.have(TUNED) and middle else []
    absent = [n for n in (*MIDDLE, *SIMPLE, *TUNED) if n not in of.rows.kinds]
    return Evidence(of.compare([*parts, *tuned]), (*absent, *([] if none else ["all NR measures"])), of.on_all(parts))


def _vif(of: Material) -> Evidence:
    learned = of.have(LEARNED)
    absent = tuple(n for n in ("VIF", *LEARNED) if n not in of.rows.kinds)
    if "VIF" not in of.rows.kinds or not learned:
        return Evidence((), absent)
    parts: list[Part] = [(f"VIF less mean of {', '.join(learned)}", ["VIF"], learned)]
    return Evidence(of.compare(parts), absent, of.on_all(parts))


def _each(of: Material, pairs: Iterable[tuple[str, str]]) -> tuple[list[Part], tuple[str, ...]]:
    """Each row of Table 3 less another one, as far as the run has both; and the rows that it lacks."""
    pairs = list(pairs)
    parts: list[Part] = [(a.removeprefix("(ft) "), [a], [b]) for a, b in pairs if {a, b} <= set(of.rows.kinds)]
    return parts, tuple(dict.fromkeys(n for pair in pairs for n in pair if n not in of.rows.kinds))


def _vit_score(of: Material) -> Evidence:
    parts, absent = _each(of, ((name, VIT_SCORE) for name in UNTOUCHED))
    return Evidence(of.compare(parts), absent, of.on_all(parts), not absent)


def _foundation(of: Material) -> Evidence:
    ours, groups = of.have(UNTOUCHED), {"FR": of.of_kind("FR"), "NR": of.of_kind("NR")}
    parts: list[Part] = [
        (f"mean of {len(ours)} backbones less mean of {len(rows)} {kind}", ours, rows)
        for kind, rows in groups.items()
        if ours and rows
    ]
    absent = tuple(n for n in (*UNTOUCHED, *expected.TABLE2) if n not in of.rows.kinds)
    return Evidence(of.compare(parts), absent, (*_best(of), *of.on_all(parts)))


def _best(of: Material) -> tuple[str, ...]:
    """How far the best rows are from each other and from the human ceiling."""
    tables = {"Table 2": of.have(list(expected.TABLE2)), "Table 3": of.have(list(expected.TABLE3))}
    values = {table: _alone(of, names) for table, names in tables.items()}
    tops = {table: max(rows.items(), key=lambda row: row[1]) for table, rows in values.items() if rows}
    if not tops:
        return ()
    best = "; of ".join(f"{table}: {name} ({number(value)})" for table, (name, value) in tops.items())
    row = of.tables["ceiling"].set_index("correlation").loc["SRCC"]
    people = f"the human ceiling is {number(row['full'])}" if row["status"] == "ok" else "there is no human ceiling"
    return (f"Best row of {best}; {people}.",)


def _tuned_above(of: Material) -> Evidence:
    pairs = [(a, b) for a in of.have(TUNED) for b in of.have(list(expected.TABLE2))]
    found = [
        one
        for statistic in ("srcc", "plcc")
        for one in of.compare(
            [(f"{a.removeprefix('(ft) ')} less {b} ({statistic.upper()})", [a], [b]) for a, b in pairs],
            statistic=statistic,
        )
    ]
    absent = tuple(n for n in (*TUNED, *expected.TABLE2) if n not in of.rows.kinds)
    return Evidence(tuple(found), absent, _best(of), not absent)


def _tuned(of: Material) -> Evidence:
    parts, absent = _each(of, zip(TUNED, UNTOUCHED, strict=True))
    if "folds" not in of.tables or not parts:
        return Evidence(of.compare(parts), absent, (), not absent)
    backbones = [b for b in FOUNDATION if row_name(b, True, OFFICIAL) in of.rows.kinds]
    gains = measures.fold_gains(of.tables["folds"], of.tables["scores"], backbones, of.n_boot, of.seed)
    beside = (f"On folds of all {gains[0].n} scored pairs: {counted(gains)}",) if gains else ()
    return Evidence(of.compare(parts), absent, beside, not absent)


def _changes(of: Material, columns: Sequence[str], alphas: Sequence[float] = ALPHAS, base: str = BASELINE) -> Evidence:
    """Fine-tuned variants of SeeSR against one of them or the baseline, in some columns of Table 4."""
    wanted, evaluation = [variant_name(a) for a in alphas], of.tables.get("evaluation")
    there = set() if evaluation is None else set(evaluation["variant"])
    lost = [f"SeeSR variant {v}" for v in (base, *wanted) if v not in there]
    if evaluation is None:
        return Evidence((), tuple(lost))
    has = {m.column for m in measures_of(evaluation)}
    lost += [c.replace("_", " ").upper() for c in columns if c not in has]
    found = measures.variant_changes(evaluation, wanted, base, columns, of.n_boot, of.seed)
    return Evidence(tuple(found), tuple(lost), (), not lost)


def _held_out(of: Material) -> Evidence:
    return _changes(of, HLF)


def _distortion(of: Material) -> Evidence:
    return _changes(of, DISTORTION)


def _small_alpha(of: Material) -> Evidence:
    return _changes(of, (*HLF, *DISTORTION), ALPHAS[1:], variant_name(ALPHAS[0]))


def _every_measure(of: Material) -> Evidence:
    return _changes(of, expected.TABLE4_MEASURES, ALPHAS[1:])


FINDERS: dict[str, Callable[[Material], Evidence]] = {
    "u_shape": _u_shape, "consistent": _consistent, "seesr": _seesr, "stablesr": _stablesr, "gans": _gans,
    "no_reference": _no_reference, "full_reference": _full_reference, "middle": _middle, "vif": _vif,
    "vit_score": _vit_score, "foundation": _foundation, "tuned_above": _tuned_above, "tuned": _tuned,
    "held_out": _held_out, "distortion": _distortion, "small_alpha": _small_alpha, "every_measure": _every_measure,
}  # fmt: skip
