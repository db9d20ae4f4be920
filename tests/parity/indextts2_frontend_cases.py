"""Runs the IndexTTS2 cases of the front ends: waveforms to what the networks read."""

import numpy as np
import torch

from tests.parity.golden import Case
from tests.parity.lines import check_stored
from unitaf import audio
from unitaf.tts.indextts2.frontend import (
    Waveform,
    emotion_audio,
    kaldi_fbank,
    log_mel,
    recording_audio,
    speaker_audio,
    style_fbank,
)
from unitaf.tts.indextts2.speech_encoder import num_steps, speech_inputs


def mono(case: Case, prefix: str, name: str = "pcm16") -> Waveform:
    """Return a stored clip as a reader of files gives it."""
    return (case.input(f"{prefix}/{name}").numpy() / 32768).mean(axis=1).astype(np.float32)


def run_frontends(case: Case) -> None:
    lines = sorted({name.split("/")[1] for name in case.tensors if name.startswith("inputs/")})
    for line in lines:
        sample_rate = int(case.input(f"{line}/sample_rate"))
        waveform = mono(case, line)
        speaker = speaker_audio(waveform, sample_rate)
        found = {
            "speaker_22050": speaker.at_mel_rate,
            "speaker_16000": speaker.at_speech_rate,
            "emotion_16000": emotion_audio(waveform, sample_rate),
            "training_24000": audio.resample(waveform, sample_rate, 24000),
            "training_16000": recording_audio(waveform, sample_rate),
            "mel": log_mel(speaker.at_mel_rate),
            "fbank_raw": kaldi_fbank(speaker.at_speech_rate),
            "fbank_centred": style_fbank(speaker.at_speech_rate),
        }
        for way in ("speaker", "emotion", "training"):
            inputs = speech_inputs([found[f"{way}_16000"]])
            found[f"{way}_features"] = inputs.values[0]
            found[f"{way}_mask"] = (torch.arange(inputs.lengths[0]) < inputs.valid[0]).int()
        for name in case.names(f"outputs/{line}/"):
            case.check(name, found[name.split("/")[-1]])
    samples = case.tensors["outputs/frame_table"][:, 0]
    frames = 1 + (samples - 400) // 160
    steps = torch.tensor([num_steps(int(count)) for count in samples])
    table = torch.stack([samples, frames, steps, frames // 2], dim=1)
    check_stored(case, "outputs/frame_table", table)
    samples = case.tensors["outputs/mel_frame_table"][:, 0]
    mels = [log_mel(np.zeros(int(count), np.float32)) for count in samples]
    frames = torch.tensor([mel.shape[1] for mel in mels])
    check_stored(case, "outputs/mel_frame_table", torch.stack([samples, frames], dim=1))


RUNNERS = {("indextts2", "frontends"): run_frontends}
