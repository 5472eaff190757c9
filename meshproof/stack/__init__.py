"""What is installed in the cluster: components as a graph, each ready only when it is seen to work."""

from meshproof.stack.component import Component, Hopeless, NotYet
from meshproof.stack.context import StackContext
from meshproof.stack.gateway import GATEWAY_HOSTS
from meshproof.stack.graph import ComponentFailed, Graph
from meshproof.stack.installation import set_up, tear_down
from meshproof.stack.installed import Installed, describe, record
from meshproof.stack.overlay import lay_over

__all__ = [
    "GATEWAY_HOSTS",
    "Component",
    "ComponentFailed",
    "Graph",
    "Hopeless",
    "Installed",
    "NotYet",
    "StackContext",
    "describe",
    "lay_over",
    "record",
    "set_up",
    "tear_down",
]
