from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from small_cluster import SmallCluster, workload

from meshproof.errors import UsageError
from meshproof.keys import Keys
from meshproof.settings import DatadogChoice, Settings
from meshproof.stack import NotYet, StackContext
from meshproof.stack.datadog import DatadogAgent, DatadogOperator
from meshproof.stack.foundations import Definitions
from meshproof.stack.installation import _Stack
from meshproof.stack.intake import DatadogKeys, Intake
from meshproof.timeline import Timeline
from meshproof.waiting import StateNotReached

KEYS = Keys("a" * 32, "b" * 40)
MADE = (("DaemonSet", "datadog-agent"), ("Deployment", "datadog-cluster-agent"))
RUNNER = ("Deployment", "datadog-cluster-checks-runner")


@pytest.fixture
def saas(context: StackContext) -> StackContext:
    """The same run with Datadog itself as its backend."""
    settings = Settings(timeouts=context.settings.timeouts, datadog=DatadogChoice.SAAS)
    return replace(context, settings=settings, keys=KEYS, datadog_site="datadoghq.eu")


def made_by_the_operator(kind: str, name: str, **changes: Any) -> dict[str, Any]:
    found = workload(kind, **changes)
    found["metadata"] |= {"name": name, "namespace": "datadog"}
    return found


def installed(context: StackContext, component: Any) -> None:
    with Timeline().step(component.name, group="stack") as step:
        component.install(context, step)


def names(context: StackContext) -> set[str]:
    return {component.name for component in _Stack.of(context).components}


# --- keys


def test_the_secret_holds_both_keys(small: SmallCluster, context: StackContext) -> None:
    installed(replace(context, keys=KEYS), DatadogKeys())
    secret = small.objects["/api/v1/namespaces/datadog/secrets/datadog-secret"]
    found = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert found == {"api-key": KEYS.api, "app-key": KEYS.application}


def test_no_key_shows_in_what_is_printed(context: StackContext) -> None:
    context = replace(context, keys=KEYS)
    shown = repr(context) + context.content() + json.dumps(list(DatadogKeys().objects(context)))
    assert KEYS.api not in shown and KEYS.application not in shown


def test_a_run_that_is_given_no_keys_makes_its_own(context: StackContext) -> None:
    assert len(context.keys.api) == 32
    assert context.keys.api != replace(context, keys=Keys.minted()).keys.api


# --- the graph


def test_the_intake_is_left_out_where_datadog_itself_is_the_backend(context: StackContext, saas: StackContext) -> None:
    assert names(context) - names(saas) == {"intake"}


@pytest.mark.parametrize("needed", ["datadog operator", "intake", "istio"])
def test_agents_come_after_what_they_need(context: StackContext, needed: str) -> None:
    (agent,) = [component for component in _Stack.of(context).components if component.name == "datadog agent"]
    assert needed in agent.after


def test_the_content_changes_with_the_backend(context: StackContext, saas: StackContext) -> None:
    assert context.content() != saas.content()


# --- the operator


def test_the_operators_crds_come_early_and_are_no_more_than_it_needs(context: StackContext) -> None:
    found = Definitions("datadog CRDs", [DatadogOperator()]).manifests(context)
    assert [crd["metadata"]["name"].partition(".")[0] for crd in found] == ["datadogagents", "datadogagentinternals"]


def test_the_operators_rights_are_those_of_its_sources_under_our_name(
    small: SmallCluster, context: StackContext
) -> None:
    installed(context, DatadogOperator())
    role = small.objects["/apis/rbac.authorization.k8s.io/v1/clusterroles/datadog-operator"]
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert not any("customresourcedefinitions" in path for path in small.applied)


def test_the_operators_version_is_its_images(context: StackContext) -> None:
    assert DatadogOperator().version(context) == "1.31.0"


# --- the agents


def test_agents_are_not_ready_before_the_operator_has_made_them(context: StackContext) -> None:
    with pytest.raises(NotYet, match="DaemonSet datadog/datadog-agent does not exist"):
        DatadogAgent(sends_to=None).ready(context)


