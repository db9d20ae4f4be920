"""Which shards are left: what drivers that start together, or again, agree on."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unitaf.build import build_face
from unitaf.config import GenerateConfig, check_config
from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.catalog import write_catalog
from unitaf.pipelines.making import ShardMaker
from unitaf.pipelines.planning import open_job, plan_work
from unitaf.pipelines.shards import PlannedShard
from unitaf.pipelines.store import TakeStore
from unitaf.storage import Storage, open_storage
from unitaf.tts.stub import StubSpeech


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path / "store"))


@pytest.fixture
def config() -> GenerateConfig:
    run = {"shard_size": 8}
    return check_config({"tts": {"kind": "stub"}, "output": {"fps": 5}, "run": run}, "test")


def write(path: Path, count: int, tail: str = "") -> str:
    rows = [f"l{i},{'word ' * (i % 7 + 1)}{i}{tail}" for i in range(count)]
    path.write_text("\n".join(["line_id,text", *rows]) + "\n")
    return str(path)


def pending(script: str, storage: Storage, config: GenerateConfig) -> tuple[PlannedShard, ...]:
    with open_job(script, storage, config) as job:
        return plan_work(job, config).pending if job.counts().todo else ()


def make(shards: tuple[PlannedShard, ...], storage: Storage, config: GenerateConfig) -> None:
    tts = StubSpeech()
    maker = ShardMaker(storage, tts, build_face(config.face, tts), config.output)
    for shard in shards:
        maker.make(shard)


def test_lines_are_dealt_into_even_shards(tmp_path: Path, storage: Storage, config: GenerateConfig):
    shards = pending(write(tmp_path / "s.csv", 60), storage, config)
    assert sorted(shard.num_lines for shard in shards) == [3, 3, 3, 3, 8, 8, 8, 8, 8, 8]
    characters = [shard.num_characters / shard.num_lines for shard in shards]
    assert max(characters) < 1.35 * min(characters)
    assert [shard.num_characters for shard in shards] == sorted(
        (shard.num_characters for shard in shards), reverse=True
    )


def test_shards_on_gpus_fill_the_calls_of_the_engine(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    on_gpus = config.run.model_copy(update={"gpus_per_actor": 1.0, "shard_size": None})
    config = config.model_copy(update={"run": on_gpus})
    shards = pending(write(tmp_path / "s.csv", 600), storage, config)
    assert sum(shard.num_lines for shard in shards) == 600
    assert max(shard.num_lines for shard in shards) == 150  # A call of the silent engine has 256.


def test_shards_of_long_lines_have_fewer(tmp_path: Path, storage: Storage, config: GenerateConfig):
    rows = [f"l{i},{'word ' * 900}{i}" for i in range(40)]
    script = tmp_path / "long.csv"
    script.write_text("\n".join(["line_id,text", *rows]) + "\n")
    large = config.model_copy(update={"run": config.run.model_copy(update={"shard_size": 256})})
    shards = pending(str(script), storage, large)
    assert [shard.num_lines for shard in shards] == [10, 10, 10, 5, 5]
    assert max(shard.num_characters for shard in shards) <= 50_000


def test_a_second_driver_takes_the_plan_of_the_first(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    script = write(tmp_path / "s.csv", 60)
    with open_job(script, storage, config) as one, open_job(script, storage, config) as two:
        first, second = plan_work(one, config), plan_work(two, config)
    assert first.pending == second.pending
    assert (first.is_joined, second.is_joined) == (False, True)


def test_what_was_committed_meanwhile_is_left_out(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    script = write(tmp_path / "s.csv", 60)
    shards = pending(script, storage, config)
    make(shards[:3], storage, config)
    assert pending(script, storage, config) == shards[3:]
    make(shards[3:], storage, config)
    assert pending(script, storage, config) == ()


def test_what_was_made_since_the_first_cut_is_not_cut_again(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    script = write(tmp_path / "s.csv", 30)
    with open_job(script, storage, config) as job:
        assert sum(len(shard.lines) for shard in job.ledger.cut(8)) == 30
        make(plan_work(job, config).pending[:2], storage, config)
        assert job.refresh()
        assert sum(len(shard.lines) for shard in job.ledger.cut(8)) == job.counts().todo < 30


def test_a_line_that_two_scripts_make_at_once_is_read_from_one_place(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    short, longer = write(tmp_path / "s.csv", 20), write(tmp_path / "longer.csv", 40)
    with open_job(short, storage, config) as one, open_job(longer, storage, config) as two:
        first, second = plan_work(one, config).pending, plan_work(two, config).pending
    make(first + second, storage, config)
    with open_job(longer, storage, config) as job:
        located = list(job.ledger.located())
    assert [line.utterance.id for line in located] == [f"l{i}" for i in range(40)]


def test_lines_that_another_job_made_are_not_made_again(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    script = write(tmp_path / "s.csv", 60)
    shards = pending(script, storage, config)
    make(shards[:2], storage, config)
    longer = write(tmp_path / "longer.csv", 100)
    make(pending(longer, storage, config), storage, config)
    (tmp_path / "s.csv").write_text((tmp_path / "s.csv").read_text() + "new,One more line.\n")
    left = pending(script, storage, config)
    assert [shard.num_lines for shard in left] == [1]


def test_status_tells_what_is_left(tmp_path: Path, storage: Storage, config: GenerateConfig):
    shards = pending(write(tmp_path / "s.csv", 30), storage, config)
    make(shards[:1], storage, config)
    make(pending(write(tmp_path / "other.csv", 32, "!"), storage, config), storage, config)
    storage.create("runs/x/config.yaml", b"")
    status = TakeStore(storage).status()
    left = sum(shard.num_lines for shard in shards[1:])
    assert (status.open_shards, status.open_lines) == (len(shards) - 1, left)
    assert status.takes == 32 + shards[0].num_lines


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("http://host/lines.csv", "give a local file or folder, or s3"),
        ("s3://lines.csv", "give a local file or folder, or s3"),
        ("s3://bucket", "give a local file or folder, or s3"),
        ("s3://bucket/", "give a local file or folder, or s3"),
    ],
)
def test_scripts_that_are_nowhere_are_refused(
    script: str, message: str, storage: Storage, config: GenerateConfig
):
    with pytest.raises(ConfigError, match=message), open_job(script, storage, config):
        pass


def test_a_script_may_be_a_folder_on_s3(
    s3_store_uri: str, storage: Storage, config: GenerateConfig
):
    there = open_storage(f"{s3_store_uri}/lines")
    there.create("b.csv", b"line_id,text\nb,Two.\n")
    there.create("acts/a.po", b'msgid "c"\nmsgstr "Three."\n')
    there.create("~lock.csv", b"no script")
    there.create("notes.txt", b"no script")
    for script in (f"{s3_store_uri}/lines", f"{s3_store_uri}/lines/"):
        with open_job(script, storage, config) as job:
            files = pa.Table.from_batches(job.ledger.extras())["script_file"].to_pylist()
            assert files == ["acts/a.po", "b.csv"]
            assert job.counts().lines == 2
    message = f"there is no script {s3_store_uri}/lime: no file, and no folder"
    with (
        pytest.raises(ConfigError, match=message),
        open_job(f"{s3_store_uri}/lime", storage, config),
    ):
        pass
    for uri in (f"{s3_store_uri}/lines/b.csv", f"{s3_store_uri}/lines/b.csv/"):
        with open_job(uri, storage, config) as job:
            assert job.counts().lines == 1


def test_files_on_s3_may_have_one_name(s3_store_uri: str, storage: Storage, config: GenerateConfig):
    there = open_storage(s3_store_uri)
    there.create("lines.csv", b"line_id,text,language\na,HQ.,en\nb,HQ.,fr\n")
    there.create("en/lines.csv", b"word,say,language\nHQ,headquarters,en\n")
    there.create("fr/lines.csv", "word,say,language\nHQ,siège,fr\n".encode())
    lexicon = tuple(f"{s3_store_uri}/{name}/lines.csv" for name in ("en", "fr"))
    script = config.script.model_copy(update={"lexicon": lexicon})
    config = config.model_copy(update={"script": script})
    with open_job(f"{s3_store_uri}/lines.csv", storage, config) as job:
        said = {line.text for shard in job.ledger.cut(8) for line, _ in shard.lines}
    assert said == {"headquarters.", "siège."}


def test_directions_are_the_last_column_and_keep_apart_from_the_script_s_own(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    script = tmp_path / "s.csv"
    script.write_text("line_id,text,unspoken\na,(sighs) Hi.,x\nb,Ho.,y\n")
    make(pending(str(script), storage, config), storage, config)
    with open_job(str(script), storage, config) as job:
        assert write_catalog(job.ledger, tmp_path / "c.parquet", "s") == 2
    columns = pq.read_table(tmp_path / "c.parquet").select(["script_unspoken", "unspoken"])
    assert columns.to_pydict() == {"script_unspoken": ["x", "y"], "unspoken": ["(sighs)", None]}
    script.write_text("line_id,text,unspoken\na,Hi.,x\nb,Ho.,y\n")
    with open_job(str(script), storage, config) as job:
        write_catalog(job.ledger, tmp_path / "c.parquet", "s")
    assert pq.read_table(tmp_path / "c.parquet").column_names[-1] == "unspoken"
    assert pq.read_table(tmp_path / "c.parquet")["unspoken"].to_pylist() == ["x", "y"]


def test_a_manifest_that_is_none_is_named(tmp_path: Path, storage: Storage, config: GenerateConfig):
    storage.create("manifests/broken.json", b"{")
    with pytest.raises(StorageError, match=r"manifests/broken\.json is not a manifest"):
        pending(write(tmp_path / "s.csv", 3), storage, config)


def test_rejects_of_a_folder_name_the_file_and_untranslated_entries_are_counted(
    tmp_path: Path, storage: Storage, config: GenerateConfig
):
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "a.csv").write_text("line_id,text\nx,Hi.\ny,?\n")
    (folder / "b.csv").write_text("line_id,text,language\nz,Ho.,en\nx,Hi.,en\n")
    (folder / "c.po").write_text('msgid "p"\nmsgstr ""\n\nmsgid "q"\nmsgstr "Ha."\n')
    with open_job(str(folder), storage, config) as job:
        rejects = sorted((row, reason) for row, _, _, reason, _ in job.ledger.rejects())
        assert [(row, reason[:61]) for row, reason in rejects] == [
            (3, "a.csv: the text '?' has no letter or digit to speak"),
            (3, "b.csv: the same line_id and language stand in row 2 of a.csv"),
        ]
        counts = job.counts()
        assert (counts.lines, counts.rejects, counts.left_out) == (5, 2, 1)
