"""Parts of Envoy's config dump, as its admin interface writes them."""

from __future__ import annotations


def listener(**tracing):
    """A listener as Envoy's config dump shows it."""
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.HttpConnectionManager",
        "tracing": tracing,
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    chains = [{"filters": [{"name": "tcp", "typed_config": {"@type": "TcpProxy"}}]}, {"filters": filters}]
    return {"name": "0.0.0.0_8080", "active_state": {"listener": {"filter_chains": chains}}}


def provider(cluster="outbound|8126||datadog-agent.datadog.svc.cluster.local"):
    return {"name": "envoy.tracers.datadog", "typed_config": {"collector_cluster": cluster, "service_name": "x"}}
