"""Kokoro-82M: what it says, when, how loud, in which language, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import stft

from unitaf.errors import InputError
from unitaf.face.phones import postures
from unitaf.tts.kokoro.engine import Kokoro
from unitaf.tts.kokoro.files import VOICES, KokoroFiles
from unitaf.types import Speech, Utterance

STEPS = 80


@pytest.fixture(scope="module")
def engine(kokoro_files: KokoroFiles) -> Kokoro:
    return Kokoro(kokoro_files, "jf_alpha")


def say(engine: Kokoro, text: str, language: str = "en", speed: float = 1.0) -> Speech:
    (speech,) = engine.synthesize([Utterance("line", text, language, speed=speed)])
    return speech


def labels(speech: Speech) -> str:
    return " ".join(phone.label for phone in speech.phones if phone.label)


def spoken_s(speech: Speech) -> float:
    return speech.phones[-1].start_s - speech.phones[0].end_s


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("Bob, watch out.", "en", "b ɑ b w ɑ tʃ aʊ t"),
        ("Mi papá baila.", "es", "m i p a p a b aɪ l a"),
        ("Un bon vin.", "fr", "œ\u0303 b ɔ\u0303 v ɛ\u0303"),
        ("La pizza è mia.", "it", "l a p i ts a ɛ m i a"),
        ("Minha mãe.", "pt-BR", "m i ɲ ɐ m ɐ\u0303 ɪ\u0303"),
        ("私です", "ja", "ɰᵝ a t a ɕ i d e s ɨ"),
        ("爸爸", "zh", "p a p a"),
    ],
)
def test_phones_are_the_sounds_of_the_words(
    engine: Kokoro, text: str, language: str, said: str
) -> None:
    speech = say(engine, text, language)
    assert labels(speech) == said
    assert all(postures(phone.label) for phone in speech.phones)


def test_hisses_are_heard_when_their_phones_say(engine: Kokoro) -> None:
    speech = say(engine, "Six ships, she says, sank in a storm.")
    frequencies, times, spectrum = stft(speech.waveform, speech.sample_rate, nperseg=240)
    hiss = np.square(np.abs(spectrum[frequencies > 5000])).sum(axis=0)

    def share(delay_s: float) -> float:
        inside = np.zeros(len(times), bool)
        for phone in speech.phones:
            if phone.label in ("s", "z", "ʃ"):
                inside |= (times >= phone.start_s + delay_s) & (times < phone.end_s + delay_s)
        return float(hiss[inside].sum() / hiss.sum())

    assert share(0.0) > 0.8
    assert share(0.0) > max(share(-0.025), share(0.025)) + 0.01


def test_pauses_are_silent_and_without_pitch(engine: Kokoro) -> None:
    speech = say(engine, "Stop. Now, listen to me.")
    levels = np.sqrt(np.square(speech.waveform.reshape(-1, 300)).mean(axis=1))
    for phone in speech.phones:
        steps = slice(round(phone.start_s * STEPS), round(phone.end_s * STEPS))
        if not phone.label:
            assert levels[steps].max() < 0.05 * levels.max()
            assert (speech.f0[steps] > 0).mean() < 0.2
    assert (speech.f0 > 0).mean() > 0.3


def test_a_long_line_is_split_and_joined_on_one_clock(engine: Kokoro) -> None:
    speech = say(engine, "never stop " * 42)
    assert len(speech.words) == 84
    assert len(speech.f0) == speech.num_samples / 300
    assert len(speech.features) == -(-speech.num_samples // 600)


def test_speed_is_kept(engine: Kokoro) -> None:
    text = "The quick brown fox jumps over the lazy dog, and the captain laughs."
    usual = spoken_s(say(engine, text))
    for speed in (0.8, 1.1):
        assert usual / spoken_s(say(engine, text, speed=speed)) == pytest.approx(speed, rel=0.05)


def test_voices_are_as_loud_as_each_other(kokoro_files: KokoroFiles, engine: Kokoro) -> None:
    other = Kokoro(kokoro_files, "jm_kumo")
    assert other.fingerprint != engine.fingerprint
    levels = []
    for speaking in (engine, other):
        loud = say(speaking, "Open the gate.").waveform
        levels.append(20 * np.log10(np.sqrt(np.square(loud[np.abs(loud) > 0.01]).mean())))
    assert abs(levels[0] - levels[1]) < 3


@pytest.mark.parametrize(
    ("text", "language", "reason", "column"),
    [
        ("Guten Tag", "de", "speaks en, es, fr, it, ja, pt, zh, not 'de'", "language"),
        ("Привет", "fr", "no front end reads Cyrillic", "text"),
    ],
)
def test_what_it_cannot_say_is_an_input_error(
    engine: Kokoro, text: str, language: str, reason: str, column: str
) -> None:
    with pytest.raises(InputError, match=f"line 'a7'.*{reason}") as caught:
        engine.synthesize([Utterance("a7", text, language)])
    assert caught.value.column == column


def test_what_it_is_made_with_is_checked(kokoro_files: KokoroFiles, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"af_heart is not in .*unitaf voices install kokoro"):
        Kokoro(kokoro_files)
    with pytest.raises(ValueError, match="voice must be native or one of af_alloy"):
        Kokoro(kokoro_files, "elvis")
    with pytest.raises(ValueError, match="speed must be between"):
        Kokoro(kokoro_files, "jf_alpha", speed=3)
    damaged = KokoroFiles(tmp_path)
    damaged.voice("jf_alpha").parent.mkdir()
    damaged.voice("jf_alpha").write_bytes(kokoro_files.voice("jf_alpha").read_bytes())
    with damaged.model.open("wb") as file:
        file.truncate(kokoro_files.model.stat().st_size)
    with pytest.raises(ValueError, match="damaged: wrong checksum"):
        Kokoro(damaged, "jf_alpha")


def test_each_language_has_a_voice_of_its_own(kokoro_files: KokoroFiles, tmp_path: Path) -> None:
    files = KokoroFiles(tmp_path)
    files.model.symlink_to(kokoro_files.model)
    files.voice("any").parent.mkdir()
    for name in VOICES:
        files.voice(name).symlink_to(kokoro_files.voice("jf_alpha"))
    assert "en-gb:bf_emma" in Kokoro(files).voice_of("Ann")
    assert Kokoro(files, "af_heart").voice_of("Ann") == "af_heart"
