"""What is said in a recording that nobody wrote down.

Conventions: recognition is greedy in temperature (no sampling) and on one thread, so the same sound
gives the same words. What the recogniser itself does not trust is an error, not a guess.

Source: Whisper, arXiv 2212.04356, as run by CTranslate2.
"""

import hashlib
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from jaxtyping import Float32

from unitaf.audio import resample
from unitaf.errors import InputError

_SAMPLE_RATE = 16000
_LEAST_LOG_PROBABILITY = -1.0
"""Of a word piece, on average; Whisper's own threshold for starting again."""
_MOST_SILENCE = 0.6
"""The probability that nobody speaks, above which it is believed; Whisper's own threshold."""
_CAUSE = "transcription"


class Transcriber:
    """Writes down speech with a Whisper model in CTranslate2's format.

    Args:
        folder: A local folder with ``model.bin``, tokenizer and vocabulary.
    """

    def __init__(self, folder: Path) -> None:
        digest = hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest()
        self._fingerprint = f"whisper/1 model={digest[:16]}"
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True
        )

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same sound could give other words."""
        return self._fingerprint

    def transcribe(
        self,
        name: str,
        waveform: Float32[np.ndarray, " samples"],
        sample_rate: int,
        language: str,
    ) -> str:
        """Return what is said.

        Raises:
            InputError: If the model does not know the language, or hears no words it is sure of.
        """
        code = language.split("-")[0].lower()
        if code != "en" and not self._model.model.is_multilingual:
            reason = f"this Whisper model hears English only, not {language!r}"
            raise InputError(name, reason, column=_CAUSE)
        segments, _ = self._model.transcribe(
            resample(waveform, sample_rate, _SAMPLE_RATE),
            language=code,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        heard = list(segments)
        text = " ".join(" ".join(segment.text for segment in heard).split())
        if not text or min(segment.avg_logprob for segment in heard) < _LEAST_LOG_PROBABILITY:
            raise InputError(name, f"the words are not certain: {text!r}", column=_CAUSE)
        if max(segment.no_speech_prob for segment in heard) > _MOST_SILENCE:
            raise InputError(name, f"probably nobody speaks: {text!r}", column=_CAUSE)
        return text
