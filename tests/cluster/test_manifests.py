"""The files in cluster/ keep the schemas of who reads them, and name only what is there.

Ray's schema of a cluster and Kubernetes' schemas are the published ones. KubeRay's is in no
package: its fields that we use stand here as a strict model, written after its API types, and pods
within it are held against Kubernetes' schema.
"""

import importlib.resources
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import jsonschema
import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field
from ray._private.ray_constants import RAY_RUNTIME_ENV_CREATE_WORKING_DIR_ENV_VAR
from ray.runtime_env import RuntimeEnv

from unitaf.config import GenerateConfig, TrainConfig
from unitaf.config.settings import check_job, read_job

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
KUBERNETES = "1.33"
HOME = PurePosixPath("/home/ray/unitaf")
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file())
DOCKERFILES = sorted((CLUSTER / "docker").iterdir())
RAY_JOBS = sorted((CLUSTER / "kuberay").glob("rayjob-*.yaml"))
ENGINES = ("espeak", "indextts2", "kokoro")
"""The extras of text-to-speech engines."""
CONFIGS = {"generate": GenerateConfig, "train": TrainConfig}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Group(Strict):
    rayStartParams: dict[str, str]  # noqa: N815 - KubeRay's names
    template: dict[str, Any]


class WorkerGroup(Group):
    groupName: str  # noqa: N815
    replicas: int = Field(ge=0)
    minReplicas: int = Field(ge=0)  # noqa: N815
    maxReplicas: int = Field(ge=1)  # noqa: N815


class AutoscalerOptions(Strict):
    idleTimeoutSeconds: int = Field(gt=0)  # noqa: N815
    securityContext: dict[str, Any]  # noqa: N815


class RayCluster(Strict):
    rayVersion: str  # noqa: N815
    enableInTreeAutoscaling: bool  # noqa: N815
    autoscalerOptions: AutoscalerOptions  # noqa: N815
    headGroupSpec: Group  # noqa: N815
    workerGroupSpecs: list[WorkerGroup]  # noqa: N815


class RayJob(Strict):
    clusterSelector: dict[str, str]  # noqa: N815
    submissionMode: Literal["HTTPMode", "K8sJobMode"]  # noqa: N815
    entrypoint: str


def load(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def kube(kind: str, path: Path) -> Any:
    document = load(path)
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", kind)
    assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
    return document["spec"]


@pytest.fixture
def aws() -> dict[str, Any]:
    return load(CLUSTER / "ray" / "aws.yaml")


@pytest.fixture
def ray_cluster_spec() -> RayCluster:
    return RayCluster.model_validate(kube("RayCluster", CLUSTER / "kuberay" / "raycluster.yaml"))


def pods(spec: RayCluster) -> list[dict[str, Any]]:
    return [group.template["spec"] for group in (spec.headGroupSpec, *spec.workerGroupSpecs)]


def port_of(commands: list[str], option: str) -> set[str]:
    return set(re.findall(rf"--{option}=(\d+)", " ".join(commands)))


def built() -> set[str]:
    """Return the tags that the Dockerfiles say they are built as."""
    return {
        re.search(r"-t (\S+)", path.read_text())[1]  # type: ignore[index]
        for path in DOCKERFILES
    }


def test_the_launcher_file_keeps_rays_schema(aws: dict[str, Any]):
    schema = importlib.resources.files("ray.autoscaler").joinpath("ray-schema.json").read_text()
    jsonschema.validate(aws, json.loads(schema))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**aws, "max_worker": 3}, json.loads(schema))


