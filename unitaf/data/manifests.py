"""What proves that clips or features are in a corpus: manifests, created after their payload.

On the corpus::

    clips/<shard>-<sha>.parquet                     payload
    manifests/clips/<shard>.json                    committed: yes
    features/<set>/<key>-<sha>.parquet              payload
    manifests/features/<set>/<key>.json             committed: yes

A shard is named by its recordings and by what makes clips of them; features by the keys of the
clips and the voices of their speakers, so clips that are made again with the same content find
their features there, and another voice concerns only the shards of its speaker.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from unitaf.data.features import FeatureSet
from unitaf.data.recordings import Refusal


@dataclass(frozen=True, slots=True)
class ClipRow:
    """What a manifest, and later the catalog, says of one clip."""

    clip_key: str
    clip_id: str
    recording: str
    split: str
    speaker: str
    language: str
    text: str
    text_source: str
    emotion: tuple[float, ...]
    channels: tuple[str, ...]
    sample_rate: int
    num_samples: int
    num_frames: int
    emotion_source: str = "tags"
    """Manifests of old corpora lack it."""


@dataclass(frozen=True, slots=True)
class ClipManifest:
    """The proof that the clips of a shard are committed."""

    shard: str
    payload: str
    """The object that holds the clips, in the order of `clips`; empty if there are none."""
    payload_bytes: int
    clips: tuple[ClipRow, ...]
    refusals: tuple[Refusal, ...]
    openness: tuple[int, ...]
    """Frames by jaw opening less lip closure, in equal bins from 0 to 1."""

    def features_key(self, voice_of: Callable[[str], str]) -> str:
        """Name one kind of features of these clips.

        Args:
            voice_of: What the features of a speaker depend on besides their kind; may be empty.
        """
        speakers = sorted({clip.speaker for clip in self.clips})
        voices = [f"{speaker}={voice}" for speaker in speakers if (voice := voice_of(speaker))]
        return digest([*(clip.clip_key for clip in self.clips), *voices])


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """What a manifest says of the features of one clip."""

    clip_key: str
    steps: int
    cost: float


@dataclass(frozen=True, slots=True)
class FeatureManifest:
    """The proof that the features of some clips are committed."""

    set: FeatureSet
    clips: str
    """As from `ClipManifest.features_key`."""
    payload: str
    payload_bytes: int
    rows: tuple[FeatureRow, ...]
    refusals: tuple[Refusal, ...]
    """Clips without such features, by clip key."""


def digest(parts: Iterable[str]) -> str:
    """Return 32 hex digits that stand for some texts in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def clips_manifest_name(shard: str) -> str:
    """Return where the manifest of a shard's clips is kept."""
    return f"manifests/clips/{shard}.json"


def clips_payload_name(shard: str, data: bytes) -> str:
    """Return where a shard's clips are kept: the name holds the SHA-256 of the bytes."""
    return f"clips/{shard}-{hashlib.sha256(data).hexdigest()}.parquet"


def features_manifest_name(features: FeatureSet, key: str) -> str:
    """Return where the manifest of the features of some clips is kept."""
    return f"manifests/features/{features.id}/{key}.json"


def features_payload_name(features: FeatureSet, key: str, data: bytes) -> str:
    """Return where the features of some clips are kept."""
    return f"features/{features.id}/{key}-{hashlib.sha256(data).hexdigest()}.parquet"


def encode_manifest(manifest: ClipManifest | FeatureManifest) -> bytes:
    """Write a manifest as JSON."""
    value = {"version": 1, **asdict(manifest)}
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def decode_clip_manifest(data: bytes) -> ClipManifest:
    """Read a manifest of clips.

    Raises:
        ValueError: If it is none of this version.
    """
    value = _versioned(data)
    clips = [
        ClipRow(**{**row, "emotion": tuple(row["emotion"]), "channels": tuple(row["channels"])})
        for row in value.pop("clips")
    ]
    refusals = [Refusal(**refusal) for refusal in value.pop("refusals")]
    openness = tuple(value.pop("openness"))
    return ClipManifest(clips=tuple(clips), refusals=tuple(refusals), openness=openness, **value)


def decode_feature_manifest(data: bytes) -> FeatureManifest:
    """Read a manifest of features.

    Raises:
        ValueError: If it is none of this version.
    """
    value = _versioned(data)
    rows = [FeatureRow(**row) for row in value.pop("rows")]
    refusals = [Refusal(**refusal) for refusal in value.pop("refusals")]
    features = FeatureSet(**value.pop("set"))
    return FeatureManifest(set=features, rows=tuple(rows), refusals=tuple(refusals), **value)


def _versioned(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict) or value.pop("version", None) != 1:
        raise ValueError("not a manifest of this version of unitaf")
    return value
