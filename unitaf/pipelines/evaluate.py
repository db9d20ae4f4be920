"""How good is a face model? Every metric on clips that it has not seen, next to baselines.

Baselines: ``mean`` is the training clips' mean face, held still; ``visemes`` the rule-based
animator on the phones that the engine hears in the recording; ``cascade``, where a checkpoint is
named for it, what its decoder makes of the audio encoder's own features. Conventions: metrics are
those of our own head, at the corpus's frame rate; a figure is the mean over clips, as the papers
have it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64

from unitaf import timing
from unitaf.audio import resample
from unitaf.build import build_tts
from unitaf.checkpoint.description import PIVOT, FeatureSpace
from unitaf.checkpoint.face_model import load_face_model
from unitaf.config import EvaluateConfig
from unitaf.data.clip_reader import ClipReader
from unitaf.data.clips import Clip
from unitaf.data.corpus import Corpus, open_corpus
from unitaf.errors import ConfigError
from unitaf.face.decoder import FrameGrid
from unitaf.face.visemes import VisemeAnimator
from unitaf.metrics import lips, mesh, sync
from unitaf.pipelines.training_clips import NEEDED
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, column_indices
from unitaf.rigs.head import procedural_head
from unitaf.types import FaceAnimator, Phone, Speech

CLOSED = 0.05
"""The largest `lips.lip_parting` that looks shut."""
_MAX_OFFSET_S = 0.25
OWN_STYLE = "own"
"""As a style: that of each clip's speaker, nobody's where the model does not know the speaker."""

Curves = Float32[np.ndarray, "frames 61"]
Predictor = Callable[["HeldOut"], Curves]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """A clip with all that a predictor may look at."""

    clip: Clip
    speech: Speech
    """The recording, with the engine's cached features and the phones that it hears."""
    encoded: Float32[np.ndarray, "steps dim"]


