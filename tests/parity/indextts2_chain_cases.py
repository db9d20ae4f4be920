"""Runs the IndexTTS2 cases of the whole chain: text to sound, and recordings to features."""

import shutil
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.parity.golden import Case
from tests.parity.indextts2_decoding_cases import read_rules, stored_noise
from tests.parity.indextts2_frontend_cases import mono
from tests.parity.indextts2_gpt_cases import ids_of, make_conditioner, make_gpt
from tests.parity.indextts2_mel_cases import make_s2mel
from tests.parity.indextts2_vocoder_cases import make_vocoder
from tests.parity.indextts2_voice_cases import make_codec, make_speech_encoder, make_style_encoder
from tests.parity.lines import check_stored, numbered
from unitaf.audio import encode_audio
from unitaf.tts.indextts2.conditioning import EmotionTable, as_emotion, scale_emotion
from unitaf.tts.indextts2.engine import Hardware, IndexTts2
from unitaf.tts.indextts2.files import FILES, TOKENISER
from unitaf.tts.indextts2.frontend import (
    Waveform,
    emotion_audio,
    recording_audio,
    speaker_audio,
    style_fbank,
)
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.maker import SpeechSettings
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.prompt import join_conditions
from unitaf.tts.indextts2.recording import Recording, recording_features
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2.synthesis import (
    FlowSettings,
    Segment,
    Spoken,
    make_content,
    make_mels,
    make_waveforms,
    read_codes,
    write_codes,
)
from unitaf.tts.indextts2.teaching import code_latents, teach, teaching_losses
from unitaf.tts.indextts2.text import TextFront
from unitaf.tts.indextts2.voice import (
    Voice,
    blended_emotion,
    mixed_emotion,
    read_emotion,
    read_voice,
)
from unitaf.types import NEUTRAL

SILENCE = 4410


def make_networks(case: Case) -> Networks:
    tables = Case(case.file.with_name("emotion_vectors.json")).weights()
    encoder = Case(case.file.with_name("weights_speech_encoder.json"))
    return Networks(
        make_speech_encoder(case, "weights_speech_encoder", encoder.json["config"]["layer"]),
        make_codec(case, "codec"),
        make_style_encoder(case, "campplus"),
        make_conditioner(case, case.json["config"]["gpt"]),
        EmotionTable(tables["feat1"], tables["feat2"]),
        make_gpt(case),
        make_s2mel(case),
        make_vocoder(Case(case.file.with_name("bigvgan.json")), "bigvgan"),
    )


class Request:
    """One request of the case, and what is known of it so far."""

    def __init__(self, case: Case, networks: Networks, said: dict[str, Any]) -> None:
        self.name = said["request"]
        self.said = said
        rate = int(case.input(f"{said['speaker']}/sample_rate"))
        self.voice = read_voice(networks, mono(case, said["speaker"]), rate)
        self.emotion = self._emotion(case, networks)
        front = TextFront(case.file.with_name("bpe_tiny.model"))
        pieces = front.pieces(said["text"])
        self.segments = front.segments(pieces, said["max_text_tokens_per_segment"])

    def rules(self) -> tuple[bool, int]:
        return self.said["do_sample"], self.said["num_beams"]

    def _emotion(self, case: Case, networks: Networks) -> Tensor:
        alpha = float(self.said["emotion_alpha"])
        if self.said["emotion_vector"] is not None:
            strengths = scale_emotion([float(w) for w in self.said["emotion_vector"]], alpha)
            return mixed_emotion(networks, self.voice, strengths)
        if self.said["emotion_audio"] is None:
            return self.voice.spoken
        clip = self.said["emotion_audio"]
        rate = int(case.input(f"{clip}/sample_rate"))
        return blended_emotion(self.voice, read_emotion(networks, mono(case, clip), rate), alpha)


def run_end_to_end(case: Case) -> None:
    networks = make_networks(case)
    requests = [Request(case, networks, said) for said in case.json["requests"]]
    _check_clips(case, networks, requests)
    spoken = [
        each
        for _, group in groupby(sorted(requests, key=Request.rules), key=Request.rules)
        for each in _speak(case, networks, list(group))
    ]
    contents = make_content(networks, [each.spoken for each in spoken])
    noises = [case.input(f"{each.name}/cfm_noise") for each in spoken]
    voices = [each.segment.voice for each in spoken]
    mels = make_mels(networks, voices, contents, noises, FlowSettings())
    waveforms = make_waveforms(networks, mels)
    for each, content, mel in zip(spoken, contents, mels, strict=True):
        check_stored(case, f"outputs/{each.name}/codes", torch.tensor(each.spoken.codes))
        check_stored(case, f"outputs/{each.name}/latents", each.spoken.latents)
        check_stored(case, f"intermediates/{each.name}/content", content)
        check_stored(case, f"outputs/{each.name}/mel", mel)
    for request in requests:
        own = [w for each, w in zip(spoken, waveforms, strict=True) if each.request is request]
        check_stored(case, f"outputs/{request.name}/pcm16", _joined(own))


