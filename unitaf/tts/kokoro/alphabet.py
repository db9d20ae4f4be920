"""The symbols that Kokoro-82M knows, and their numbers: those of its published vocabulary."""

from collections.abc import Iterator

_NUMBERED = (
    (1, ";:,.!?"), (9, '—…"()“” \u0303ʣʥʦʨᵝꭧAI'), (31, "O"), (33, "Q"), (35, "ST"), (39, "W"),
    (41, "Yᵊabcdef"), (50, "hijklmnopqrstuvwxyzɑɐɒæ"), (75, "βɔɕç"), (80, "ɖðʤə"), (85, "ɚɛɜ"),
    (90, "ɟ"), (92, "ɡ"), (99, "ɥ"), (101, "ɨɪʝ"), (110, "ɯɰŋɳɲɴø"), (118, "ɸθœ"), (123, "ɹ"),
    (125, "ɾɻ"), (128, "ʁɽʂʃʈʧ"), (135, "ʊʋ"), (138, "ʌɣɤ"), (142, "χʎ"), (147, "ʒʔ"), (156, "ˈˌː"),
    (162, "ʰ"), (164, "ʲ"), (169, "↓"), (171, "→↗↘"), (177, "ᵻ"),
)  # fmt: skip
"""Runs of symbols with consecutive numbers, and the first number."""


def _numbers() -> Iterator[tuple[str, int]]:
    for first, symbols in _NUMBERED:
        for offset, symbol in enumerate(symbols):
            yield symbol, first + offset


SYMBOL_IDS = dict(_numbers())
"""The number of every symbol; 0 is the silence at both ends."""
