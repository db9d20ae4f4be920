"""Who plays a line: roles by speaker and language, each an engine and a face.

A job without a cast has one role, its own. With one, a speaker's role decides voice, speed, pitch
and style; a speaker without a voice gets one by the hash of the name, the same in every script as
long as the installed voices are the same. Lines of one role are made together.

This module starts nothing: engines are built here, which is cheap, and loaded in workers.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from unitaf.build import build_face, build_tts
from unitaf.config import (
    AUTO,
    CastConfig,
    FaceConfig,
    GenerateConfig,
    RoleConfig,
    TtsConfig,
    first_problem,
)
from unitaf.errors import ConfigError
from unitaf.marks import has_emphasis
from unitaf.pipelines.shards import Recipe
from unitaf.script.casting import Casting, Place, read_casting
from unitaf.tts.voices import Voice, list_voices
from unitaf.types import FaceAnimator, TextToSpeech, Utterance

_TTS: TypeAdapter[TtsConfig] = TypeAdapter(TtsConfig)
_EVERY_SPEAKER = "*"
"""Whom an engine that takes voices from recordings gives its voice for all others."""


@dataclass(frozen=True, slots=True)
class Role:
    """What makes the lines of some speakers."""

    id: str
    """Empty for the job's own engine and face."""
    tts: TtsConfig
    face: FaceConfig
    fingerprints: tuple[str, str]
    """What the plan's keys were computed with: the engine's and the animator's."""


@dataclass(frozen=True, slots=True)
class Performer:
    """A role with its engine and animator, not yet loaded."""

    role: Role
    tts: TextToSpeech
    face: FaceAnimator
    recipe: Recipe


def casting_of(config: GenerateConfig, fetch: Callable[[str], Path] = Path) -> Casting | None:
    """Return the cast of a job, if it has one.

    Args:
        config: The job.
        fetch: Gives the local file of the name that the job says.

    Raises:
        ConfigError: If the casting file cannot be used.
    """
    if isinstance(config.cast, str):
        return read_casting(fetch(config.cast))
    return None if config.cast is None else Casting(config.cast)


class Cast:
    """Finds the role of every line, and keeps those that were needed.

    Args:
        config: The job.
        casting: Its cast, or None.

    Raises:
        ConfigError: If a role that the cast names cannot be played, with its file and line.
    """

    def __init__(self, config: GenerateConfig, casting: Casting | None) -> None:
        self._config = config
        self._casting = casting
        self._performers: dict[str, Performer] = {}
        self._by_speaker: dict[tuple[str, str], Performer] = {}
        self._asked = cache(self._find_asked)
        self.uncast = Counter[str]()
        """The speakers met that the cast does not name, with their lines."""
        self.num_unemphasised = 0
        """The lines met with a mark of emphasis that their engine does not follow."""
        if casting is None:
            self._perform(config.tts, config.face)
            return
        for speaker, said in casting.cast.speakers.items():
            for language in said.languages or (config.script.language,):
                self.performer(speaker, language)
        # That was to hear of mistakes now: a script may need few of these roles.
        self._performers.clear()
        self._by_speaker.clear()

    def performer(self, speaker: str, language: str) -> Performer:
        """Return who plays a speaker in a language.

        Raises:
            ConfigError: If the role cannot be played.
        """
        who = (speaker, language)
        if who not in self._by_speaker:
            self._by_speaker[who] = self._find(speaker, language)
        return self._by_speaker[who]

    def performer_of(self, said: Utterance) -> Performer:
        """Return who plays a line, and note what of it is not followed."""
        cast = self.config
        if cast is not None and said.speaker and said.speaker not in cast.speakers:
            self.uncast[said.speaker] += 1
        performer = self.performer(said.speaker, said.language)
        self.num_unemphasised += has_emphasis(said.text) and not performer.tts.reads_ipa
        return performer

    @property
    def unheard(self) -> tuple[str, ...]:
        """The speakers that the cast names and that were not met."""
        met = {speaker for speaker, _ in self._by_speaker}
        return () if self.config is None else tuple(sorted(self.config.speakers.keys() - met))

    @property
    def config(self) -> CastConfig | None:
        """The cast as it was read."""
        return None if self._casting is None else self._casting.cast

    @property
    def roles(self) -> dict[str, Role]:
        """The roles that were needed, by id."""
        return {name: performer.role for name, performer in self._performers.items()}

    @property
    def call_size(self) -> int:
        """The most lines that the engine of any needed role is best given at once."""
        return max((each.tts.batch_size for each in self._performers.values()), default=1)

    @property
    def recipe(self) -> Recipe:
        """What takes are made with; of several roles, the hash of what each is made with."""
        recipes = [performer.recipe for performer in self._performers.values()]
        if len(recipes) == 1:
            return recipes[0]
        output = self._config.output
        voices, faces = ({getattr(r, kind) for r in recipes} for kind in ("tts", "face"))
        return Recipe(_one("cast", voices), _one("cast", faces), output.fps, output.audio_format)

    def _find(self, speaker: str, language: str) -> Performer:
        if self._casting is None:
            return self._performers[""]
        role = self._casting.cast.role(speaker, language)
        try:
            tts = self._tts(role, speaker, language)
            return self._perform(tts, self._face(role))
        except (ConfigError, ValidationError) as error:
            reason = first_problem(error) if isinstance(error, ValidationError) else str(error)
            place = self._casting.where(_place(self._casting.cast, speaker, language))
            raise ConfigError(f"{place}: speaker {speaker!r}: {reason}") from error

    def _perform(self, tts: TtsConfig, face: FaceConfig) -> Performer:
        """Return the role of two configs, which is built once."""
        is_own = (tts, face) == (self._config.tts, self._config.face)
        name = "" if is_own else _digest(tts.model_dump_json() + face.model_dump_json())
        if name not in self._performers:
            engine = build_tts(tts)
            animator = build_face(face, engine)
            output = self._config.output
            recipe = Recipe(
                engine.fingerprint,
                animator.fingerprint,
                output.fps,
                output.audio_format,
                (output.head_s, output.tail_s),
            )
            self._performers[name] = Performer(
                Role(name, tts, face, (engine.fingerprint, animator.fingerprint)),
                engine,
                animator,
                recipe,
            )
        return self._performers[name]

    def _tts(self, role: RoleConfig, speaker: str, language: str) -> TtsConfig:
        base = self._engine(role.engine)
        wanted: dict[str, Any] = role.model_dump(include={"speed", "pitch"}, exclude_none=True)
        voice = role.voice or AUTO
        if "voices" in type(base).model_fields:
            wanted["voices"] = recorded_voices(
                base.model_dump()["voices"], self._asked(role.engine)
            )
        elif "voice" in type(base).model_fields:
            wanted["voice"] = voice if voice != AUTO else self._auto(base, speaker, language)
        elif voice != AUTO:
            raise ConfigError(f"the engine {base.kind} has no voices to choose from")
        for name in wanted:
            if name not in type(base).model_fields:
                raise ConfigError(f"the engine {base.kind} has no setting for {name}")
        return _TTS.validate_python(base.model_dump() | wanted)

    @cached_property
    def _pool(self) -> "VoicePool":
        """The voices to pick from, looked for when a role names none."""
        return VoicePool(self._config.tts)

    def _find_asked(self, engine: str | None) -> dict[str, str]:
        """Return the voice of each speaker whom the cast gives one of an engine."""
        base, cast = self._engine(engine), self.config or CastConfig()
        roles = {speaker: cast.role(speaker, "") for speaker in cast.speakers}
        return {
            speaker: role.voice
            for speaker, role in roles.items()
            if role.voice not in (None, AUTO) and self._engine(role.engine) == base
        }

    def _auto(self, base: TtsConfig, speaker: str, language: str) -> str:
        """Return the voice that a speaker's name picks of those that speak a language."""
        names = sorted(voice.voice for voice in self._pool.speaking(language, base.kind))
        if not names:
            return str(base.model_dump()["voice"])
        return names[int(hashlib.sha256(speaker.encode()).hexdigest(), 16) % len(names)]

    def _engine(self, name: str | None) -> TtsConfig:
        config = self._config
        if name is None or (name == config.tts.kind and name not in config.engines):
            return config.tts
        if name in config.engines:
            return config.engines[name]
        try:
            return _TTS.validate_python({"kind": name})
        except ValidationError as error:
            known = ", ".join(sorted({voice.engine for voice in list_voices()} | {*config.engines}))
            raise ConfigError(
                f"there is no engine {name!r} among {known}; engines in the job file may name more"
            ) from error

    def _face(self, role: RoleConfig) -> FaceConfig:
        face = self._config.face
        if role.style is None:
            return face
        if "style" not in type(face).model_fields:
            raise ConfigError(f"face.kind {face.kind} has no styles; set it to auto")
        return type(face).model_validate(face.model_dump() | {"style": role.style})


