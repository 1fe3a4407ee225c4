#!/bin/sh
# npm run setup: everything that the server, the lab and (--test) the tests need, and nothing twice. When nothing is to do it
# takes about a second; after it nothing needs the internet.
#   --quiet   say only what is being done
#   --test    the packages of the tests too
#   --bench   those, and what npm run bench needs
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=boot-assets/packages.sh
. boot-assets/packages.sh

quiet=
test=
bench=
for option in "$@"; do
  case $option in
    --quiet) quiet=1 ;;
    --test) test=1 ;;
    --bench) test=1 bench=1 ;;
    *)
      echo "setup: unknown option $option (allowed: --quiet, --test, --bench)" >&2
      exit 2
      ;;
  esac
done

say() { echo "setup: $*"; }
done_already() { [ -n "$quiet" ] || say "$*"; }
fail() {
  echo "setup: ERROR: $1" >&2
  exit 1
}

check_node() {
  command -v node >/dev/null || fail "Node is missing: install Node 20.19, 22.13, 24 or newer, and npm"
  node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major >= 24 || (major === 22 && minor >= 13) || (major === 20 && minor >= 19) ? 0 : 1);
  ' || fail "Node $(node --version) is too old: install Node 20.19, 22.13, 24 or newer"
}

# Names of the packages among $@ that are not installed.
missing_packages() {
  # dpkg-query fails when one of them is unknown; what it prints about the others still counts.
  # shellcheck disable=SC2016 # the format is dpkg's
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    case "
$installed
" in
      *"
ii $package
"*) ;;
      *) echo "$package" ;;
    esac
  done
}

install_packages() {
  # shellcheck disable=SC2086 # lists of words
  missing=$(missing_packages $packages_run $packages_compile ${test:+$packages_test} ${bench:+$packages_bench} | tr '\n' ' ')
  if [ -z "$missing" ]; then
    done_already "packages: all there"
    return
  fi
  command -v apt-get >/dev/null || fail "this is not Debian or Ubuntu; install what corresponds to: $missing"
  [ "$(id -u)" = 0 ] || fail "packages are missing and only root can install them: run this as root, or: apt-get install $missing"
  say "installing packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be old or not there at all: only then ask for new ones.
  # shellcheck disable=SC2086
  if ! apt-get install -qq -y --no-install-recommends $missing </dev/null >/dev/null 2>&1; then
    apt-get update -qq || fail "apt-get update failed: check the network and /etc/apt/sources.list"
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing </dev/null >/dev/null ||
      fail "apt-get could not install: $missing"
  fi
}

# True when node_modules holds exactly what package-lock.json says, and the compiled parts load in this Node.
dependencies_fit() {
  node -e '
    const { readFileSync } = require("node:fs");
    const read = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
    const wanted = read("package-lock.json");
    const there = read("node_modules/.package-lock.json");
    for (const [path, { version, integrity, optional }] of Object.entries(wanted)) {
      const found = there[path];
      if (path === "" || (found === undefined && optional === true)) continue;
      if (found?.version !== version || found.integrity !== integrity) process.exit(1);
    }
    new (require("better-sqlite3"))(":memory:").close();
    require("koffi");
  ' 2>/dev/null
}

install_dependencies() {
  if dependencies_fit; then
    done_already "dependencies: all there"
    return
  fi
  say "installing dependencies: npm ci"
  # What has to be compiled needs Node's headers. Where they came with Node they need not be downloaded from nodejs.org.
  prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
  [ ! -e "$prefix/include/node/node.h" ] || export npm_config_nodedir="$prefix"
  npm ci --no-audit --no-fund --loglevel=error </dev/null || fail "npm ci failed: check the network and its messages above"
  dependencies_fit || fail "the dependencies do not load in Node $(node --version): see npm ci --foreground-scripts"
}

# Anything changed (or removed: its folder changes then) since the stamp was written? $1 = stamp, then what find looks at.
changed_since() {
  stamp=$1
  shift
  [ ! -e "$stamp" ] || [ -n "$(find "$@" -newer "$stamp" -print -quit)" ]
}

build() {
  if ! changed_since dist/.built server tsconfig.json package-lock.json; then
    done_already "build: up to date"
    return
  fi
  say "building: npm run build"
  touch dist/.building
  npm run --silent build </dev/null || fail "the build failed"
  # As old as the start of the build: what was written during it is built next time.
  mv dist/.building dist/.built
}

build_assets() {
  if [ -e boot-assets/out/manifest.json ] && ! changed_since boot-assets/out/.built boot-assets -mindepth 1 \
    \( -path boot-assets/out -o -path boot-assets/cache -o -name setup.sh \) -prune -o; then
    done_already "boot assets: up to date"
    return
  fi
  say "building boot assets"
  mkdir -p boot-assets/out
  touch boot-assets/out/.building
  # The kernel's package is asked for by its exact version: with old lists, or none, once more with new ones.
  sh boot-assets/build.sh || {
    [ "$(id -u)" = 0 ] && apt-get update -qq && sh boot-assets/build.sh
  } || fail "the boot assets could not be built"
  mv boot-assets/out/.building boot-assets/out/.built
}

# One at a time: a second setup waits, and then finds nothing to do.
mkdir -p dist
exec 9>dist/.setup.lock
flock 9

check_node
install_packages
install_dependencies
build
build_assets
done_already "ready"
