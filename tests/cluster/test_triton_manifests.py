"""The files of cluster/triton keep Kubernetes' schemas, and fit each other and the code."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.cluster.test_manifests import CLUSTER, KUBERNETES, ROOT, load
from unitaf.config import GenerateConfig, check_config
from unitaf.serving.repository import served_models

FOLDER = CLUSTER / "triton"
DOCKERFILE = FOLDER / "Dockerfile"
MANIFESTS = ("job.yaml", "deployment.yaml", "service.yaml")


@pytest.fixture
def pod() -> Any:
    return load(FOLDER / "deployment.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def job() -> GenerateConfig:
    text = load(FOLDER / "job.yaml")["data"]["job.yaml"]
    return check_config(yaml.safe_load(text), "job.yaml")


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_keeps_kubernetes_schema(name: str):
    manifest = load(FOLDER / name)
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**manifest, "a": 1}, KUBERNETES, strict=True)


def test_nothing_runs_as_somebody_special(pod: Any):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["automountServiceAccountToken"] is False
    for box in (*pod["initContainers"], *pod["containers"]):
        assert box["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_image_is_the_one_that_is_built(pod: Any):
    [tag] = re.findall(r"-t (\S+)", DOCKERFILE.read_text())
    images = {box["image"] for box in (*pod["initContainers"], *pod["containers"])}
    assert {image.rpartition("/")[2] for image in images} == {tag}


def test_ports_and_names_agree(pod: Any):
    [box] = pod["containers"]
    named = {port["name"]: port["containerPort"] for port in box["ports"]}
    exposed = re.findall(r"\d+", *re.findall(r"^EXPOSE (.*)$", DOCKERFILE.read_text(), re.M))
    assert sorted(map(str, named.values())) == exposed
    service = load(FOLDER / "service.yaml")
    for port in service["spec"]["ports"]:
        assert port["targetPort"] == port["name"]
        assert named[port["name"]] == port["port"]
    deployment = load(FOLDER / "deployment.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(named["metrics"])
    url = f"grpc://{service['metadata']['name']}:{named['grpc']}"
    assert url in (FOLDER / "service.yaml").read_text()
    assert url in (CLUSTER / "README.md").read_text()


def test_the_job_is_exported_to_where_it_is_served_from(pod: Any, job: GenerateConfig):
    [export], [server] = pod["initContainers"], pod["containers"]
    assert export["command"][:3] == ["unitaf", "serve", "export"]
    mounts = {mount["mountPath"]: mount["name"] for mount in export["volumeMounts"]}
    repository, file = export["command"][3], Path(export["command"][5])
    assert f"--model-repository={repository}" in server["args"]
    assert mounts[repository] in {mount["name"] for mount in server["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    config_map = load(FOLDER / "job.yaml")
    assert volumes[mounts[str(file.parent)]]["configMap"]["name"] == config_map["metadata"]["name"]
    assert file.name in config_map["data"]
    assert server["resources"]["requests"]["cpu"] == str(job.run.num_actors)


def test_probes_ask_triton_and_count_the_processes_of_the_models(pod: Any, job: GenerateConfig):
    [box] = pod["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        assert box[probe]["httpGet"] == {"path": "/v2/health/ready", "port": "http"}
    *shell, command = box["livenessProbe"]["exec"]["command"]
    assert shell == ["sh", "-c"]
    assert "localhost:8000/v2/health/live" in command
    processes = sum(model.num_instances for model in served_models(job))
    assert command.endswith(f"-ge {processes}")


def test_a_dead_process_of_a_model_is_missed(pod: Any):
    *_, command = pod["containers"][0]["livenessProbe"]["exec"]["command"]
    count = re.search(r'"\$\((.*)\)"', command)
    assert count is not None
    name = "triton_python_backend_stub_of_a_test"
    pattern = count[1].replace("python_backend_stu[b]", f"{name[:-1]}[{name[-1]}]")

    def counted() -> int:
        done = subprocess.run(["sh", "-c", pattern], capture_output=True, text=True, check=False)
        return int(done.stdout)

    assert counted() == 0
    stubs = [subprocess.Popen([sys.executable, "-c", "input()", name], stdin=-1) for _ in range(2)]
    try:
        assert counted() == 2
        stubs[0].kill()
        stubs[0].wait()
        assert counted() == 1
    finally:
        for stub in stubs:
            stub.kill()
            stub.communicate()


def test_the_dockerfile_is_clean_pinned_and_not_roots():
    lint = [Path(sys.executable).with_name("hadolint"), "--no-color", DOCKERFILE]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    text = DOCKERFILE.read_text()
    assert re.fullmatch(
        r"nvcr\.io/nvidia/tritonserver:\d\d\.\d\d-py3", *re.findall(r"^FROM (\S+)", text, re.M)
    )
    assert re.findall(r"^USER (\S+)", text, re.M) == ["1000:1000"]
    for copied in re.findall(r"^COPY (.*)$", text, re.M):
        for source in copied.split()[:-1]:
            assert (ROOT / source).exists()
