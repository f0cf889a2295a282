#!/usr/bin/env bash
# Brings a fresh clone to the point where everything runs. Each part is done once and again only
# when its lock file changed; when all is in place it ends in milliseconds and needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'set-up: %s\n' "$*" >&2; }

stop() { # what is missing, what to do, what still works
  printf '\nset-up stopped: %s\n  do:    %s\n  works: %s\n\n' "$1" "$2" "$3" >&2
  exit 1
}

is_done() { # stamp, inputs…
  local stamp=$1 sum; shift
  sum=$(cat "$@" | cksum)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]
}

mark_done() { local stamp=$1; shift; cat "$@" | cksum > "$stamp"; }

# Twice quiet: errors only. Once would still list each link that pip does not follow.
pip_install() { .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps "$@"; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"; return 0
    fi
  done
  return 1
}

locks="requirements/runtime.txt requirements/dev.txt pyproject.toml"
if ! is_done .venv/.tidegate-installed $locks || [ ! -x .venv/bin/python ]; then
  python=$(find_python) || stop "no Python 3.11 or newer was found" \
    "install Python 3.11, or name it: make PYTHON=/path/to/python3.11 …" "nothing without Python"
  [ -x .venv/bin/python ] || { say "virtual environment with $python"; "$python" -m venv .venv; }
  say "Python packages, by hash, from requirements/ (about a minute)"
  pip_install --require-hashes -r requirements/runtime.txt -r requirements/dev.txt \
    || stop "the Python packages could not be installed (network to the package registry?)" \
       "look at the lines above, then run the same command again" "nothing yet: this step comes first"
  pip_install --no-build-isolation -e . \
    || stop "the package itself could not be installed" "look at the lines above" "nothing yet"
  mark_done .venv/.tidegate-installed $locks
fi

if ! is_done node_modules/.tidegate-installed package-lock.json; then
  without_node="tidegate strategy new|check|explain|schema, tidegate journal …, make lint, make types"
  command -v npm >/dev/null 2>&1 || stop \
    "npm was not found: without Node 20+ there is no anvil and no canonical contract to deploy" \
    "install Node 20 or newer, then run the same command again" "$without_node"
  say "anvil and the canonical contracts, from package-lock.json"
  npm ci --silent --no-audit --no-fund \
    || stop "the npm packages could not be installed (network to the package registry?)" \
       "look at the lines above, then run the same command again" "$without_node"
  mark_done node_modules/.tidegate-installed package-lock.json
fi

.venv/bin/python -m tidegate.app.prepare || stop "the contracts could not be prepared" \
  "look at the lines above; .venv/bin/tidegate doctor says more" "tidegate strategy check|explain, tidegate journal …"
