"""The lines of the embedded corpus: many, different, seeded, and with every sound."""

from collections import Counter

from ray_jobs.embedded.lines import LINES_PER_STYLE, STYLES, make_lines
from unitaf.config import load_train_config
from unitaf.emotion import parse_emotion
from unitaf.face.phones import postures
from unitaf.tts.reading import EnglishReader
from unitaf.types import EMOTIONS


def test_there_are_enough_distinct_lines_of_every_kind():
    lines = [line for style in STYLES for line in make_lines(style)]
    assert len(lines) == LINES_PER_STYLE * len(STYLES) >= 3000
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
    assert make_lines("lively") == make_lines("lively")
    other = {line.text for line in make_lines("lively", seed=1)}
    assert len(other & {line.text for line in make_lines("lively")}) < LINES_PER_STYLE / 4


def test_every_sound_of_english_is_said_often():
    reader = EnglishReader(is_british=False)
    sounds = Counter()
    for line in make_lines("plain", 400):
        for sentence in reader.read(line.text):
            for word in sentence:
                sounds.update(word.symbols)
    wanted = "pbtdkɡfvθðszʃʒhmnŋlɹwjʧʤiɪɛæɑɔʊuʌəɜAIOWY"
    assert {sound: sounds[sound] for sound in wanted if sounds[sound] < 5} == {}
    assert all(postures(sound) for sound in "pbm")


def test_its_training_job_is_one():
    job = load_train_config("ray_jobs/embedded/train.yaml")
    assert [stage.name for stage in job.stages] == ["a2f", "align", "joint", "expression"]
