"""Other places of what the manifest's URLs name."""

from collections.abc import Mapping

from hlf.errors import HlfError


def mirrored(url: str, mirrors: Mapping[str, str]) -> str:
    """`url` with the longest of the prefixes that it begins with replaced; itself where none fits.

    Raises:
        HlfError: a mirror is no pair of URLs.

    >>> mirrored("https://a.org/x/y.zip", {"https://a.org/": "http://m/", "https://a.org/x/": "http://lab/x/"})
    'http://lab/x/y.zip'
    """
    for prefix, other in mirrors.items():
        for one in (prefix, other):
            if not one.startswith(("http://", "https://")):
                raise HlfError(f"mirror '{prefix}={other}' is no pair of http or https URLs; give what URLs begin with")
    fits = max((prefix for prefix in mirrors if url.startswith(prefix)), key=len, default="")
    return mirrors[fits] + url[len(fits) :] if fits else url
