#!/bin/sh
# wandb 0.31.0 from PyPI, on Python 3.11.
#
# Seen:
# A run of `wandb.init(mode="offline")` connects to a server: its service reports how it fares. With WANDB_MODE=offline,
# or with WANDB_ERROR_REPORTING=false, it connects to none.
#
# Expected:
# Offline is offline, whichever way it is said.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'wandb==0.31.0'
cat > "$folder/run.py" <<'END'
import os, socket, subprocess, sys, tempfile

RUN = "import wandb; run = wandb.init(project='p', mode='offline'); run.log({'loss': 0.5}); run.finish()"


def connections(**variables):
    """How often the run goes to a proxy, which is all the network that it has."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        environment = kept | dict.fromkeys(names, url) | {"HOME": folder} | variables
        subprocess.run([sys.executable, "-c", RUN], cwd=folder, env=environment, check=True, capture_output=True)
        proxy.setblocking(False)
        seen = 0
        try:
            while True:
                proxy.accept()[0].close()
                seen += 1
        except BlockingIOError:
            return "some" if seen else "none"


print("mode='offline':", connections())
print("and WANDB_MODE=offline:", connections(WANDB_MODE="offline"))
print("and WANDB_ERROR_REPORTING=false:", connections(WANDB_ERROR_REPORTING="false"))
END
cat > "$folder/recorded" <<'END'
mode='offline': some
and WANDB_MODE=offline: none
and WANDB_ERROR_REPORTING=false: none
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "wandb_offline_connects: as recorded"
