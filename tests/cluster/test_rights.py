"""The policy in cluster/aws is enough for a job on a real S3 server, and for no more than that."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from pyarrow.fs import FileSystem, FileType

from tests.servers import JOB, SeaweedFS
from unitaf import open_store

POLICY = Path(__file__).parents[2] / "cluster" / "aws" / "iam-policy.json"
RUN = """
import json, sys
import ray
from unitaf import generate
from unitaf.config import check_config

store, config, rights, *scripts = sys.argv[1:]
ray.init(runtime_env={"env_vars": json.loads(rights)}, log_to_driver=False)
for script in scripts:
    generate(script, store, check_config(json.loads(config), "test"))
"""
CONFIG = {
    "tts": {"kind": "stub"},
    "face": {"kind": "visemes"},
    "run": {"num_actors": 1, "retry_budget_s": 20},
}


@pytest.fixture
def rights(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The AWS variables of the job, set here too."""
    variables = {**seaweed.environment, "AWS_ACCESS_KEY_ID": JOB}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_the_rights_are_enough_to_generate_and_to_go_on(
    rights: dict[str, str], seaweed: SeaweedFS, ray_cluster: str, tmp_path: Path
):
    scripts = [tmp_path / "first.csv", tmp_path / "longer.csv"]
    scripts[0].write_text("line_id,text\na,The tide is out.\nb,Then we walk.\n")
    scripts[1].write_text(scripts[0].read_text() + "c,And swim back.\n")
    store = f"s3://{seaweed.bucket}/dialogue/{uuid.uuid4().hex}"
    # A driver of its own, so that Ray gives the rights to its workers too.
    command = [sys.executable, "-c", RUN, store, json.dumps(CONFIG), json.dumps(rights)]
    done = subprocess.run(
        [*command, *scripts],
        env={**os.environ, "RAY_ADDRESS": ray_cluster},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(open_store(store).catalog()["line_id"].to_pylist()) == ["a", "b", "c"]


def test_nothing_else_is_allowed(rights: dict[str, str], seaweed: SeaweedFS):
    client = boto3.session.Session(region_name="us-east-1").client("s3")
    bucket = seaweed.bucket
    for action, arguments in {
        "get_object": {"Key": "ready"},
        "put_object": {"Key": "elsewhere/a", "Body": b""},
        "delete_object": {"Key": "ready"},
        "put_object_tagging": {"Key": "dialogue/a", "Tagging": {"TagSet": []}},
        "put_bucket_policy": {"Policy": "{}"},
        "put_bucket_acl": {"ACL": "public-read"},
        "delete_bucket": {},
    }.items():
        with pytest.raises(ClientError, match="AccessDenied") as caught:
            getattr(client, action)(Bucket=bucket, **arguments)
        assert caught.value.operation_name.lower() == action.replace("_", "")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.create_bucket(Bucket="another")
    client.close()


def test_the_rights_are_enough_for_checkpoints(rights: dict[str, str], seaweed: SeaweedFS):
    # Ray Train keeps them by pyarrow, which uploads large files in parts and asks for folders.
    files, uri = FileSystem.from_uri(f"s3://{seaweed.bucket}/dialogue")
    folder = f"{uri}/{uuid.uuid4().hex}/checkpoint"
    files.create_dir(folder, recursive=True)
    with files.open_output_stream(f"{folder}/weights") as stream:
        stream.write(bytes(12 << 20))
    assert [info.size for info in files.get_file_info([f"{folder}/weights"])] == [12 << 20]
    assert files.get_file_info(uri).type is not FileType.File
    files.delete_dir(folder)
    client = boto3.session.Session(region_name="us-east-1").client("s3")
    part = {"Bucket": seaweed.bucket, "Key": "dialogue/broken"}
    upload = client.create_multipart_upload(**part)["UploadId"]
    client.abort_multipart_upload(**part, UploadId=upload)
    client.close()


def test_each_right_is_used_by_the_storage_and_none_is_missing():
    calls = {
        "list_objects_v2": "s3:ListBucket",
        "get_object": "s3:GetObject",
        "head_object": "s3:GetObject",
        "put_object": "s3:PutObject",
        "delete_object": "s3:DeleteObject",
    }
    storage = Path(__file__).parents[2] / "unitaf" / "storage" / "s3.py"
    made = {word.split("(")[0].split(",")[0] for word in storage.read_text().split("_client.")[1:]}
    statements = json.loads(POLICY.read_text())["Statement"]
    granted: set[str] = set()
    for statement in statements:
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
    uploads_of_ray_train = {"s3:AbortMultipartUpload"}
    assert {calls[call] for call in made} | uploads_of_ray_train == granted
