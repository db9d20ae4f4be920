"""A first casting file for a script: everybody in it gets a voice that is installed.

Speakers with many lines choose first, and a voice is used again only when all are taken. Languages
that the job's engine does not speak go to another engine that is installed.
"""

import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from unitaf.build import build_script_defaults
from unitaf.config import GenerateConfig
from unitaf.errors import ConfigError
from unitaf.pipelines.casting import VoicePool
from unitaf.pipelines.planning import fetch_script
from unitaf.script.script import open_script
from unitaf.tts.voices import Voice

_SILENT = "stub"


def first_cast(script: str, config: GenerateConfig) -> str:
    """Return a casting file, in YAML, for the speakers of a script.

    Args:
        script: A file in any script format or a folder of them, here or ``s3://bucket/name``.
        config: The job whose engine is preferred.

    Raises:
        ConfigError: If the script cannot be used, or none of its lines.
    """
    counts = _count(script, config)
    if not counts:
        raise ConfigError(f"script {script} has no line that can be spoken, so nobody to cast")
    speakers: dict[str, Counter[str]] = defaultdict(Counter)
    for (speaker, language), lines in counts.items():
        speakers[speaker][language] = lines
    choice = _Choice(config)
    size = f"{counts.total():,} lines of {len(speakers):,} speakers"
    text = [
        f"# The cast of {Path(script).name}: {size}",
        "# unitaf generate SCRIPT STORE --cast THIS_FILE",
        "default:",
        "  voice: auto  # of speakers not named below: one picked by the name",
        "speakers:",
    ]
    for speaker in sorted(speakers, key=lambda name: (-speakers[name].total(), name)):
        text += _entry(speaker, speakers[speaker], choice)
    return "\n".join(text) + "\n"


def _count(script: str, config: GenerateConfig) -> Counter[tuple[str, str]]:
    counts = Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory(prefix="unitaf-") as folder:
        path = fetch_script(script, Path(folder), config.run.retry_budget_s)
        for batch in open_script(path, build_script_defaults(config)).batches():
            counts.update((line.utterance.speaker, line.utterance.language) for line in batch.lines)
    return counts


class _Choice:
    """Gives out voices, the least used first.

    Args:
        config: The job.
    """

    def __init__(self, config: GenerateConfig) -> None:
        self._own = config.tts.kind
        self._pool = VoicePool(config.tts)
        self._used = Counter[tuple[str, str]]()

    def voice(self, speaker: str, language: str) -> Voice | None:
        """Return a voice for a speaker in a language, or None if no engine speaks it."""
        pool = self._pool.speaking(language, self._own)
        if not pool:
            spoken = [v for v in self._pool.speaking(language) if v.engine != _SILENT]
            pool = [v for v in spoken if v.engine == spoken[0].engine]
        if not pool:
            return None
        least = min(self._used[v.engine, v.voice] for v in pool)
        voice = min(
            (v for v in pool if self._used[v.engine, v.voice] == least),
            key=lambda v: hashlib.sha256(f"{speaker} {v.voice}".encode()).digest(),
        )
        self._used[voice.engine, voice.voice] += 1
        return voice

    def is_own(self, voice: Voice) -> bool:
        """Say whether a voice is of the job's engine."""
        return voice.engine == self._own


def _entry(speaker: str, languages: Counter[str], choice: _Choice) -> Iterator[str]:
    ranked = sorted(languages, key=lambda tag: (-languages[tag], tag))
    shares = ", ".join(f"{tag} {languages[tag]:,}" for tag in ranked)
    yield f"  {json.dumps(speaker, ensure_ascii=False)}:  # {languages.total():,} lines: {shares}"
    voices = {tag: choice.voice(speaker, tag) for tag in ranked}
    own = next((voice for voice in voices.values() if voice and choice.is_own(voice)), None)
    yield f"    voice: {own.voice if own else 'auto'}"
    others = {tag: voice for tag, voice in voices.items() if voice != own}
    if others:
        yield "    languages:"
    for tag, voice in others.items():
        if voice is None:
            yield f"      {tag}: {{}}  # no engine that is installed speaks it"
        elif choice.is_own(voice):
            yield f"      {tag}: {{voice: {voice.voice}}}"
        else:
            yield f"      {tag}: {{engine: {voice.engine}, voice: {voice.voice}}}"
