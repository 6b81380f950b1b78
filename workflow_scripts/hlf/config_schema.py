"""The schema of the configuration, with a sentence for each key, and what a configuration breaks of it."""

import json
from pathlib import Path
from typing import Any

from hlf.iqa.registry import METRICS
from hlf.sr.registry import MODELS, registered

SCHEMA = Path(__file__).with_name("config.schema.json")
# words for what a value breaks, by the schema's own
_ALLOWED = {
    "enum": "one of",
    "type": "type",
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "multipleOf": "multiple of",
}


def schema() -> dict[str, Any]:
    """The schema file, with the names that the registries of SR models and measures know: they stand nowhere else."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf8"))
    sr = found["properties"]["sr"]
    sr["properties"]["models"]["items"]["enum"] = list(MODELS)
    sr["properties"]["baselines"]["items"]["enum"] = list(registered())
    sr["properties"] |= dict.fromkeys(registered(), sr["additionalProperties"])
    sr["additionalProperties"] = False
    found["properties"]["iqa"]["properties"]["metrics"]["items"]["enum"] = list(METRICS)
    return found


def schema_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on unknown keys, wrong types and values out of range."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    return [_sentence(error) for error in errors]


def _sentence(error: Any) -> str:
    name = ".".join(str(p) for p in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        unknown = sorted(str(k) for k in error.instance if k not in known)
        return f"unknown key {', '.join(unknown)} in {name}, known are {', '.join(known)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        return f"{name} lacks the key {', '.join(missing)}"
    rule = f"{_ALLOWED.get(error.validator, error.validator)} {json.dumps(error.validator_value)}"
    # YAML gives dates, which JSON has no word for
    value = json.dumps(error.instance, default=str)
    return f"{name} is {value}, allowed is {rule} ({error.schema.get('description', '')})"
