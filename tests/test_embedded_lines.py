"""The lines of the embedded corpus: many, different, seeded, and with every sound."""

from collections import Counter

from ray_jobs.embedded.lines import LINES, STYLES, make_lines
from unitaf.checkpoint.description import read_face_model_description
from unitaf.config import load_train_config
from unitaf.emotion import parse_emotion
from unitaf.face.phones import postures
from unitaf.tts.kokoro.reading import LANGUAGES
from unitaf.tts.reading import EnglishReader
from unitaf.types import EMOTIONS

ENGLISH = LINES["hibari"]["en"][0]


def test_there_are_enough_distinct_lines_of_every_kind():
    lines = [line for style in STYLES for line in make_lines("hibari", style)]
    assert len(lines) == ENGLISH * len(STYLES) >= 3000
    texts = [line.text for line in lines]
    assert len(set(texts)) == len({line.line_id for line in lines}) == len(lines)
    for mark in "?!.,":
        assert sum(mark in text for text in texts) > 200
    assert sum(any(c.isdigit() for c in text) for text in texts) > 200
    strengths = Counter()
    for line in lines:
        for name, strength in zip(EMOTIONS, parse_emotion(line.emotion), strict=True):
            strengths[name, strength] += strength > 0
    for name in EMOTIONS:
        assert sum(count > 10 for (which, _), count in strengths.items() if which == name) == 5


def test_the_same_seed_gives_the_same_lines_and_another_others():
    assert make_lines("hibari", "lively") == make_lines("hibari", "lively")
    other = {line.text for line in make_lines("hibari", "lively", seed=1)}
    same = other & {line.text for line in make_lines("hibari", "lively")}
    assert len(same) < ENGLISH / 4


def test_every_language_of_the_neural_voices_has_distinct_lines_of_its_own():
    lines = [line for style in STYLES for line in make_lines("kokoro", style)]
    assert len({line.text for line in lines}) == len({line.line_id for line in lines}) == len(lines)
    assert {line.language for line in lines} == set(LANGUAGES)
    assert all("{" not in line.text for line in lines)
    assert len({line.seed for line in lines}) > 0.99 * len(lines)


def test_every_sound_of_english_is_said_often():
    reader = EnglishReader(is_british=False)
    sounds = Counter()
    for line in make_lines("hibari", "plain")[:400]:
        for sentence in reader.read(line.text):
            for word in sentence:
                sounds.update(word.symbols)
    wanted = "pbtdkɡfvθðszʃʒhmnŋlɹwjʧʤiɪɛæɑɔʊuʌəɜAIOWY"
    assert {sound: sounds[sound] for sound in wanted if sounds[sound] < 5} == {}
    assert all(postures(sound) for sound in "pbm")


def test_its_training_jobs_are_some():
    for engine, first in (("hibari", "a2f"), ("kokoro", "align")):
        job = load_train_config(f"ray_jobs/embedded/{engine}.yaml")
        assert [stage.name for stage in job.stages][-3:] == ["align", "joint", "expression"]
        assert job.stages[0].name == first
        if (start := job.stages[0].init_from) is not None:
            kept = {"decoder_dim", "style_dim"}
            sizes = read_face_model_description(start).sizes
            assert sizes.model_dump(include=kept) == job.network.model_dump(include=kept)
