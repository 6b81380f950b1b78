"""The text that people agree to before anything of them is stored."""

from pathlib import Path

from hlf.study.settings import Settings

TEMPLATE = Path(__file__).with_name("consent.txt")


def consent_text(settings: Settings) -> str:
    """The owner's own text, or the one that comes with hlf, filled in; paragraphs apart by empty lines.

    >>> "30 minutes" in consent_text(Settings())
    True
    """
    if settings.consent:
        return settings.consent.strip()
    values = {
        "minutes": settings.minutes,
        "pay": settings.pay or "Taking part is not paid.",
        "retention": settings.retention,
        "contact": f"Questions: {settings.contact}" if settings.contact else "",
    }
    paragraphs = TEMPLATE.read_text(encoding="utf8").strip().split("\n\n")
    filled = [paragraph.format(**values).strip() for paragraph in paragraphs]
    return "\n\n".join(paragraph for paragraph in filled if paragraph)