def recorded_voices(given: Mapping[str, Any], asked: Mapping[str, str]) -> dict[str, Any]:
    """Return the voice of every speaker for an engine that takes voices from recordings.

    A speaker who has none has that of all others (``*``), or else the first by name.

    Args:
        given: The engine's voices by name.
        asked: Speaker to a name among them.

    Raises:
        ConfigError: If there is no voice of that name.
    """
    unknown = [name for name in asked.values() if name not in given]
    if unknown:
        raise ConfigError(f"there is no voice {unknown[0]!r} in {', '.join(sorted(given))}")
    spoken = {speaker: given[name] for speaker, name in asked.items()}
    return {_EVERY_SPEAKER: given[min(given)], **given, **spoken}


class VoicePool:
    """The voices that can speak now: those that are installed, and those that the job brings.

    Args:
        own: The job's engine.
    """

    def __init__(self, own: TtsConfig) -> None:
        self._voices = [voice for voice in list_voices() if voice.is_installed]
        names = own.model_dump().get("voices", {}).keys() - {_EVERY_SPEAKER}
        if names:
            languages = tuple(sorted(build_tts(own).languages))
            self._voices += [
                Voice(own.kind, name, languages, "", is_installed=True) for name in names
            ]

    def speaking(self, language: str, engine: str | None = None) -> list[Voice]:
        """Return the voices for a language: those of its region if there are any.

        Args:
            language: A tag in its usual case.
            engine: The kind of engine; None: any.
        """
        voices = [voice for voice in self._voices if engine in (None, voice.engine)]
        exact = [voice for voice in voices if language in voice.languages]
        primary = language.split("-")[0]
        return exact or [
            voice
            for voice in voices
            if {"*", primary} & {tag.split("-")[0] for tag in voice.languages}
        ]


def _place(cast: CastConfig, speaker: str, language: str) -> Place:
    """Return the most special place where the cast speaks of a role."""
    place: Place = ("speakers", speaker) if speaker in cast.speakers else ("default",)
    said = cast.speakers.get(speaker, cast.default)
    tags = [tag for tag in (language, language.split("-")[0]) if tag in said.languages]
    return (*place, "languages", tags[0]) if tags else place


def _one(kind: str, fingerprints: set[str]) -> str:
    if len(fingerprints) == 1:
        return next(iter(fingerprints))
    return f"{kind}/{len(fingerprints)} {_digest(' '.join(sorted(fingerprints)))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
