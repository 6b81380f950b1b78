"""What stands in the key of a rule, so that it runs again when something behind it changes. Only functions here."""

from hlf.zoo import first_use
from hlf.zoo.entries import ENTRIES
from hlf.zoo.registry import weight_paths


def setting(name):
    """Configuration value of a dotted name."""
    value = config
    for part in name.split("."):
        value = value[part]
    return value


def key(script, *names, modules=(), **more):
    """Canonical parameter of a rule: the named settings, further values, and the digest of the code behind it."""
    settings = {name: setting(name) for name in ("run", "seed", *names)}
    return digest.key(
        {**settings, **more}, ROOT / "workflow_scripts" / f"{script}.py", tuple(modules)
    )


@cache
def weights(name):
    """Digest of a model's weight files in the zoo in use, for rule keys; tells when they are missing, unknown or changed."""
    zoo = config["zoo"]["use"]
    if (zoo, name) not in ENTRIES:
        return f"missing: zoo '{zoo}' has no model '{name}' in this version of hlf"
    folder = ROOT / config["zoo"][zoo]
    told = first_use.changed(folder, name, HASHES) if zoo == "official" else ""
    return (
        f"wrong: {told}"
        if told
        else digest.files_digest(weight_paths(zoo, folder, name), HASHES, folder)
    )


@cache
def reader_weights():
    """Digest of the content reader, which belongs to the mini zoo whatever the zoo in use."""
    folder = ROOT / config["zoo"]["mini"]
    return digest.files_digest(weight_paths("mini", folder, "reader"), HASHES)


def table_facts(*groups):
    """Values that stand in tables and captions: scale and the digest of the groups that the table depends on."""
    return {
        "zoo": config["zoo"]["use"],
        "scale": hlf_config.scale(config),
        "config_hash": hlf_config.result_hash(config, groups),
    }


def photograph_listing():
    """Digest of names and sizes in images.folder, so that an added or removed photograph is noticed; "" for scenes.

    Where the folder is missing, what stops a run before its first job.
    """
    if config["images"]["source"] != "folder":
        return ""
    folder = Path(config["images"]["folder"])
    if not folder.is_dir():
        return f"missing: {folder} (images.folder) does not exist; put the photographs there or name their folder"
    return digest.folder_digest(folder)


def training_listing():
    """What stops a fine-tuning whose photographs are missing, before hours are spent on what comes first; else "".

    Its many files are not looked at here: tuning/training.csv records which of them were chosen, once.
    """
    folder = config["tuning"]["folder"]
    if folder is None or Path(folder).is_dir():
        return ""
    return f"missing: {folder} (tuning.folder) does not exist; put the photographs of COCO 2017 train there"


def shown_config():
    """Configuration as the report shows it: without keys that change no result, so that its bytes do not either."""
    return hlf_config.shown(config)


def votes_state():
    """What the votes of a database are at the moment, or what stops a run whose votes are missing; else ""."""
    return study_sources.state_of(config["study"]["votes"])


def page_files():
    """Digest of what browsers load of the study's pages, which the code behind a rule does not show."""
    server = ROOT / "workflow_scripts/hlf/study/server"
    files = sorted(
        p for part in ("static", "templates") for p in (server / part).iterdir()
    )
    return digest.files_digest(files, HASHES, ROOT)


def missing_browser():
    """What stops Figure 3 on this machine; "" when all is there."""
    found = screenshot.lacking()
    return f"missing: {found}" if found else ""
