"""Config to objects: the only place that looks at a ``kind``.

Building is cheap: engines and animators load their models when they are first used, and the
libraries of an engine are imported only where it is chosen.
"""

from typing import assert_never

from unitaf.config import (
    FaceConfig,
    FaceModelConfig,
    GenerateConfig,
    HibariConfig,
    StubConfig,
    TtsConfig,
    VisemesConfig,
)
from unitaf.errors import ConfigError
from unitaf.face.visemes import VisemeAnimator
from unitaf.script.lines import ScriptDefaults
from unitaf.types import FaceAnimator, TextToSpeech


def build_tts(config: TtsConfig) -> TextToSpeech:
    """Return the text-to-speech engine of a job.

    Raises:
        ConfigError: If the voice does not exist or the engine is not installed.
    """
    match config:
        case HibariConfig():
            from unitaf.tts.hibari import Hibari

            try:
                return Hibari(voice=config.voice, speed=config.speed)
            except ValueError as error:
                raise ConfigError(f"tts: {error}") from error
        case StubConfig():
            from unitaf.tts.stub import StubSpeech

            return StubSpeech()
        case _:
            assert_never(config)


def build_face(config: FaceConfig) -> FaceAnimator:
    """Return the face animator of a job.

    Raises:
        ConfigError: If a checkpoint cannot be used.
    """
    match config:
        case VisemesConfig():
            return VisemeAnimator(
                strength=config.strength,
                expression=config.expression,
                gestures=config.gestures,
                blinks_per_minute=config.blinks_per_minute,
                variation=config.variation,
            )
        case FaceModelConfig():
            from unitaf.checkpoint import load_face_model

            return load_face_model(config.checkpoint, config.device).animator(config.style)
        case _:
            assert_never(config)


def build_script_defaults(config: GenerateConfig) -> ScriptDefaults:
    """Return what a script line takes on that does not say otherwise."""
    script = config.script
    return ScriptDefaults(
        language=script.language,
        speaker=script.speaker,
        seed=script.seed,
        max_characters=script.max_characters,
    )