@pytest.mark.parametrize("missing", [*MADE, RUNNER], ids=lambda made: made[1])
def test_agents_are_ready_when_everything_is_rolled_out(
    small: SmallCluster, context: StackContext, missing: tuple[str, str]
) -> None:
    made = {pair: made_by_the_operator(*pair) for pair in (*MADE, RUNNER)}
    small.has(*(found for pair, found in made.items() if pair != missing))
    with pytest.raises(NotYet, match=rf"{missing[0]} datadog/{missing[1]}"):
        DatadogAgent(sends_to=None).ready(context)
    small.has(made[missing])
    DatadogAgent(sends_to=None).ready(context)


def test_an_agent_whose_traces_nobody_takes_is_not_ready(small: SmallCluster, context: StackContext) -> None:
    small.has(*(made_by_the_operator(*pair) for pair in (*MADE, RUNNER)))
    labels = {"agent.datadoghq.com/component": "agent"}
    metadata = {"name": "datadog-agent-x1", "namespace": "datadog", "labels": labels}
    small.has({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    with pytest.raises(NotYet, match="datadog-agent-x1 takes no traces"):
        DatadogAgent(sends_to=None).ready(context)


def test_what_the_operator_complains_about_is_told(small: SmallCluster, context: StackContext) -> None:
    (agent,) = DatadogAgent(sends_to=None).manifests(context)
    condition = {"type": "DatadogAgentReconcileError", "status": "True", "message": "no such feature"}
    small.has({**agent, "status": {"conditions": [condition]}})
    with pytest.raises(NotYet, match="no such feature"):
        DatadogAgent(sends_to=None).ready(context)


def test_rights_of_another_datadog_agent_in_a_borrowed_cluster_are_not_overwritten(
    small: SmallCluster, context: StackContext, borrowed: StackContext
) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "datadog-agent"}}
    agent = DatadogAgent(sends_to=None)
    agent.check(borrowed)
    small.has(role)
    with pytest.raises(UsageError, match="another Datadog agent") as caught:
        agent.check(borrowed)
    assert caught.value.seen == "ClusterRole datadog-agent"
    agent.check(context)
    context.apply(agent.manifests(context))
    agent.check(borrowed)


def test_removal_waits_until_the_operator_has_taken_the_agents_away(small: SmallCluster, context: StackContext) -> None:
    agent = DatadogAgent(sends_to=None)
    context.apply(agent.manifests(context))
    metadata = {"name": "datadog", "namespace": "datadog"}
    internal = {"apiVersion": "datadoghq.com/v1alpha1", "kind": "DatadogAgentInternal", "metadata": metadata}
    small.has(internal)
    with pytest.raises(StateNotReached, match="the operator has removed the agents"):
        agent.remove(context)
    small.objects.clear()
    agent.remove(context)


# --- the backend


def environment(context: StackContext) -> dict[str, str]:
    (agent,) = DatadogAgent(sends_to=None).manifests(context)
    return {entry["name"]: entry["value"] for entry in agent["spec"]["global"]["env"]}


def test_nothing_leads_to_the_intake_where_datadog_itself_is_the_backend(saas: StackContext) -> None:
    (agent,) = DatadogAgent(sends_to=None).manifests(saas)
    manifests = [agent, *(m for m in DatadogOperator().manifests(saas) if m["kind"] == "Deployment")]
    assert "intake" not in json.dumps(manifests)
    assert agent["spec"]["global"]["site"] == "datadoghq.eu"
    assert environment(saas)["DD_ENV"] == "meshproof"


def test_no_host_of_datadogs_is_named_where_the_intake_is_the_backend(context: StackContext) -> None:
    (agent,) = DatadogAgent(sends_to=None).manifests(context)
    assert agent["spec"]["global"]["site"].endswith(".invalid")
    addresses = {value for name, value in environment(context).items() if name.endswith("_URL")}
    addresses.add(agent["spec"]["global"]["endpoint"]["url"])
    addresses.add(agent["spec"]["features"]["orchestratorExplorer"]["ddUrl"])
    assert {address.removesuffix("/api/v2/profile") for address in addresses} == {
        "http://intake.datadog.svc.cluster.local:8080"
    }


def test_an_intake_that_does_not_answer_is_not_ready(small: SmallCluster, context: StackContext) -> None:
    small.has(made_by_the_operator("Deployment", "intake"))
    with pytest.raises(NotYet, match="the intake has no pod"):
        Intake().ready(context)
    metadata = {"name": "intake-x1", "namespace": "datadog", "labels": {"app": "intake"}}
    small.has({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    with pytest.raises(NotYet, match="the intake does not answer"):
        Intake().ready(context)
