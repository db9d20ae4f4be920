"""Which voices there are: their languages, their terms, and whether they can speak now."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import hibari.voices

from unitaf.tts.cache import cache_folder
from unitaf.tts.kokoro.files import INSTALL, LICENCE, VOICES, KokoroFiles

HIBARI_LICENCE = "Apache-2.0 (hibari-tts, distilled from Kokoro-82M, Apache-2.0)"
ESPEAK_LICENCE = "GPL-3.0-or-later (espeak-ng: the program, not what it says)"
ESPEAK_EXTRA = "`pip install 'unitaf[espeak]'`"
KOKORO_EXTRA = "`pip install 'unitaf[kokoro]'`"
STUB_LICENCE = "none: it is silence"

INDEXTTS2_LICENCE = (
    "bilibili Model Use License Agreement (IndexTTS2); CC BY-NC 4.0 (semantic codec of MaskGCT):"
    " research and non-commercial use"
)
INDEXTTS2_TERMS = (
    "IndexTTS2's weights are under the bilibili Model Use License Agreement: its terms go on to"
    " whoever gets the model, a changed one or work based on what it makes, and rule out high-risk"
    " uses, voices of public figures and of people who did not agree, and improving other AI models"
    " unless these are non-commercial; above 100 million users a month or RMB 1 billion of revenue"
    " a year it takes a licence of its own. The semantic codec that it cannot run without"
    " (amphion/MaskGCT) is under CC BY-NC 4.0, so that what is made is for research and"
    " non-commercial use."
)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of an engine."""

    engine: str
    """The ``kind`` of the engine in a job file."""
    voice: str
    languages: tuple[str, ...]
    """BCP 47 tags; ``*`` for any."""
    licence: str
    is_installed: bool
    note: str = ""


STUB_VOICE = Voice(
    engine="stub",
    voice="silence",
    languages=("*",),
    licence=STUB_LICENCE,
    is_installed=True,
    note="no sound, the likely length: to try a script",
)
INDEXTTS2_VOICE = Voice(
    engine="indextts2",
    voice="any reference clip",
    languages=("en", "zh"),
    licence=INDEXTTS2_LICENCE,
    is_installed=False,
    note="needs its published files: `unitaf tts check indextts2` says which",
)


def list_voices() -> tuple[Voice, ...]:
    """List the voices of every engine, those that are not installed too."""
    return (
        *(_hibari_voice(name) for name in hibari.voices.VOICES),
        *_kokoro_voices(),
        _espeak_voice(),
        INDEXTTS2_VOICE,
        STUB_VOICE,
    )


def hibari_model(voice: str) -> Path:
    """Return where the model file of a hibari voice is, or would have to be.

    Raises:
        ValueError: If there is no such voice.
    """
    known = hibari.voices.VOICES
    if voice not in known:
        raise ValueError(f"voice must be one of {', '.join(known)}, not {voice!r}")
    folder = hibari.voices.ASSETS if known[voice].get("bundled") else hibari.voices.cache_dir()
    return Path(folder, known[voice]["file"])


def _kokoro_voices() -> Iterator[Voice]:
    files = KokoroFiles(cache_folder("kokoro"))
    has_front_ends = find_spec("pyopenjtalk") is not None
    for name, language in VOICES.items():
        is_installed = has_front_ends and files.is_installed(name)
        needs = f"{KOKORO_EXTRA} and `{INSTALL}`" if not has_front_ends else f"`{INSTALL}`"
        yield Voice(
            engine="kokoro",
            voice=name,
            languages=(language,),
            licence=LICENCE,
            is_installed=is_installed,
            note="" if is_installed else f"needs {needs}",
        )


def _espeak_voice() -> Voice:
    is_installed = find_spec("espeakng_loader") is not None
    note = "a robot's voice, for languages that no other engine has"
    return Voice(
        engine="espeak",
        voice="default",
        languages=("*",),
        licence=ESPEAK_LICENCE,
        is_installed=is_installed,
        note=note if is_installed else f"{note}; needs {ESPEAK_EXTRA}",
    )


def _hibari_voice(name: str) -> Voice:
    facts = hibari.voices.VOICES[name]
    model = hibari_model(name)
    is_installed = model.is_file()
    note = f"{facts['accent']}, {facts['gender']}"
    if not is_installed:
        note += f"; put {hibari.voices.BASE_URL}{model.name} at {model}"
    return Voice(
        engine="hibari",
        voice=name,
        languages=(facts["language"],),
        licence=HIBARI_LICENCE,
        is_installed=is_installed,
        note=note,
    )
