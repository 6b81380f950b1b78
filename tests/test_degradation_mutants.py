"""A test of the tests: each known mistake in BSRGAN is caught by the kind of check that is meant to catch it.

Kinds: "vectors" (deterministic operations), "sampler" (chi-square of drawn plans), "unit" (noise and blur alone),
"end to end" (statistics of LR images; one picture is enough for the mistakes listed here).
"""

import numpy as np
import pytest

import degradation_oracle as oracle
from hlf.degradation import kernels, noise, plan, steps


def drop(op, index):
    """Change of a plan: the step `op` number `index` is left out, when there are that many before the final JPEG."""

    def changed(drawn):
        middle = [i for i, step in enumerate(drawn[:-1]) if step["op"] == op]
        return [s for i, s in enumerate(drawn) if i not in middle[index : index + 1]]

    return changed


def changed_plan(monkeypatch, change):
    original = plan.draw_bsrgan
    monkeypatch.setattr(plan, "draw_bsrgan", lambda rng, size, strength: change(original(rng, size, strength)))


def changed_noise(monkeypatch, change):
    original = steps.noise

    def drawn(rng, strength, op="noise"):
        return change(original(rng, strength, op), float(rng.integers(2, 26)))

    monkeypatch.setattr(steps, "noise", drawn)


def fixed_order(monkeypatch):
    monkeypatch.setattr(plan, "draw_order", lambda _rng: list(range(7)))


def no_final_jpeg(monkeypatch):
    changed_plan(monkeypatch, lambda drawn: drawn[:-1])


def one_blur(monkeypatch):
    changed_plan(monkeypatch, drop("blur", 1))


def eigenvalues_as_deviations(monkeypatch):
    original = kernels.anisotropic
    monkeypatch.setattr(kernels, "anisotropic", lambda k, theta, l1, l2: original(k, theta, l1**2, l2**2))


def unshifted_kernel(monkeypatch):
    monkeypatch.setattr(kernels, "shifted_profile", lambda k, sigma, _sf: kernels.gaussian_profile(k, sigma))


def low_quality(monkeypatch):
    monkeypatch.setattr(steps, "JPEG_QUALITIES", (10, 95))


def doubled_noise(monkeypatch):
    original = noise.gaussian_field
    monkeypatch.setattr(noise, "gaussian_field", lambda shape, step, rng: 2 * original(shape, step, rng))


def no_middle_jpeg(monkeypatch):
    changed_plan(monkeypatch, drop("jpeg", 0))


def colour_noise_only(monkeypatch):
    def change(step, level):
        return {"op": "noise", "mode": "color", "level": level, "seed": step["seed"]}

    changed_noise(monkeypatch, change)


def correlated_noise_by_level(monkeypatch):
    def change(step, level):
        scaled = (np.array(step.get("cov", 0)) * (level / 25) ** 2).tolist()
        return step | ({"cov": scaled} if step["mode"] == "cov" else {})

    changed_noise(monkeypatch, change)


def no_first_halving(monkeypatch):
    original = plan.draw_bsrgan

    def draw(rng, size, strength):
        while (drawn := original(rng, size, strength))[0]["op"] == "scale2":
            pass
        return drawn

    monkeypatch.setattr(plan, "draw_bsrgan", draw)


def blur_keeps_four(monkeypatch):
    original = steps.blur
    monkeypatch.setattr(steps, "blur", lambda rng, _sf, strength: original(rng, 4, strength))


def never_shifted(monkeypatch):
    original = plan.down2

    def down2(rng, size, sf, strength):
        while (step := original(rng, size, sf, strength))["mode"] == "shifted_kernel":
            pass
        return step

    monkeypatch.setattr(plan, "down2", down2)


def caught_by_sampler():
    p_values = oracle.sampler_p_values(oracle.plans(n=3000))
    name = min(p_values, key=p_values.get)
    return p_values[name] < 1e-6, f"{name}: p {p_values[name]:.1e}"


def caught_by_noise():
    worst = oracle.noise_distances().max()
    return worst > 0.07, f"D {worst:.3f}"


def caught_by_blur(sf):
    worst = oracle.blur_distances(sf).max()
    return worst > 0.082, f"D {worst:.3f}"


def caught_by_vectors():
    entry = oracle.vectors("deg_ops")[0]["down2_shifted"][0]
    arrays = oracle.vectors("deg_ops")[1]
    profile = kernels.shifted_profile(25, entry["sigma"], entry["sf"])
    own = kernels.shifted_downsample(arrays[entry["input"]], profile, entry["sf"])
    worst = float(np.abs(own - arrays[entry["out"]]).max())
    return worst > 2e-6, f"difference {worst:.3f}"


def caught_end_to_end(picture):
    worst = oracle.end_to_end((picture,)).max()
    return worst > oracle.limits()["stats"]["max_D"], f"D {worst:.3f}"


MUTANTS = [
    (fixed_order, "end to end", lambda: caught_end_to_end("texture")),
    (no_final_jpeg, "end to end", lambda: caught_end_to_end("texture")),
    (one_blur, "end to end", lambda: caught_end_to_end("texture")),
    (eigenvalues_as_deviations, "end to end", lambda: caught_end_to_end("texture")),
    (eigenvalues_as_deviations, "unit", lambda: caught_by_blur(4)),
    (unshifted_kernel, "end to end", lambda: caught_end_to_end("scene")),
    (unshifted_kernel, "vectors", caught_by_vectors),
    (low_quality, "sampler", caught_by_sampler),
    (doubled_noise, "unit", caught_by_noise),
    (no_middle_jpeg, "sampler", caught_by_sampler),
    (colour_noise_only, "unit", caught_by_noise),
    (colour_noise_only, "sampler", caught_by_sampler),
    (correlated_noise_by_level, "unit", caught_by_noise),
    (no_first_halving, "sampler", caught_by_sampler),
    (blur_keeps_four, "unit", lambda: caught_by_blur(2)),
    (blur_keeps_four, "sampler", caught_by_sampler),
    (never_shifted, "sampler", caught_by_sampler),
]


@pytest.mark.parametrize("check", [caught_by_sampler, caught_by_noise, caught_by_vectors], ids=lambda c: c.__name__)
def test_correct_code_is_not_accused(check):
    accused, evidence = check()
    assert not accused, evidence


@pytest.mark.parametrize("mutant, kind, check", MUTANTS, ids=[f"{m.__name__}-{kind}" for m, kind, _ in MUTANTS])
def test_mistake_is_caught(mutant, kind, check, monkeypatch):
    mutant(monkeypatch)
    caught, evidence = check()
    print(f"{mutant.__name__}, {kind}: {evidence}")
    assert caught, f"{kind} does not see {mutant.__name__}: {evidence}"