class Named:
    """A segment of a request, and what it became."""

    def __init__(self, request: Request, index: int) -> None:
        self.request = request
        self.name = f"{request.name}/seg{index}"
        self.segment = Segment(
            tuple(request.segments[index]),
            request.voice,
            request.emotion,
            request.said["max_new_codes"],
        )
        self.spoken: Spoken


def _speak(case: Case, networks: Networks, requests: list[Request]) -> list[Named]:
    """Decode all segments of requests with the same rules in one batch."""
    named = [Named(request, i) for request in requests for i in range(len(request.segments))]
    config = {**case.json["config"], **requests[0].said}
    noise = stored_noise(case, [each.name for each in named])
    segments = [each.segment for each in named]
    written = write_codes(networks, segments, noise, read_rules(config))
    spoken = read_codes(networks, segments, written)
    for each, result in zip(named, spoken, strict=True):
        each.spoken = result
        start = f"intermediates/{each.name}"
        check_stored(case, f"{start}/text_ids", torch.tensor(each.segment.text_ids))
        check_stored(case, f"{start}/cond_latents", each.segment.voice.speaker_latents)
        check_stored(case, f"{start}/emovec", each.segment.emotion)
    return named


def _joined(waveforms: list[Tensor]) -> Tensor:
    """Join segments with silence and cut to 16 bits, as the reference does."""
    parts = []
    for waveform in waveforms:
        parts += [torch.zeros(SILENCE), (32767 * waveform).clamp(-32767, 32767)]
    return torch.cat(parts[1:]).trunc().short()


def _check_clips(case: Case, networks: Networks, requests: list[Request]) -> None:
    for name in case.names("intermediates/wave_"):
        clip, kind = name.split("/")[1:]
        rate, waveform = int(case.input(f"{clip}/sample_rate")), mono(case, clip)
        heard = emotion_audio(waveform, rate)
        if kind == "speaker_features":
            heard = speaker_audio(waveform, rate).at_speech_rate
        case.check(name, networks.speech_encoder.read([heard]).values[0])
    for request in requests:
        clip = request.said["speaker"]
        rate = int(case.input(f"{clip}/sample_rate"))
        heard = speaker_audio(mono(case, clip), rate).at_speech_rate
        features = networks.speech_encoder.read([heard])
        codes = networks.codec(features.values, features.lengths)[0]
        start = f"intermediates/{request.name}"
        check_stored(case, f"{start}/speaker_codes", codes)
        check_stored(case, f"{start}/style", request.voice.style)
        check_stored(case, f"{start}/prompt_mel", request.voice.mel)
        check_stored(case, f"{start}/prompt_content", request.voice.content)


def run_training_path(case: Case) -> None:
    networks = make_networks(case)
    gpt = networks.gpt
    lines = numbered(case, "L")
    targets = [_recording(case, line, "target_pcm16") for line in lines]
    heard = networks.speech_encoder.read(targets)
    codes = networks.codec(heard.values, heard.lengths)
    conditions = _conditions(case, networks, lines)
    texts = ids_of(case, lines, "text_ids")
    known = [row[:n].tolist() for row, n in zip(codes, heard.valid, strict=True)]
    every = [row[:n].tolist() for row, n in zip(codes, heard.lengths, strict=True)]
    latents = code_latents(gpt, conditions, texts, every)
    features = networks.s2mel.gpt_layer(latents)
    for row, line in enumerate(lines):
        count = int(heard.lengths[row])
        check_stored(case, f"outputs/{line}/codes", codes[row, :count])
        check_stored(case, f"outputs/{line}/latents", latents[row, :count])
        check_stored(case, f"outputs/{line}/audio_feature_every4th", features[row, :count, ::4])
        check_stored(case, f"intermediates/{line}/codes_valid_length", heard.valid[row])
        check_stored(case, f"intermediates/{line}/target_features", heard.values[row, :count])
        fed = [[gpt.sizes.start_code, *known[row]]]
        alone = slice(row, row + 1)
        taught = teach(gpt, conditions[alone], texts[alone], fed)
        losses = teaching_losses(gpt, taught, texts[alone], known[alone])
        check_stored(case, f"outputs/{line}/text_loss", losses.text)
        check_stored(case, f"outputs/{line}/mel_loss", losses.codes)
        text_inputs, mel_inputs = _inputs(gpt, texts[row], known[row], len(texts[row]), count)
        check_stored(case, f"intermediates/{line}/text_inputs", torch.tensor(text_inputs))
        check_stored(case, f"intermediates/{line}/mel_inputs", torch.tensor(mel_inputs))
    _check_padded_batch(case, gpt, conditions, texts, known)
    with TemporaryDirectory() as folder:
        engine = make_engine(case, networks, Path(folder))
        for line, text_ids in zip(lines, texts, strict=True):
            _check_engine(case, engine, line, tuple(text_ids))


