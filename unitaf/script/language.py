"""What a language tag looks like: BCP 47 (RFC 5646), as ``en``, ``pt-BR`` or ``zh-Hant-TW``.

Only the form is decided here. A primary language has two or three letters, as all registered ones
do: ``English`` is a word, not a tag. Grandfathered tags (``i-klingon``) are not understood.
"""

import re
from functools import lru_cache

LANGUAGE_PATTERN = (
    r"^[A-Za-z]{2,3}(?:[-_][A-Za-z]{3}){0,3}"
    r"(?:[-_][A-Za-z]{4})?"
    r"(?:[-_](?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:[-_](?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
    r"(?:[-_][0-9A-WYZa-wyz](?:[-_][A-Za-z0-9]{2,8})+)*"
    r"(?:[-_][Xx](?:[-_][A-Za-z0-9]{1,8})+)?$"
)
"""RFC 5646, section 2.1: language, script, region, variants, extensions, private use."""

_TAG = re.compile(LANGUAGE_PATTERN)


@lru_cache(maxsize=1024)
def canonical_language(tag: str) -> str:
    """Return a tag with hyphens and the case of RFC 5646, section 2.1.1: ``pt_br`` is ``pt-BR``.

    Raises:
        ValueError: If the tag is not well formed.
    """
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag[:40]!r} is not a language tag such as 'en', 'pt-BR' or 'zh-Hant'")
    first, *rest = tag.lower().replace("_", "-").split("-")
    parts = [first]
    is_extension = False
    for part in rest:
        is_extension = is_extension or len(part) == 1
        if is_extension or len(part) not in (2, 4):
            parts.append(part)
        else:
            parts.append(part.upper() if len(part) == 2 else part.title())
    return "-".join(parts)
