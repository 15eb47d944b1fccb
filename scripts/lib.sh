# Sourced by the scripts beside it.

root=$(cd -P "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Ends the script with its opening comment where that is asked for.
help_if_asked() { # [ARGUMENT...]
  case ${1:-} in
    -h | --help)
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit
      ;;
  esac
}

# Sets $dotnet to an SDK's host.
find_dotnet() {
  local candidate
  for candidate in "${DOTNET_ROOT:-/nowhere}/dotnet" "$(command -v dotnet || true)" "$HOME/.dotnet/dotnet"; do
    [ -x "$candidate" ] || continue
    dotnet=$candidate
    return
  done
  fail 'the .NET 10 SDK is needed: https://dotnet.microsoft.com/download'
}

# Runs the SDK without its greeting, and without build servers: they would outlive the script and hold its output open.
sdk() {
  DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 \
    MSBUILDDISABLENODEREUSE=1 "$dotnet" "$@" </dev/null
}

# Every file that goes into a build of the folders.
sources_of() {
  (cd "$root" && find "$@" global.json Directory.Build.props Directory.Packages.props \
    \( -name bin -o -name obj -o -name node_modules \) -prune -o -type f ! -name '*.db*' -print | sort)
}

# Whether the output stands and its sources are the same files as then, none newer.
is_built() { # OUTPUT STAMP FOLDER...
  local output=$1 stamp=$2
  shift 2
  [ -f "$output" ] && [ -f "$stamp" ] || return 1
  local sources
  sources=$(sources_of "$@")
  [ "$sources" = "$(cat "$stamp")" ] || return 1
  [ -z "$(cd "$root" && find $(printf '%s\n' "$sources" | tr '\n' ' ') -newer "$stamp" -print -quit)" ]
}

# Builds a project in Release unless nothing changed since it was last built here.
build() { # PROJECT OUTPUT FOLDER...
  local project=$1 output=$2
  shift 2
  produce "$project" "$root/$output" "$root/$project/obj" "$@" -- sdk build "$root/$project" -c Release -v q --disable-build-servers
}

# Runs the command that makes an output of what is in the folders, unless that stands. What it prints is shown only when
# it fails. Two scripts that start at once do so one after the other.
produce() { # WHAT OUTPUT STAMPS FOLDER... -- COMMAND...
  local what=$1 output=$2 stamps=$3 folders=()
  shift 3
  while [ "$1" != -- ]; do folders+=("$1") && shift; done
  shift
  local stamp=$stamps/built-by-script
  is_built "$output" "$stamp" "${folders[@]}" && return
  mkdir -p "$stamps"
  (
    if command -v flock >/dev/null; then flock 9; fi
    is_built "$output" "$stamp" "${folders[@]}" && exit
    printf 'Building %s ...\n' "$what" >&2
    log=$(mktemp)
    trap 'rm -f "$log" "$stamp.new"' EXIT
    # The stamp's time is the build's start, so that what is edited meanwhile is built next time.
    sources_of "${folders[@]}" >"$stamp.new"
    if ! "$@" >"$log" 2>&1; then
      grep -E '(error|warning) [A-Z]+[0-9]+' "$log" | sort -u >&2 || cat "$log" >&2
      exit 1
    fi
    mv "$stamp.new" "$stamp"
  ) 9>"$stamps/build.lock" || fail "$what does not build"
}

# Installs Debian packages, unless the command is there already.
need() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null && return
  shift
  need_packages "$@"
}

need_packages() { # PACKAGE...
  command -v apt-get >/dev/null || fail "needed: $*"
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "Installing $* ..." >&2
  $sudo apt-get update -qq </dev/null >&2
  # At this runlevel no installed service starts by itself.
  $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

# The one-file native build: publishes it unless it stands, and prints its path.
native_turbo() {
  native Turbo.Server turbo artifacts/aot Turbo.Net Turbo.Server
}

# The same of examples/echo.
native_echo() {
  native examples/echo echo artifacts/aot-echo Turbo.Net examples/echo
}

native() { # PROJECT NAME OUTPUT FOLDER...
  local project=$1 name=$2 output=$root/$3
  shift 3
  # Either links; where there is no compiler, the smaller.
  command -v clang >/dev/null || need gcc gcc libc6-dev
  produce "the native $name (minutes)" "$output/$name" "$output/obj" "$@" -- \
    sdk publish "$root/$project" -c Release --use-current-runtime -p:PublishAot=true \
    --artifacts-path "$output" -o "$output" -v q --disable-build-servers
  printf '%s\n' "$output/$name"
}

# Builds Turbo.Bench, with what it measures, and sets $bench.
build_bench() {
  bench=$root/Turbo.Bench/bin/Release/net10.0/Turbo.Bench.dll
  build Turbo.Bench Turbo.Bench/bin/Release/net10.0/Turbo.Bench.dll Turbo.Bench Turbo.Net Turbo.Server examples/echo \
    Turbo.Tests/Allocation Turbo.Tests/Fuzz Turbo.Tests/Soak Turbo.Tests/Support
}
