# The operator mounts extraConfd at /conf.d of the init container only; the agent reads /etc/datadog-agent/conf.d.
# What lies in folders that begin with two dots are the ConfigMap's own, behind its links.
if [ -d /conf.d ]; then
  cd / && find conf.d -not -path '*/..*' \( -name '*.yaml' -o -name '*.yml' \) -exec cp --dereference --parents --verbose {} /etc/datadog-agent/ \;
fi
