"""What can be seen from outside of a mesh: outcomes of requests, and what its proxies tell."""

from meshproof.probe.access_log import Entry, entries, find
from meshproof.probe.barrier import contains, hold
from meshproof.probe.host_vantage import HostVantage
from meshproof.probe.inbound import InboundChain, MtlsMode, mtls_mode
from meshproof.probe.outcome import Answered, Outcome, Reason, Refused
from meshproof.probe.pod_vantage import SETPRIV, SIDECAR_USER, PodVantage
from meshproof.probe.proxy import Certificate, Endpoint, Proxy
from meshproof.probe.request import Request
from meshproof.probe.sync import ProxySync, Sync, proxy_sync, wait_until_synced
from meshproof.probe.vantage import Vantage

__all__ = [
    "SETPRIV",
    "SIDECAR_USER",
    "Answered",
    "Certificate",
    "Endpoint",
    "Entry",
    "HostVantage",
    "InboundChain",
    "MtlsMode",
    "Outcome",
    "PodVantage",
    "Proxy",
    "ProxySync",
    "Reason",
    "Refused",
    "Request",
    "Sync",
    "Vantage",
    "contains",
    "entries",
    "find",
    "hold",
    "mtls_mode",
    "proxy_sync",
    "wait_until_synced",
]
