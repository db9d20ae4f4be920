"""Who speaks with which voice: roles by speaker and language, from the general to the special."""

from collections.abc import Iterator

from pydantic import Field

from unitaf.config.settings import Settings

AUTO = "auto"
"""The voice of speakers that have none: one that the engine has, picked by the speaker's name."""


class RoleConfig(Settings):
    """How somebody speaks and moves; what is empty is as in the role that it stands in."""

    engine: str | None = Field(
        None, description="A kind of engine, or a name in engines of the job; empty: its tts."
    )
    voice: str | None = Field(None, description="A voice of the engine, or auto.")
    speed: float | None = Field(None, gt=0, description="Speaking rate; 2 is twice as fast.")
    pitch: float | None = Field(None, description="In semitones, of engines that have it.")
    style: str | None = Field(None, description="How the face moves: plain, lively, restrained.")


class SpeakerConfig(RoleConfig):
    """A speaker's role, and what is different in some languages."""

    languages: dict[str, RoleConfig] = Field(
        {}, description="By tag: pt-BR; pt also counts for pt-PT."
    )


class CastConfig(Settings):
    """A cast: the role of every speaker, and of those that it does not name."""

    default: SpeakerConfig = Field(SpeakerConfig(), description="Of speakers not named below.")
    speakers: dict[str, SpeakerConfig] = Field({}, description="By the script's name.")

    def role(self, speaker: str, language: str) -> RoleConfig:
        """Return the role of a speaker in a language: the most special word counts.

        That is, from the special to the general: the speaker in the language, the speaker, the
        default in the language, the default. Voice, speed and pitch are the engine's: where another
        engine is named, those said before it do not count.

        Args:
            speaker: As in the script.
            language: A tag in its usual case.
        """
        role: dict[str, object] = {}
        for word in self._words(speaker, language):
            said = word.model_dump(include=set(RoleConfig.model_fields), exclude_none=True)
            if said.get("engine", role.get("engine")) != role.get("engine"):
                role = {name: value for name, value in role.items() if name == "style"}
            role |= said
        return RoleConfig.model_validate(role)

    def _words(self, speaker: str, language: str) -> Iterator[RoleConfig]:
        """Give what is said of a role, from the general to the special."""
        for said in (self.default, self.speakers.get(speaker)):
            if said is not None:
                yield said
                for tag in dict.fromkeys((language.split("-")[0], language)):
                    if tag in said.languages:
                        yield said.languages[tag]