@dataclass(frozen=True, slots=True)
class Scores:
    """The metrics of one predictor; see `unitaf.metrics` for what they mean."""

    lip_vertex_error_mm2: float
    lip_vertex_distance_mm: float
    mean_vertex_error_mm: float
    mouth_opening_difference_mm: float
    upper_face_dynamics_deviation_mm2: float
    jitter_ratio: float
    """Of the target's; 1 is as calm as the recording."""
    bilabial_closure: float | None
    """Share of /p b m/ in which the lips meet; None if there was none."""
    openness_ratio: float
    """The 5th to 95th percentile of the mouth's opening over the target's; below 1 it mumbles."""
    sync_offset_ms: float | None
    """Median; above 0 is late. None for a face that holds still."""
    temporal_misalignment_ms: float | None
    """Median of `sync.temporal_misalignment`; None for a face that holds still."""
    largest_step: float
    """The most that a blendshape moves in a frame."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured."""

    checkpoint: str
    corpus: str
    split: str
    clips: int
    target_bilabial_closure: float | None
    """Of the recordings themselves."""
    scores: dict[str, Scores]
    """By predictor."""
    mouth_openings_mm: dict[str, list[float]]
    """Percentiles 0 to 100 of the mouth's opening over all frames, by predictor and of the
    ``recordings``."""

    def to_json(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def evaluate(
    checkpoint: str,
    corpus: str,
    config: EvaluateConfig | None = None,
    on_clip: Callable[[int, int], None] = lambda done, clips: None,
) -> Evaluation:
    """Measure a face model on the held-out clips of a corpus, next to baselines.

    Args:
        checkpoint: Of a face model.
        corpus: What `prepare` made.
        config: The job.
        on_clip: Called after every clip, with how many are measured and how many there are.

    Raises:
        ConfigError: If checkpoint and corpus do not fit, or there is no clip.
    """
    config = config or EvaluateConfig()
    opened = open_corpus(corpus)
    rows = opened.clips(config.split, NEEDED).slice(0, config.max_clips).to_pylist()
    if not rows:
        raise ConfigError(f"corpus {corpus} has no clip with features in the split {config.split}")
    predictors = _predictors(checkpoint, opened, config)
    judge = _Judge()
    tallies = {name: _Tally(judge) for name in predictors}
    itself = _Tally(judge)
    engine = build_tts(config.tts)
    reader = ClipReader(opened)
    for done, row in enumerate(rows, start=1):
        clip = reader.clip(row)
        features, encoded = (reader.features(row, name) for name in NEEDED)
        waveform = resample(clip.waveform(), clip.sample_rate, engine.sample_rate)
        heard = engine.encode(clip.utterance, waveform)
        speech = Speech(
            clip.waveform(),
            clip.sample_rate,
            features,
            opened.info.tts.rate,
            heard.phones,
            f0=heard.f0,
            f0_rate=heard.f0_rate,
            emotion=clip.emotion,
        )
        held = HeldOut(clip, speech, encoded)
        itself.add(clip.curves, held)
        for name, predict in predictors.items():
            tallies[name].add(predict(held), held)
        on_clip(done, len(rows))
    return Evaluation(
        checkpoint=checkpoint,
        corpus=corpus,
        split=config.split,
        clips=len(rows),
        target_bilabial_closure=itself.closure,
        scores={name: tally.scores() for name, tally in tallies.items()},
        mouth_openings_mm={
            "recordings": itself.openings_mm(),
            **{name: tally.openings_mm() for name, tally in tallies.items()},
        },
    )


def _predictors(checkpoint: str, corpus: Corpus, config: EvaluateConfig) -> dict[str, Predictor]:
    models = {"model": checkpoint, **config.others}
    predictors = {name: _of_model(uri, corpus, config.style) for name, uri in models.items()}
    if config.cascade is not None:
        predictors["cascade"] = _of_cascade(config.cascade, corpus, config.style)
    predictors["visemes"] = _of_animator(VisemeAnimator())
    predictors["mean"] = _of_mean(corpus)
    return predictors


def _of_model(uri: str, corpus: Corpus, style: str) -> Predictor:
    loaded = load_face_model(uri)
    features, info = loaded.description.features, corpus.info.tts
    theirs = FeatureSpace.of_engine(info.fingerprint, info.dim, info.rate)
    if not features.fits(theirs):
        raise ConfigError(f"{uri} reads features of {features}, but the corpus has {theirs}")
    if style != OWN_STYLE:
        return _of_animator(loaded.animator(style))
    own = {name: _of_animator(loaded.animator(name)) for name in loaded.description.styles}
    anybody = _of_animator(loaded.animator(PIVOT))
    return lambda held: own.get(held.clip.utterance.speaker, anybody)(held)


def _of_animator(animator: FaceAnimator) -> Predictor:
    def predict(held: HeldOut) -> Curves:
        (motion,) = animator.animate([held.clip.utterance], [held.speech], held.clip.fps)
        return motion.curves

    return predict


def _of_mean(corpus: Corpus) -> Predictor:
    reader = ClipReader(corpus)
    total, frames = np.zeros(len(CHANNELS)), 0
    for row in corpus.clips("train", NEEDED).to_pylist():
        curves = reader.clip(row).curves
        total, frames = total + curves.sum(axis=0, dtype=np.float64), frames + len(curves)
    mean = (total / max(frames, 1)).astype(np.float32)
    return lambda held: np.repeat(mean[None], len(held.clip.curves), axis=0)


def _of_cascade(uri: str, corpus: Corpus, style: str) -> Predictor:
    loaded = load_face_model(uri)
    described, model = loaded.description, loaded.model
    encoder = corpus.info.encoder
    if encoder is None or encoder.dim != described.encoder.dim:
        raise ConfigError("the cascade's checkpoint was trained on another audio encoder")
    columns = column_indices(CHANNELS, described.channels)

    @torch.inference_mode()
    def predict(held: HeldOut) -> Curves:
        clip = held.clip
        own = clip.speaker if clip.speaker in described.styles else PIVOT
        style_ids = torch.tensor([described.style_id(own if style == OWN_STYLE else style)])
        frames = timing.num_frames(clip.num_samples, clip.sample_rate, described.fps)
        grid = FrameGrid.on_clock([len(held.encoded)], [frames], encoder.rate, described.fps)
        read = grid.read(torch.from_numpy(held.encoded)[None])
        moved = model.head(model.decoder(read, grid.mask, style_ids))
        if model.calming is not None:
            moved = model.calming(moved, grid.mask)
        curves = np.zeros_like(clip.curves)
        times = timing.frame_times(len(curves), clip.fps)
        curves[:, columns] = timing.resample_linear(moved[0].numpy(), described.fps, times)
        curves[:, : len(BLENDSHAPES)] = curves[:, : len(BLENDSHAPES)].clip(0.0, 1.0)
        return curves

    return predict


class _Judge:
    """Our head, reduced to the points that move."""

    def __init__(self) -> None:
        rig = procedural_head()
        moving = np.flatnonzero(np.abs(rig.deltas).max(axis=(0, 2)) > 0)
        self.neutral = rig.neutral[moving]
        self._deltas = rig.deltas[:, moving].reshape(len(rig.channels), -1)
        self._columns = column_indices(CHANNELS, rig.channels)
        self.lips: Int64[np.ndarray, " lips"] = np.searchsorted(moving, rig.lips)
        reach = np.abs(rig.deltas[:, moving]).max(axis=2)
        is_lip = np.array([name.startswith(("jaw", "mouth", "tongue")) for name in rig.channels])
        self.upper = np.flatnonzero(reach[~is_lip].max(axis=0) > reach[is_lip].max(axis=0))

    def vertices(self, curves: Curves) -> Float32[np.ndarray, "frames points 3"]:
        """Return the points of every frame, in metres."""
        moved = (curves[:, self._columns] @ self._deltas).reshape(len(curves), -1, 3)
        return np.asarray(self.neutral + moved, np.float32)


class _Tally:
    """Adds up one predictor's scores over clips."""

    def __init__(self, judge: _Judge) -> None:
        self._judge = judge
        self._sums: dict[str, list[float]] = {}
        self._offsets: list[float] = []
        self._apart: list[float] = []
        self._openings: list[np.ndarray] = []
        self._true_openings: list[np.ndarray] = []
        self._closures = lips.Closures(0, 0)

    def add(self, curves: Curves, held: HeldOut) -> None:
        """Measure a prediction for a clip."""
        judge, target, fps = self._judge, held.clip.curves, held.clip.fps
        ours, true = judge.vertices(curves), judge.vertices(target)
        opening, true_opening = (lips.mouth_opening(each, judge.lips) for each in (ours, true))
        self._openings.append(opening)
        self._true_openings.append(true_opening)
        self._closures += _closures(curves, held.speech.phones, fps)
        self._note(
            lip_vertex_error_mm2=1e6 * mesh.lip_vertex_error(ours, true, judge.lips),
            lip_vertex_distance_mm=1e3 * mesh.lip_vertex_distance(ours, true, judge.lips),
            mean_vertex_error_mm=1e3 * mesh.mean_vertex_error(ours, true),
            mouth_opening_difference_mm=1e3 * float(np.abs(opening - true_opening).mean()),
            upper_face_dynamics_deviation_mm2=1e6
            * mesh.upper_face_dynamics_deviation(ours, true, judge.neutral, judge.upper),
            jitter=mesh.jitter(ours, fps),
            true_jitter=mesh.jitter(true, fps),
            step=float(np.abs(np.diff(curves[:, : len(BLENDSHAPES)], axis=0)).max(initial=0.0)),
        )
        moves = min(np.ptp(opening), np.ptp(true_opening)) > 0
        if moves and len(opening) > 4 * _MAX_OFFSET_S * fps:
            self._offsets.append(sync.sync_offset(opening, true_opening, fps, _MAX_OFFSET_S))
            if sync.extrema(true_opening).size:
                apart = sync.temporal_misalignment(opening, true_opening, fps, _MAX_OFFSET_S)
                self._apart.append(apart)

    @property
    def closure(self) -> float | None:
        """The share of bilabials in which the lips met."""
        return self._closures.rate if self._closures.bilabials else None

    def scores(self) -> Scores:
        """Return the scores of all clips."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        ours, true = (_spread(each) for each in (self._openings, self._true_openings))
        return Scores(
            **{name: means[name] for name in _AVERAGED},
            jitter_ratio=means["jitter"] / means["true_jitter"],
            bilabial_closure=self.closure,
            openness_ratio=ours / true,
            sync_offset_ms=_median_ms(self._offsets),
            temporal_misalignment_ms=_median_ms(self._apart),
            largest_step=max(self._sums["step"]),
        )

    def openings_mm(self) -> list[float]:
        """Return the percentiles 0 to 100 of the mouth's opening."""
        openings = 1e3 * np.concatenate(self._openings)
        return [float(value) for value in np.percentile(openings, range(101))]

    def _note(self, **values: float) -> None:
        for name, value in values.items():
            self._sums.setdefault(name, []).append(value)


_AVERAGED = (
    "lip_vertex_error_mm2", "lip_vertex_distance_mm", "mean_vertex_error_mm",
    "mouth_opening_difference_mm", "upper_face_dynamics_deviation_mm2",
)  # fmt: skip


def _closures(curves: Curves, phones: Sequence[Phone], fps: float) -> lips.Closures:
    return lips.bilabial_closures(phones, lips.lip_parting(curves, CHANNELS), fps, CLOSED)


def _median_ms(times_s: Sequence[float]) -> float | None:
    return 1e3 * float(np.median(times_s)) if times_s else None


def _spread(openings: Sequence[np.ndarray]) -> float:
    low, high = np.percentile(np.concatenate(openings), [5, 95])
    return float(high - low)
