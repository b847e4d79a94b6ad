#!/usr/bin/env bash
# Installs (Debian, Ubuntu) and starts a Docker engine for sandboxes, if none answers yet.
#
# It changes no networking of the host: no bridge, no iptables rule, no forwarding. Containers of
# sandboxes have no network at all, so nothing of that is needed. Needs root; systemd is not needed.
#
#   scripts/start-docker.sh          start; does nothing where an engine answers
#   DOCKER_LOG=/tmp/d.log ...        where the engine's log goes
set -euo pipefail

log=${DOCKER_LOG:-/tmp/dockerd.log}

answers() { docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; }

if answers; then
    echo "a Docker engine answers already: $(docker info --format '{{.ServerVersion}}')"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "error: no Docker engine answers, and only root can start one" >&2
    exit 1
fi
if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || { echo "error: no dockerd, and no apt-get to install it with" >&2; exit 1; }
    for attempt in 1 2 3; do
        apt-get -o DPkg::Lock::Timeout=120 update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
                --no-install-recommends docker.io iptables >/dev/null && break
        [ "$attempt" = 3 ] && { echo "error: docker.io could not be installed" >&2; exit 1; }
        sleep $((attempt * 5))
    done
fi
# Pid files of an engine that was killed would keep the new one from starting, or make it wait.
if ! pgrep -x dockerd >/dev/null; then
    rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
fi
setsid nohup dockerd --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    >>"$log" 2>&1 </dev/null &
for _ in $(seq 300); do
    if answers; then
        echo "started Docker engine $(docker info --format '{{.ServerVersion}}'), log in $log"
        exit 0
    fi
    sleep 0.1
done
echo "error: dockerd did not answer within 30 s; the end of $log:" >&2
tail -n 20 "$log" >&2
exit 1
