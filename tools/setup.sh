#!/usr/bin/env bash
# Set up visavis on a fresh Debian or Ubuntu machine: system packages, .venv, locked Python packages, models.
# Idempotent and quiet: a second run returns in well under a second. `tools/setup.sh tests` adds what the tests need.
set -euo pipefail
cd "$(dirname "$0")/.."
want=${1:-runtime}
venv=.venv
python=${PYTHON:-python3}

say() { if [ -t 1 ]; then printf '\033[2m· %s\033[0m\n' "$*"; else printf '· %s\n' "$*"; fi; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else echo "visavis needs the Debian packages: ${missing[*]}. Install them as root: apt-get install ${missing[*]}" >&2; exit 1
  fi
}

need_packages() {
  missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local report
  report=$(mktemp)
  if ! { as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$report" 2>&1; then
    cat "$report" >&2
    exit 1
  fi
  rm -f "$report"
}

if ! command -v "$python" >/dev/null || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  need_packages python3 python3-venv
  python=python3
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "visavis needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Set PYTHON=/path/to/python3.11" >&2
  exit 1
fi
if [ "$want" = tests ]; then
  # chromium: the page's tests, libatomic1: Playwright's driver for it; coturn: the relay's; fonts: Chinese in screenshots;
  # postgresql: the other database (the tests start a server of their own; the cluster of the package may stay off).
  need_packages chromium libatomic1 coturn fonts-noto-cjk postgresql
  # The Node SDK's test. Any node from 18 on will do; npm is only asked where its registry is.
  command -v node >/dev/null || need_packages nodejs
  command -v npm >/dev/null || [ -n "${NPM_CONFIG_REGISTRY:-}" ] || (need_packages npm) || say "npm is not here"
fi
# Letters for subtitles and text in the picture. Without the right to install it goes on: the server logs what is missing.
if ! find /usr/share/fonts ~/.local/share/fonts -iname '*cjk*' -o -iname 'wqy*' 2>/dev/null | grep -q .; then
  if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then need_packages fonts-wqy-microhei
  else say "no font with Chinese letters is installed (Debian package fonts-wqy-microhei)"
  fi
fi

lock=requirements/runtime.txt
[ "$want" = tests ] && lock=requirements/dev.txt
sum=$(cat requirements/runtime.txt requirements/dev.txt pyproject.toml | sha256sum | cut -c1-64)
installed() { [ "$(cat "$venv/.installed-$1" 2>/dev/null || true)" = "$sum" ]; }
if [ ! -x $venv/bin/python ]; then
  say "creating $venv with $("$python" -V)"
  "$python" -m venv $venv
fi
# What the tests need includes all that runs.
if ! installed "$want" && ! installed tests; then
  say "installing Python packages from $lock (about two minutes the first time)"
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  echo "$sum" > "$venv/.installed-$want"
fi
$venv/bin/visavis models assemble --quiet
# The compositor's kernels are compiled once a machine (half a minute): not when the first job waits for its face.
kernels=$(cat visavis/avatar/kernels*.py | sha256sum | cut -c1-64)
if [ "$(cat $venv/.kernels 2>/dev/null || true)" != "$kernels" ]; then
  say "compiling the compositor (half a minute)"
  $venv/bin/python -c 'from visavis.avatar import cache, kernels; kernels.ready(cache.code_folder())'
  echo "$kernels" > "$venv/.kernels"
fi
if [ "$want" = tests ]; then
  # MediaPipe, for the tests of `visavis avatar import`: an environment of its own.
  $venv/bin/python -c 'from visavis.avatar.importing.environment import ready; ready(print)'
  # Without them (no registry in reach) the tests of the Node client are skipped, and say why.
  $venv/bin/python tests/clients/node_packages.py || say "the Node client's packages are not here; its tests will be skipped"
fi
