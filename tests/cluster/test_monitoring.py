"""Rules and dashboard: PromQL that parses, over names that are served."""

import json
import re
import time
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import ray
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict, Field
from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

from unitaf.pipelines.making import ShardRecord
from unitaf.pipelines.telemetry import COUNTERS, LINES_LEFT, SHARD_SECONDS, Telemetry

CLUSTER = Path(__file__).parents[2] / "cluster"
OURS = {f"ray_{name}_total" for name in COUNTERS}
OURS |= {f"ray_{LINES_LEFT}", f"ray_{SHARD_SECONDS}_bucket"}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Recording(Strict):
    record: str
    expr: str


class Alert(Strict):
    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    holds_for: str = Field(alias="for")


class Group(Strict):
    name: str
    interval: str
    rules: list[Recording | Alert]


class Rules(Strict):
    groups: list[Group]


class Files(Strict):
    files: list[str]


class ScrapeConfig(Strict):
    job_name: str
    file_sd_configs: list[Files]


class Times(Strict):
    scrape_interval: str
    evaluation_interval: str


class Prometheus(Strict):
    global_: Times = Field(alias="global")
    rule_files: list[str]
    scrape_configs: list[ScrapeConfig]


def rules() -> list[Recording | Alert]:
    text = (CLUSTER / "prometheus" / "rules.yaml").read_text()
    return [
        rule for group in Rules.model_validate(yaml.safe_load(text)).groups for rule in group.rules
    ]


def dashboard() -> dict[str, Any]:
    values: dict[str, Any] = json.loads((CLUSTER / "grafana" / "dashboard.json").read_text())
    return values


def queries() -> list[str]:
    targets = [target for panel in dashboard()["panels"] for target in panel["targets"]]
    return [rule.expr for rule in rules()] + [target["expr"] for target in targets]


def names(query: str) -> set[str]:
    """Return the metrics that a query reads."""
    return set(re.findall(r"\b(?:ray_|unitaf:)[\w:]+", promql_parser.parse(query).prettify()))


@pytest.mark.parametrize("query", queries())
def test_a_query_parses_and_reads_what_there_is(query: str):
    recorded = {rule.record for rule in rules() if isinstance(rule, Recording)}
    assert names(query)
    assert names(query) <= OURS | recorded | {"ray_tasks"}


def test_a_query_that_is_none_is_refused():
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum by (rate(ray_unitaf_lines_total[5m])")


def test_the_dashboard_shows_all_that_is_asked_for():
    shown = set().union(
        *(names(target["expr"]) for p in dashboard()["panels"] for target in p["targets"])
    )
    assert {
        "unitaf:lines:rate5m",
        "unitaf:audio_seconds:rate5m",
        "unitaf:rejects:rate5m",
        "unitaf:shard_seconds:p95",
        "unitaf:retries",
        "unitaf:storage_retries:rate5m",
    } <= shown
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


def test_prometheus_reads_the_rules_and_the_nodes_that_ray_lists():
    text = (CLUSTER / "prometheus" / "prometheus.yaml").read_text()
    settings = Prometheus.model_validate(yaml.safe_load(text))
    for name in settings.rule_files:
        assert (CLUSTER / "prometheus" / name).is_file()
    [nodes] = [each for scraped in settings.scrape_configs for each in scraped.file_sd_configs]
    assert nodes.files == [f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"]


def test_every_name_is_served_by_a_running_cluster(ray_cluster: str):
    @ray.remote
    def work() -> None: ...

    ray.get(work.remote())
    shard = ShardRecord("a", True, 2, 1, 1, 3.0, 100, tts_s=1.0, storage_retries=1)
    Telemetry("generate").add(shard, 5)
    wanted = set().union(*map(names, queries()))
    wanted = {name for name in wanted if name.startswith("ray_")}
    port = ray.nodes()[0]["MetricsExportPort"]
    deadline = time.monotonic() + 60
    missing = wanted
    while missing and time.monotonic() < deadline:
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        families = text_string_to_metric_families(text)
        samples = [sample for family in families for sample in family.samples]
        missing = wanted - {sample.name for sample in samples}
        time.sleep(0.2)
    assert not missing
    tasks = next(sample for sample in samples if sample.name == "ray_tasks")
    assert {"IsRetry", "Source"} <= set(tasks.labels)
