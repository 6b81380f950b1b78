"""Settings of a study: defaults of the paper and the standards, and a sentence for every wrong value."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hlf.config_schema import schema
from hlf.errors import HlfError
from hlf.study.settings import NAMES, Settings

ROOT = Path(__file__).parents[1]
RANGES = {"undo": (0, 3), "lookahead": (0, 2), "practice_pass": (0, 6), "minutes": (1, 240), "trap_rate": (4, 1000)}


def test_defaults_are_the_papers_and_go_through_a_dictionary():
    settings = Settings()
    assert settings.question == "Does the high-level semantic fidelity change between the two images?"
    assert settings.hint == "Press Left Arrow (←) for No, Right Arrow (→) for Yes"
    assert (settings.votes_per_pair, settings.people_quota, settings.gt_side) == (12, 150, "random")
    assert Settings.from_dict(settings.to_dict()) == settings
    assert Settings.from_dict({"undo": 3}).to_dict() == {**settings.to_dict(), "undo": 3}


def test_every_setting_is_explained():
    explained = re.findall(r"^\s{8}(\w+): ", Settings.__doc__, re.MULTILINE)
    assert tuple(explained) == NAMES


@given(st.sampled_from(sorted(RANGES)), st.integers(-5, 1100))
def test_numbers_are_taken_inside_their_range_only(name, value):
    low, high = RANGES[name]
    if low <= value <= high:
        assert getattr(Settings.from_dict({name: value}), name) == value
    else:
        with pytest.raises(HlfError, match=rf"study setting {name} is {value}, allowed is .* from {low} to {high}"):
            Settings.from_dict({name: value})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"undo": True}, "undo is True, allowed is a whole number from 0 to 3"),
        ({"minutes": 12.5}, "minutes is 12.5, allowed is a whole number from 1 to 240"),
        ({"mirror_keys": 1}, "mirror_keys is 1, allowed is true or false"),
        ({"gt_side": "right"}, "gt_side is 'right', allowed is one of random, left"),
        ({"gt_side": ["left"]}, "gt_side is ['left'], allowed is one of random, left"),
        ({"pay": 3}, "pay is 3, allowed is text of at most 500 characters on one line"),
        ({"question": " "}, "question is ' ', allowed is non-empty text"),
        ({"title": "two\nlines"}, "allowed is non-empty text of at most 200 characters on one line"),
        ({"consent": "a\x00b"}, "consent is 'a\\x00b'"),
        ({"completion_url": "javascript:alert(1)"}, "allowed is empty, or a web address"),
        ({"completion_url": "https://example.org/a b"}, "allowed is empty, or a web address"),
        ({"completion_url": "https://"}, "allowed is empty, or a web address"),
        ({"completion_url": "https://[a"}, "allowed is empty, or a web address"),
        ({"hold_seconds": 3000}, "hold_max_seconds is 1800, allowed is at least hold_seconds 3000"),
        ({"quota": 5}, "'quota' is unknown (value 5), known are title, question"),
        ({7: 5}, "7 is unknown"),
        ({"undo": 9, "gt_side": ""}, "gt_side is '', allowed is one of random, left; undo is 9"),
        ([("undo", 1)], "expected names with values"),
    ],
)
def test_a_wrong_value_is_told(values, sentence):
    with pytest.raises(HlfError, match=re.escape(sentence)):
        Settings.from_dict(values)


def test_text_of_other_languages_and_paragraphs_are_allowed():
    # a no-break space, as French puts it before a question mark
    Settings.from_dict({"title": "Même contenu\u00a0?", "contact": "Zoë <zoe@example.org>", "consent": "一\n\n二\n"})
    Settings.from_dict({"completion_url": "https://example.org/done?cc=A1"})


def test_the_configurations_settings_are_settings():
    mini = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf8"))["study"]
    paper = mini | yaml.safe_load((ROOT / "config.paper.yaml").read_text(encoding="utf8"))["study"]
    shared = [name for name in schema()["properties"]["study"]["properties"] if name in NAMES]
    assert shared == ["votes_per_pair", "people_quota", "trap_rate", "gt_side", "min_css_px", "minutes"]
    for config in (mini, paper):
        Settings.from_dict({name: config[name] for name in shared})
    assert paper["people_quota"] == 150 and paper["min_css_px"] == 480
