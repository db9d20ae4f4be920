"""Who plays whom, and that another cast makes only the lines of those who changed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from unitaf import generate, open_store
from unitaf.cli.display import print_preview
from unitaf.config import GenerateConfig, OutputConfig, check_config
from unitaf.errors import ConfigError
from unitaf.pipelines.casting import Cast, casting_of, recorded_voices
from unitaf.pipelines.first_cast import first_cast
from unitaf.pipelines.generate import build_work
from unitaf.pipelines.preview import preview
from unitaf.pipelines.shards import PlannedShard
from unitaf.script.casting import read_casting
from unitaf.storage import open_storage
from unitaf.types import Utterance

STUB = {"tts": {"kind": "stub"}, "output": {"fps": 10}, "run": {"num_actors": 1}}


def cast_of(config: GenerateConfig) -> Cast:
    return Cast(config, casting_of(config))


def job(cast: object = None, **settings: object) -> GenerateConfig:
    return check_config({"cast": cast, **settings}, "test")


def write_script(folder: Path, languages: tuple[str, ...] = ("en",)) -> Path:
    rows = [
        f"l{i},{speaker},{language},Line {i} of it."
        for i, (speaker, language) in enumerate(
            (s, t) for s in ("ann", "ann", "ann", "ben", "zed") for t in languages
        )
    ]
    path = folder / "script.csv"
    path.write_text("\n".join(["line_id,speaker,language,text", *rows]) + "\n")
    return path


def test_without_a_cast_everybody_is_the_job() -> None:
    cast = cast_of(job())
    assert cast.performer("ann", "en") is cast.performer("ben", "fr")
    assert list(cast.roles) == [""]
    assert cast.recipe.tts == cast.performer("ann", "en").tts.fingerprint


def test_an_empty_cast_with_one_voice_is_the_job_too() -> None:
    cast = cast_of(job({}))
    assert cast.performer("ann", "en").role.id == ""


def test_speed_style_and_engine_are_the_roles() -> None:
    speakers = {
        "ann": {"speed": 1.5, "style": "lively"},
        "ben": {"engine": "slow"},
        "cat": {"engine": "stub"},
    }
    cast = cast_of(job({"speakers": speakers}, engines={"slow": {"kind": "hibari", "speed": 0.8}}))
    ann, ben, cat = (cast.performer(speaker, "en") for speaker in ("ann", "ben", "cat"))
    assert "speed=1.5" in ann.tts.fingerprint
    assert "style=lively" in ann.face.fingerprint
    assert "speed=0.8" in ben.tts.fingerprint
    assert cat.role.tts.kind == "stub"
    assert len(cast.roles) == 3
    assert cast.recipe.tts.startswith("cast/3 ")


def test_a_style_moves_rules_as_it_moves_the_network() -> None:
    cast = cast_of(job({"speakers": {"ann": {"style": "lively", "engine": "stub"}}}))
    assert "strength=1.2 " in cast.performer("ann", "en").face.fingerprint


def test_lines_whose_emphasis_is_not_followed_are_counted() -> None:
    cast = cast_of(job({"speakers": {"ann": {"engine": "stub"}}}))
    for speaker in ("ann", "ben"):
        cast.performer_of(Utterance("a", "I [emphasis]do[/emphasis] care.", speaker=speaker))
        cast.performer_of(Utterance("b", "I do care.", speaker=speaker))
    assert cast.num_unemphasised == 1


def test_pitch_is_for_engines_that_have_it() -> None:
    cast = cast_of(
        job({"default": {"engine": "espeak"}, "speakers": {"ann": {"pitch": -3}, "ben": {}}})
    )
    ann, ben = (cast.performer(name, "de").tts.fingerprint for name in ("ann", "ben"))
    assert ann == f"{ben} pitch=-3.0"


def test_recorded_voices_go_to_speakers_by_name() -> None:
    given = {"low": 1, "high": 2, "ben": 3}
    assert recorded_voices(given, {"ann": "low"}) == {"*": 3, **given, "ann": 1}
    assert recorded_voices({**given, "*": 4}, {})["*"] == 4
    with pytest.raises(ConfigError, match="no voice 'loud' in ben, high, low"):
        recorded_voices(given, {"ann": "loud"})


@pytest.mark.parametrize(
    ("cast", "settings", "message"),
    [
        ("ann: {voice: nobody}", {}, r"line 3: speaker 'ann': tts: voice must be one of heart"),
        ("ann: {voice: emma}", {}, r"line 3: .*'emma' is not installed"),
        ("ann: {engine: nope}", {}, r"line 3: .*no engine 'nope' among .*hibari, .*kokoro"),
        ("ann: {engine: espeak, pitch: 9}", {}, r"line 3: .*pitch: .* or equal to 8, not 9"),
        ("ann: {pitch: 2}", {}, r"line 3: .*the engine hibari has no setting for pitch"),
        ("ann: {speed: 9}", {}, r"line 3: .*speed: input should be less than or equal to 2"),
        ("ann: {engine: stub, voice: x}", {}, r"line 3: .*stub has no voices to choose from"),
        ("ann: {style: wild}", {}, r"line 3: .*style"),
        ("ann: {style: plain}", {"face": {"kind": "visemes"}}, r"line 3: .*has no styles"),
        ("ann: {languages: {en: {voice: no}}}", {}, r"line 3: .*voice must be one of"),
    ],
)
def test_mistakes_are_named_before_anything_is_made(
    tmp_path: Path, cast: str, settings: dict[str, object], message: str
) -> None:
    file = tmp_path / "cast.yaml"
    file.write_text(f"# The cast.\nspeakers:\n  {cast}\n")
    with pytest.raises(ConfigError, match=message) as caught:
        cast_of(job(str(file), **settings))
    assert str(file) in str(caught.value)


def test_names_that_cast_and_script_do_not_share_are_told_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, file = write_script(tmp_path, ("en", "fr")), tmp_path / "cast.csv"
    file.write_text("speaker,engine\nAnn,stub\nben,stub\n*,stub\nyan,stub\n")
    found = preview(script, str(tmp_path / "store"), job(str(file)))
    assert (found.uncast, found.unheard) == ({"ann": 6, "zed": 2}, ("Ann", "yan"))
    print_preview(found)
    shown = " ".join(re.sub(r"[│\s]+", " ", capsys.readouterr().out).split())
    assert "not in the cast 2, with a voice by their name, of 8 lines: ann (6), zed (2)" in shown
    assert "without a line to make 2 of the cast: Ann, yan" in shown
    alone = preview(script, str(tmp_path / "store"), job(None, tts={"kind": "stub"}))
    assert (alone.uncast, alone.unheard) == ({}, ())


def test_another_cast_makes_only_the_lines_of_those_who_changed(
    tmp_path: Path, ray_cluster: str
) -> None:
    script, store = write_script(tmp_path), str(tmp_path / "store")
    cast = tmp_path / "cast.csv"
    cast.write_text("speaker,engine\nann,stub\nben,stub\n")
    config = check_config({**STUB, "cast": str(cast)}, "test")
    first = generate(script, store, config)
    assert (first.made, first.takes, first.uncast, first.unheard) == (5, 5, {"zed": 1}, ())

    cast.write_text("speaker,engine,style\nann,stub,\nben,stub,lively\n")
    second = generate(script, store, config)
    assert (second.made, second.reused, second.takes) == (1, 4, 5)
    takes = {line: open_store(store).take(line) for line in ("l0", "l3", "l4")}
    assert "strength=1.2 " in takes["l3"].provenance.face
    assert "strength=1 " in takes["l0"].provenance.face

    run = next((tmp_path / "store" / "runs" / second.run).glob("config.yaml"))
    assert yaml.safe_load(run.read_text())["cast"]["speakers"]["ben"]["style"] == "lively"
    again = generate(script, store, check_config(yaml.safe_load(run.read_text()), "test"))
    assert (again.made, again.reused) == (0, 5)


def test_engines_of_other_rates_share_a_run(tmp_path: Path, ray_cluster: str) -> None:
    script, store = write_script(tmp_path), str(tmp_path / "store")
    config = check_config({**STUB, "cast": {"speakers": {"ben": {"engine": "hibari"}}}}, "test")
    report = generate(script, store, config)
    assert (report.made, report.rejects) == (5, 0)
    opened = open_store(store)
    ben, ann = opened.take("l3"), opened.take("l0")
    assert ben.speech.waveform.any()
    assert not ann.speech.waveform.any()
    assert (ben.provenance.voice, ann.provenance.voice) == ("heart", "silence")
    rates = {row["line_id"]: row["sample_rate"] for row in opened.catalog().to_pylist()}
    assert (rates["l3"], rates["l0"]) == (ben.speech.sample_rate, ann.speech.sample_rate)


def test_a_first_cast_names_everybody_and_can_be_used(tmp_path: Path) -> None:
    script = write_script(tmp_path, ("en", "de"))
    file = tmp_path / "cast.yaml"
    file.write_text(first_cast(str(script), job()))
    text = file.read_text().splitlines()
    assert text[5] == '  "ann":  # 6 lines: de 3, en 3'
    cast = read_casting(file).cast
    assert list(cast.speakers) == ["ann", "ben", "zed"]
    assert cast.role("ann", "en").voice == "heart"
    assert cast_of(job(str(file))).performer("ann", "en").tts.voice_of("ann") == "heart"


def test_a_script_that_nobody_can_speak_has_no_cast(tmp_path: Path) -> None:
    script = tmp_path / "s.csv"
    script.write_text("line_id,text\na,...\n")
    with pytest.raises(ConfigError, match="nobody to cast"):
        first_cast(str(script), job())


def test_a_worker_that_has_another_engine_than_the_plan_makes_nothing(tmp_path: Path) -> None:
    (role,) = cast_of(job(tts={"kind": "stub"})).roles.values()
    storage = open_storage(str(tmp_path))
    other = replace(role, fingerprints=("stub/0", role.fingerprints[1]))
    make = build_work({"": other}, OutputConfig(), storage)
    with pytest.raises(ConfigError, match="a worker has 'stub/1', but the run was planned with"):
        make(PlannedShard("s", "en", 1, 1, "plans/p/0.parquet", 0))
    assert not list(storage.list("takes/"))