def make_engine(case: Case, networks: Networks, folder: Path) -> IndexTts2:
    """Return the engine with the networks of a case in place of published files."""
    for file in FILES:
        (folder / file.name).parent.mkdir(exist_ok=True)
        (folder / file.name).touch()
    shutil.copy(case.file.with_name("bpe_tiny.model"), folder / TOKENISER.name)
    clip = folder / "clip.wav"
    clip.write_bytes(encode_audio(0.1 * np.ones(22050, np.float32), 22050, "wav"))
    voices = {"*": VoiceSource(str(clip))}
    engine = IndexTts2(folder, voices, SpeechSettings(), Hardware())
    engine.networks = networks
    return engine


def _check_engine(case: Case, engine: IndexTts2, line: str, text_ids: tuple[int, ...]) -> None:
    """The same numbers as the engine computes them for a recording."""
    latents = case.tensors[f"intermediates/{line}/cond_latents"]
    nothing = latents.new_zeros(0)
    voice = Voice(latents, nothing, nothing, nothing, nothing[None], nothing[None])
    name, strengths = f"inputs/{line}/emotion_vector", NEUTRAL
    if name in case.tensors:
        strengths = as_emotion(case.tensors[name].tolist())
    rate, waveform = int(case.input(f"{line}/sample_rate")), mono(case, line, "target_pcm16")
    recording = Recording(waveform, rate, text_ids, voice, strengths)
    (heard,) = engine.hear([recording])
    check_stored(case, f"outputs/{line}/codes", torch.tensor(heard.codes))
    (features,) = recording_features(engine.networks, [recording], [heard])
    check_stored(case, f"outputs/{line}/audio_feature_every4th", features[:, ::4])


def _inputs(
    gpt: SpeechGpt, text: list[int], codes: list[int], num_text: int, num_codes: int
) -> tuple[list[int], list[int]]:
    """Return a line as the reference feeds it: filled with stops to some lengths."""
    sizes = gpt.sizes
    text_stops = [sizes.stop_text] * (num_text - len(text) + 1)
    code_stops = [sizes.stop_code] * (num_codes - len(codes) + 1)
    return [sizes.start_text, *text, *text_stops], [sizes.start_code, *codes, *code_stops]


def _check_padded_batch(
    case: Case, gpt: SpeechGpt, conditions: Tensor, texts: list[list[int]], codes: list[list[int]]
) -> None:
    """The reference's own batch, with stops between text and codes: reproduced by feeding them."""
    num_text = case.tensors["intermediates/padded_batch/text_inputs"].shape[1] - 2
    num_codes = case.tensors["intermediates/padded_batch/mel_inputs"].shape[1] - 2
    rows = [_inputs(gpt, t, c, num_text, num_codes) for t, c in zip(texts, codes, strict=True)]
    check_stored(
        case, "intermediates/padded_batch/text_inputs", torch.tensor([row[0] for row in rows])
    )
    check_stored(
        case, "intermediates/padded_batch/mel_inputs", torch.tensor([row[1] for row in rows])
    )
    taught = teach(gpt, conditions, [row[0][1:-1] for row in rows], [row[1] for row in rows])
    check_stored(case, "outputs/padded_batch/latents", taught.codes[:, :-2])
    losses = teaching_losses(gpt, taught, texts, codes)
    check_stored(case, "outputs/padded_batch/text_loss", losses.text)
    check_stored(case, "outputs/padded_batch/mel_loss", losses.codes)


def _recording(case: Case, line: str, name: str) -> Waveform:
    return recording_audio(mono(case, line, name), int(case.input(f"{line}/sample_rate")))


def _conditions(case: Case, networks: Networks, lines: list[str]) -> Tensor:
    prompts = [_recording(case, line, "prompt_pcm16") for line in lines]
    heard = networks.speech_encoder.read(prompts)
    latents = networks.conditioner.speaker_latents(heard.values, heard.lengths, heard.valid)
    emotions = []
    for line, latent in zip(lines, latents, strict=True):
        rate, waveform = int(case.input(f"{line}/sample_rate")), mono(case, line, "target_pcm16")
        emotion = read_emotion(networks, waveform, rate)
        check_stored(case, f"intermediates/{line}/cond_latents", latent)
        check_stored(case, f"intermediates/{line}/emovec_audio", emotion)
        if f"inputs/{line}/emotion_vector" in case.tensors:
            fbank = style_fbank(_recording(case, line, "target_pcm16"))
            style = networks.style_encoder(fbank[None])[0]
            check_stored(case, f"intermediates/{line}/style", style)
            strengths = scale_emotion(case.input(f"{line}/emotion_vector").tolist(), 1.0)
            emotion = networks.emotions.mix(strengths, style, emotion)
        check_stored(case, f"intermediates/{line}/emovec", emotion)
        emotions.append(emotion)
    return join_conditions(networks.gpt, latents, torch.stack(emotions))


RUNNERS = {
    ("indextts2", "end_to_end"): run_end_to_end,
    ("indextts2", "training_path"): run_training_path,
}
