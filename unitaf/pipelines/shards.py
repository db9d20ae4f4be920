"""What is done, what is left, when a shard is committed: pure functions and values.

A *take key* is a hash of everything that changes a take's bytes. A *shard* is a set of keys that
one worker makes and commits together: first the payload, under a name that holds its hash, then
the *manifest*, by an atomic create. Who creates the manifest has committed the shard; readers trust
manifests only. A *plan* is the list of shards of a job, itself created once in the store, so that
drivers that start together, or a driver that is started again, divide the work in the same way.

On the store::

    plans/<plan>/plan.json, <part>-<sha>.parquet    the shards of a job and their lines
    takes/language=<tag>/<shard>-<sha>.parquet      payload
    manifests/<shard>.json                          committed: yes

This module knows nothing about Ray, storage or models.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from unitaf.types import Utterance

KEY_VERSION = 2
"""Part of every take key: raise it when the same inputs begin to give other bytes."""

MAX_CHARACTERS = 50_000
"""Of a shard, about an hour of speech: a worker holds a shard's takes until it commits them."""

_MIN_SHARD, _MAX_SHARD, _SHARDS_A_JOB = 8, 256, 16
_FEWEST_SHARDS = 4
"""That full calls of an engine may leave: GPUs are few."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What, besides the utterance, decides a take's bytes."""

    tts: str
    """The fingerprint of the text-to-speech engine for the speaker: models, voice and settings."""
    face: str
    """The fingerprint of the face animator."""
    fps: float
    audio_format: str
    edges_s: tuple[float | None, float | None] = (None, None)
    """The silence before and after a line, where the job sets it."""


@dataclass(frozen=True, slots=True)
class TakeSummary:
    """What a manifest says of one take."""

    key: str
    num_samples: int
    num_frames: int


@dataclass(frozen=True, slots=True)
class RejectSummary:
    """What a manifest says of one line that the engine could not make."""

    key: str
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The proof that a shard is committed, and what is in it."""

    shard: str
    language: str
    payload: str
    """The object that holds the takes, in the order of `takes`; empty if all were rejected."""
    payload_bytes: int
    row_group_size: int
    sample_rate: int
    fps: float
    tts: str
    face: str
    takes: tuple[TakeSummary, ...]
    rejects: tuple[RejectSummary, ...]

    @property
    def keys(self) -> list[str]:
        """Every key that needs no more work: made or rejected."""
        return [take.key for take in self.takes] + [reject.key for reject in self.rejects]


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One shard of a plan and where its lines are kept."""

    id: str
    language: str
    num_lines: int
    num_characters: int
    part: str
    """The object that holds the lines."""
    row_group: int
    role: str = ""
    """Whose lines these are; see `casting.Role`. Empty for the job's own engine and face."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All shards of a job, as created once in the store."""

    id: str
    shards: tuple[PlannedShard, ...]


def take_key(utterance: Utterance, recipe: Recipe) -> str:
    """Return the key of a take: 32 hex digits. Same key, same bytes.

    The line id is not in it, and of the speaker only the voice, in the engine's fingerprint.
    """
    parts = [
        KEY_VERSION,
        utterance.text,
        utterance.language,
        list(utterance.emotion),
        utterance.seed,
        recipe.tts,
        recipe.face,
        recipe.fps,
        recipe.audio_format,
    ]
    # Keys of lines and jobs that ask for neither are as they were before one could.
    if utterance.target_s is not None or recipe.edges_s != (None, None):
        parts += [utterance.target_s, *recipe.edges_s]
    return _digest(json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode())


def shard_id(keys: Iterable[str]) -> str:
    """Return the id of the shard that makes these keys, whatever their order."""
    return _digest("\n".join(sorted(keys)).encode())


def plan_id(
    sorted_keys: Iterable[str],
    shard_size: int | None,
    generation: int = 0,
    roles: Iterable[str] = ("",),
) -> str:
    """Return the id of a plan for a script's keys: the same for every driver of the same job.

    Args:
        sorted_keys: Of the takes that the script needs.
        shard_size: As the job sets it.
        generation: How many plans before it were out of date.
        roles: Those that the plan's shards may name.
    """
    digest = hashlib.sha256(repr((shard_size, generation)).encode())
    for part in (*sorted(roles), *sorted_keys):
        digest.update(part.encode())
    return digest.hexdigest()[:32]


def default_shard_size(num_lines: int, call_size: int = 1) -> int:
    """Return how many lines a shard should have: enough shards to share out, few objects.

    Args:
        num_lines: To be made.
        call_size: How many lines the engine is best given at once. A shard fills a call if a few
            shards are left, since a call never has lines of two.
    """
    share = min(_MAX_SHARD, -(-num_lines // _SHARDS_A_JOB))
    return max(_MIN_SHARD, share, min(call_size, -(-num_lines // _FEWEST_SHARDS)))


def manifest_name(shard: str) -> str:
    """Return where the manifest of a shard is kept."""
    return f"manifests/{shard}.json"


def plan_name(plan: str) -> str:
    """Return where the list of a plan's shards is kept."""
    return f"plans/{plan}/plan.json"


def plan_part_name(plan: str, index: int, data: bytes) -> str:
    """Return where a part of a plan's lines is kept."""
    return f"plans/{plan}/{index:05d}-{_digest(data)[:16]}.parquet"


def payload_name(shard: str, language: str, data: bytes) -> str:
    """Return where a shard's takes are kept: the name holds the SHA-256 of the bytes."""
    return f"takes/language={language}/{shard}-{hashlib.sha256(data).hexdigest()}.parquet"


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as JSON: the same bytes for the same shard, wherever it was made."""
    value = asdict(manifest)
    value["takes"] = [[t.key, t.num_samples, t.num_frames] for t in manifest.takes]
    value["rejects"] = [[r.key, r.column, r.reason] for r in manifest.rejects]
    return _json({"version": 1, **value})


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ValueError: If it is not a manifest of this version.
    """
    value = _versioned(data, "manifest")
    value["takes"] = tuple(TakeSummary(*take) for take in value["takes"])
    value["rejects"] = tuple(RejectSummary(*reject) for reject in value["rejects"])
    return Manifest(**value)


def encode_plan(plan: Plan) -> bytes:
    """Write a plan as JSON."""
    shards = [list(asdict(shard).values()) for shard in plan.shards]
    return _json({"version": 1, "id": plan.id, "shards": shards})


def decode_plan(data: bytes) -> Plan:
    """Read a plan.

    Raises:
        ValueError: If it is not a plan of this version.
    """
    value = _versioned(data, "plan")
    return Plan(value["id"], tuple(PlannedShard(*shard) for shard in value["shards"]))


def _versioned(data: bytes, what: str) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict) or value.pop("version", None) != 1:
        raise ValueError(f"not a {what} of this version of unitaf")
    return value


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
