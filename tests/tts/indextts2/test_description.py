import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers
from safetensors.torch import load, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tests.tts.indextts2.published import write_model
from unitaf.audio import torchaudio_functional
from unitaf.errors import ConfigError, InputError
from unitaf.tts.indextts2.description import FOLDER, EmotionReader, parse_answer
from unitaf.tts.indextts2.engine import Hardware, IndexTts2
from unitaf.tts.indextts2.files import EMOTION_READER
from unitaf.tts.indextts2.maker import SpeechSettings
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2.synthesis import FlowSettings
from unitaf.types import Emotion, Utterance

ANSWERS = {"mad": '{"愤怒":0.9}', "full of joy": '{"高兴":0.7,"惊讶":0.3}', "noise": "?"}
ANGRY: Emotion = (0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
GLAD: Emotion = (0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.0)
TEMPLATE = (
    "{% for message in messages %}{{ message['role'][0] + message['content'] + '\n' }}{% endfor %}"
    "{% if not enable_thinking %}a{% endif %}"
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"愤怒": 0.9}', ANGRY),
        ('<think>\n\n</think>\n\n{"高兴": 0.7, "惊讶": 0.3, "x": 1}', GLAD),
        ("愤怒：0.9，平静 1", ANGRY),
        ('{"愤怒": 7.0, "高兴": -1.0}', (0.0, 1.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
        ('{"愤怒": 0.0}', (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
        ("I do not know.", None),
        ("[1, 2]", None),
        ('{"愤怒": NaN}', None),
        ('{"愤怒": 0.9, "高兴": NaN, "悲伤": Infinity, "惊讶": "much"}', ANGRY),
        (f'{{"愤怒": 0.9, "高兴": {"9" * 400}}}', ANGRY),
    ],
)
def test_strengths_are_read_from_answers(answer: str, expected: Emotion | None) -> None:
    assert parse_answer(answer, "as one feels") == expected


def test_sad_and_melancholic_change_places_where_the_model_mistakes_them() -> None:
    answer = '{"悲伤": 0.8, "低落": 0.1}'
    sad, gloomy = (parse_answer(answer, words) for words in ("in tears", "Gloomy and slow"))
    assert sad == (0.0, 0.0, 0.8, 0.0, 0.0, 0.1, 0.0, 0.0)
    assert gloomy == (0.0, 0.0, 0.1, 0.0, 0.0, 0.8, 0.0, 0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a tiny Qwen3 that has learnt by heart what to answer."""
    folder = write_model(tmp_path_factory.mktemp("model"))
    torch.manual_seed(0)
    torchaudio_functional()  # transformers imports torchaudio, which alone would fail on a CPU.
    tokeniser = write_tokeniser(folder / FOLDER)
    network = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=len(tokeniser),
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=32,
            eos_token_id=tokeniser.eos_token_id,
            pad_token_id=tokeniser.pad_token_id,
        )
    )
    texts = [f"s文本情感分类\nu{words}\na{answer}<end>" for words, answer in ANSWERS.items()]
    batch = tokeniser(texts, return_tensors="pt", padding=True, padding_side="right")
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(120):
        loss = network(**batch, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.save_pretrained(folder / FOLDER)
    return folder


def write_tokeniser(folder: Path) -> transformers.PreTrainedTokenizerFast:
    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate([*pieces, "<pad>", "<end>"])}
    tokeniser = Tokenizer(models.BPE(vocabulary, []))
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokeniser, pad_token="<pad>", eos_token="<end>", chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)
    return fast


@pytest.fixture
def clip(tmp_path: Path) -> str:
    sound = 0.1 * np.random.default_rng(0).standard_normal(24000)
    soundfile.write(tmp_path / "clip.wav", sound, 24000)
    return str(tmp_path / "clip.wav")


def test_the_published_files_are_those_that_are_needed(model: Path) -> None:
    assert all((model / file.name).is_file() for file in EMOTION_READER)


def test_descriptions_are_read_in_batches(model: Path) -> None:
    for batch_size in (1, 3):
        reader = EmotionReader(model, torch.device("cpu"), batch_size)
        assert reader.read([]) == []
        assert reader.read(list(ANSWERS)) == [ANGRY, GLAD, None]


def make_engine(model: Path, clip: str, description: str | None) -> IndexTts2:
    settings = SpeechSettings(flow=FlowSettings(num_steps=1))
    voice = VoiceSource(clip, description=description)
    return IndexTts2(model, {"*": voice}, settings, Hardware())


def test_words_do_what_their_numbers_do(model: Path, clip: str) -> None:
    engine = make_engine(model, clip, "mad")
    lines = [Utterance("a", "Stop!"), Utterance("b", "Stop!", emotion=ANGRY)]
    described, given = engine.synthesize(lines)
    np.testing.assert_allclose(described.features, given.features, atol=1e-4)
    (plain,) = make_engine(model, clip, None).synthesize(lines[:1])
    assert plain.features.tobytes() != described.features.tobytes()


def test_each_description_is_read_once(model: Path, clip: str) -> None:
    engine = make_engine(model, clip, "{text}")
    cast = engine.cast
    lines = [Utterance(str(number), text) for number, text in enumerate(["noise", "mad", "mad"])]
    with pytest.raises(InputError, match=r"line '0': the emotion model did not answer 'noise'"):
        engine.synthesize(lines)
    cast.describe([(VoiceSource(clip, description="full of joy"), line) for line in lines])
    cast.describe([(VoiceSource(clip, description="{text}"), line) for line in lines[1:]])
    assert cast._reader is not None
    assert cast._reader.num_read == 3


def test_descriptions_of_long_ago_are_forgotten(
    model: Path, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unitaf.tts.indextts2.cast._MOST_DESCRIBED", 1)
    cast = make_engine(model, clip, "{text}").cast
    line = Utterance("a", "Stop!")
    for words in ("mad", "full of joy", "full of joy", "mad"):
        cast.describe([(VoiceSource(clip, description=words), line)])
    both = [VoiceSource(clip, description=words) for words in ("mad", "full of joy")]
    cast.describe([(source, line) for source in both])
    for source in both:
        assert cast.emotion(source, line).isfinite().all()
    assert cast._reader is not None
    assert cast._reader.num_read == 4


def test_a_reader_that_is_not_whole_is_refused(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model / FOLDER, folder / FOLDER)
    file = folder / FOLDER / "model.safetensors"
    data = file.read_bytes()
    weights = load(data)
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(ConfigError, match="holds no language model: Error while"):
        EmotionReader(folder, torch.device("cpu"), 1)
    file.write_bytes(data)
    (folder / FOLDER / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="does not say how its model is asked"):
        EmotionReader(folder, torch.device("cpu"), 1)
    del weights["model.norm.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(
        ConfigError, match=r"no whole language model: model\.norm\.weight is missing"
    ):
        EmotionReader(folder, torch.device("cpu"), 1)
    weights["model.norm.weight"] = torch.zeros(3)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="holds no language model: "):
        EmotionReader(folder, torch.device("cpu"), 1)


@pytest.mark.parametrize(
    "foreign",
    [{"model": {"type": "Runes"}}, {"model": {"type": "BPE", "vocab": 3}}],
)
def test_a_tokeniser_of_another_kind_is_refused(
    model: Path, tmp_path: Path, foreign: dict[str, object]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model / FOLDER, folder / FOLDER)
    (folder / FOLDER / "tokenizer.json").write_text(json.dumps({"added_tokens": []} | foreign))
    with pytest.raises(ConfigError, match=r"merge holds no language model: \w"):
        EmotionReader(folder, torch.device("cpu"), 1)


def test_a_model_without_the_reader_is_refused_before_the_start(
    model: Path, clip: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder, copy_function=lambda a, b: Path(b).symlink_to(a))
    (folder / EMOTION_READER[0].name).unlink()
    with pytest.raises(ConfigError, match=r"qwen0.6bemo4-merge/config\.json is missing"):
        make_engine(folder, clip, "mad")
    (folder / EMOTION_READER[0].name).write_text(json.dumps({"model_type": "none"}))
    with pytest.raises(ConfigError, match="holds no language model"):
        EmotionReader(folder, torch.device("cpu"), 1)