def test_aws_workers_are_spot_and_begin_at_none(aws: dict[str, Any]):
    types = aws["available_node_types"]
    assert types[aws["head_node_type"]]["resources"]["CPU"] == 0
    workers = {name: kind for name, kind in types.items() if name != aws["head_node_type"]}
    assert sum(kind["max_workers"] for kind in workers.values()) <= aws["max_workers"]
    for kind in workers.values():
        assert kind["min_workers"] == 0
        assert kind["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
        assert kind["resources"]["CPU"] >= GenerateConfig().run.cpus_per_actor
    assert workers["gpu"]["resources"]["GPU"] == 1


def test_aws_machines_have_an_image_that_the_user_chooses(aws: dict[str, Any]):
    # Ray's own, `latest_dlami`, is an Ubuntu 18.04 with a driver too old for the image's CUDA.
    images = {kind["node_config"]["ImageId"] for kind in aws["available_node_types"].values()}
    assert len(images) == 1
    assert images.pop() in (CLUSTER / "README.md").read_text()


def test_the_service_account_keeps_kubernetes_schema(ray_cluster_spec: RayCluster):
    account = load(CLUSTER / "kuberay" / "serviceaccount.yaml")
    kubernetes_validate.validate(account, KUBERNETES, strict=True)
    for pod in pods(ray_cluster_spec):
        assert pod["serviceAccountName"] == account["metadata"]["name"]


def test_pods_keep_kubernetes_schema_and_are_nobody_special(ray_cluster_spec: RayCluster):
    for spec in pods(ray_cluster_spec):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**pod, "spec": {**spec, "a": 1}}, KUBERNETES, strict=True)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 1000
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_kuberay_workers_begin_at_none_and_have_what_jobs_ask_for(ray_cluster_spec: RayCluster):
    groups = {group.groupName: group for group in ray_cluster_spec.workerGroupSpecs}
    assert set(groups) == {"cpu", "gpu"}
    for group in groups.values():
        assert (group.replicas, group.minReplicas) == (0, 0)
    limits = groups["gpu"].template["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"


def test_only_the_head_may_ask_kubernetes_for_pods(ray_cluster_spec: RayCluster):
    head, *workers = pods(ray_cluster_spec)
    assert "automountServiceAccountToken" not in head
    for pod in workers:
        assert pod["automountServiceAccountToken"] is False


def test_the_version_of_ray_is_the_projects(ray_cluster_spec: RayCluster):
    major, minor, _ = ray_cluster_spec.rayVersion.split(".")
    assert f">={major}.{minor},<{major}.{int(minor) + 1}" in (ROOT / "pyproject.toml").read_text()


def test_every_image_is_built_here(aws: dict[str, Any], ray_cluster_spec: RayCluster):
    images = {aws["docker"]["head_image"], aws["docker"]["worker_image"]}
    images.add(aws["available_node_types"]["gpu"]["docker"]["worker_image"])
    images |= {box["image"] for pod in pods(ray_cluster_spec) for box in pod["containers"]}
    assert {image.rpartition("/")[2] for image in images} == built()


def test_ports_agree(aws: dict[str, Any], ray_cluster_spec: RayCluster):
    head, workers = aws["head_start_ray_commands"], aws["worker_start_ray_commands"]
    exposed = {port for path in DOCKERFILES for port in exposed_by(path)}
    assert port_of(head, "port") == set(re.findall(r"HEAD_IP:(\d+)", " ".join(workers)))
    metrics = port_of(head, "metrics-export-port")
    assert metrics == port_of(workers, "metrics-export-port")
    assert port_of(head, "port") | port_of(head, "dashboard-port") | metrics == exposed
    for group in (ray_cluster_spec.headGroupSpec, *ray_cluster_spec.workerGroupSpecs):
        [box] = group.template["spec"]["containers"]
        named = {port["name"]: str(port["containerPort"]) for port in box["ports"]}
        assert {named["metrics"]} == {group.rayStartParams["metrics-export-port"]} == metrics
        assert set(named.values()) <= exposed


def exposed_by(path: Path) -> list[str]:
    return re.findall(r"\d+", " ".join(re.findall(r"^EXPOSE (.*)$", path.read_text(), re.M)))


@pytest.mark.parametrize("path", RAY_JOBS, ids=lambda path: path.stem)
def test_a_job_runs_what_is_there_with_settings_that_are_right(path: Path):
    job = RayJob.model_validate(kube("RayJob", path))
    cluster = load(CLUSTER / "kuberay" / "raycluster.yaml")
    assert job.clusterSelector == {"ray.io/cluster": cluster["metadata"]["name"]}
    words = job.entrypoint.split()
    named = [word.rpartition("=")[2] for word in words if str(HOME) in word]
    assert len(named) >= 3
    for name in named:
        inside = PurePosixPath(name).relative_to(HOME)
        assert (ROOT / inside).is_file()
        for dockerfile in DOCKERFILES:
            assert re.search(rf"^COPY .*{inside.parts[0]}", dockerfile.read_text(), re.M)
    start = next(at for at, word in enumerate(words) if "/ray_jobs/" in word)
    settings = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
    config = words[words.index("--config") + 1].replace(str(HOME), str(ROOT))
    kind = CONFIGS[PurePosixPath(words[start]).stem]
    check_job(kind, read_job(config, settings), path.name)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_is_clean_pinned_and_not_roots(path: Path):
    lint = [Path(sys.executable).with_name("hadolint"), "--no-color", path]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    text = path.read_text()
    assert re.findall(r"^FROM (\S+)", text, re.M) == ["python:3.11.13-slim-bookworm"]
    assert re.findall(r"^USER (\S+)", text, re.M) == ["1000:1000"]
    assert f"WORKDIR {HOME}" in text
    for copied in re.findall(r"^COPY (.*)$", text, re.M):
        for source in copied.split()[:-1]:
            assert (ROOT / source).exists()
    assert {*ENGINES, "transcribe", "whisper"} == extras_of(text)


def test_the_server_has_every_engine():
    assert set(ENGINES) == extras_of((CLUSTER / "triton" / "Dockerfile").read_text())


def extras_of(text: str) -> set[str]:
    """Return the extras of this project that a text names, all of which there are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {name for found in re.findall(r'[."}]\[([\w,]+)\]"', text) for name in found.split(",")}
    assert named <= set(project["optional-dependencies"])
    return named


def test_a_job_that_brings_unitaf_along_is_one_that_ray_takes(monkeypatch: pytest.MonkeyPatch):
    text = (CLUSTER / "README.md").read_text()
    [(environment, words)] = re.findall(
        r"--runtime-env-json '(\{.*?\})' -- python (.*?)```", text, re.S
    )
    monkeypatch.chdir(ROOT)
    checked = RuntimeEnv(**json.loads(environment), _validate=True)
    assert checked["working_dir"] == "."
    [installed] = checked["pip"]["packages"]
    assert installed.startswith(f"${{{RAY_RUNTIME_ENV_CREATE_WORKING_DIR_ENV_VAR}}}[")
    assert extras_of(environment) == {"espeak", "kokoro"}
    command, *settings = words.replace("\\\n", " ").split()
    assert (ROOT / command).is_file()
    given = [word for word in settings if word != "--set"]
    check_job(GenerateConfig, read_job(None, given), "README.md")


def test_nothing_but_what_is_copied_reaches_a_build():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    texts = [path.read_text() for path in (*DOCKERFILES, CLUSTER / "triton" / "Dockerfile")]
    copied = {
        source
        for text in texts
        for words in re.findall(r"^COPY (.*)$", text, re.M)
        for source in words.split()[:-1]
    }
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_holds_a_secret(path: Path):
    text = path.read_text()
    assert not re.search(r"AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|PRIVATE KEY|ghp_\w+|eyJ\w{20}", text)
    assert not re.search(r"(?i)(secret|password|token)\w*\s*[:=]\s*[\"']?[\w/+]{8}", text)
    assert set(re.findall(r"\b\d{12}\b", text)) <= {"123456789012"}  # AWS's example account


def test_the_readme_names_what_is_there():
    text = (CLUSTER / "README.md").read_text()
    for name in re.findall(r"(?:cluster|ray_jobs)/[\w./-]+\.(?:yaml|json|py|cpu|cuda)\b", text):
        assert (ROOT / name).is_file(), name
