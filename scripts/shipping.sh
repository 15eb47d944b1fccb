# Sourced by scripts/release and by tests, behind scripts/lib.sh: what a release holds beside the program, and what
# `scripts/release test` installs it on. The latter is for root, on Debian or what is made of it.

# Licences, README and docs, with the files that they link to: no link leads out of a release.
release_pages() { # FOLDER
  local folder=$1 page target path
  mkdir -p "$folder/docs"
  install -m 644 "$root/LICENSE" "$root/README.md" "$root/CHANGELOG.md" "$root/SECURITY.md" "$root/docs/turbo.service" "$root/docs/third-party.md" "$folder/"
  install -m 644 "$root"/docs/* "$folder/docs/"
  (cd "$folder" && find . -name '*.md' | sort) | while IFS= read -r page; do
    links_of "$folder/$page" | while IFS= read -r target; do
      path=$(realpath -m --relative-to="$folder" "$folder/$(dirname "$page")/$target")
      [ -e "$folder/$path" ] || install -D -m 644 "$root/$path" "$folder/$path" || fail "$page links to $target, which is no file to pack"
    done || exit 1
  done || exit 1
}

# The relative links of a page, without anchors.
links_of() { # PAGE
  grep -oE '\]\([^)#: ]+|(src|href)="[^"#: ]+' "$1" | sed -E 's/^(\]\(|[a-z]+=")//' | sort -u || true
}

# A Debian system with systemd, which containers boot and images are made of; kept in artifacts/ for the next time.
make_system() { # FOLDER
  local folder=$1
  [ -d "$folder" ] && return
  need debootstrap debootstrap
  echo 'Making a Debian system (minutes, once) ...' >&2
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  # Of this machine's release: the program is linked with this machine's libraries.
  debootstrap --variant=minbase --include=systemd,systemd-sysv,ca-certificates,openssl,libstdc++6,zlib1g,tzdata \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$folder.new" >"$folder.log" 2>&1 || { tail -n 20 "$folder.log" >&2; fail 'no Debian system'; }
  mv "$folder.new" "$folder"
}

# A store of images and containers that is nobody else's, and in bin/ a `docker` that works in it: Podman.
make_store() { # FOLDER
  local folder=$1 files
  files=$(ulimit -Hn)
  mkdir -p "$folder/bin"
  # Podman's own limits are above those of some machines. crun does not run where cgroups are of both kinds.
  cat >"$folder/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
CONF
  # Docker's format is the one that has health checks; without systemd none runs by itself, but Podman starts all the same.
  cat >"$folder/bin/docker" <<PROGRAM
#!/bin/sh
export CONTAINERS_CONF='$folder/containers.conf' BUILDAH_FORMAT=docker
[ -d /run/systemd/system ] || export DISABLE_HC_SYSTEMD=true
exec podman --root '$folder/storage' --runroot '$folder/run' "\$@"
PROGRAM
  chmod 755 "$folder/bin/docker"
}

# Gets the images that the Dockerfile begins with, from where it says, or else stand-ins by the same names.
get_base_images() { # STORE SYSTEM
  local store=$1 system=$2 image
  for image in $(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$root/Dockerfile"); do
    if "$store/bin/docker" pull -q "$image" >/dev/null 2>&1; then
      echo "Base image $image: pulled" >&2
      continue
    fi
    echo "Base image $image: not to be had here, so a stand-in of this machine's Debian and SDK" >&2
    case $image in
      */sdk:*) sdk_files "$system" | import_image "$store" "$image" ;;
      *) runtime_files "$system" | import_image "$store" "$image" ;;
    esac
  done
}

import_image() { # STORE NAME
  "$1/bin/docker" import -q -c ENV=DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
    -c ENV=NUGET_CERT_REVOCATION_MODE="${NUGET_CERT_REVOCATION_MODE:-online}" - "$2" >/dev/null
}

# The system with the SDK, and trusting whom this machine trusts.
sdk_files() { # SYSTEM
  local layer home
  layer=$(mktemp -d)
  home=$(dirname "$(readlink -f "$dotnet")")
  mkdir -p "$layer/usr/bin" "$layer/etc/ssl"
  ln -s ../share/dotnet/dotnet "$layer/usr/bin/dotnet"
  cp -rL /etc/ssl/certs "$layer/etc/ssl/"
  tar -c --anchored --exclude=./etc/ssl/certs --transform "s,^${home#/},usr/share/dotnet," \
    -C "$1" . -C "$layer" usr/bin/dotnet etc/ssl/certs -C / "${home#/}"
  rm -rf "$layer"
}

# What the runtime's image without a shell has: libraries, certificates, time zones and a user.
runtime_files() { # SYSTEM
  local system=$1 layer
  layer=$(mktemp -d)
  mkdir -p "$layer/usr/lib" "$layer/usr/lib64" "$layer/etc/ssl" "$layer/tmp"
  chmod 1777 "$layer/tmp"
  ln -s usr/lib "$layer/lib"
  ln -s usr/lib64 "$layer/lib64"
  chroot "$system" sh -c 'for package in base-files libc6 libgcc-s1 libstdc++6 zlib1g ca-certificates tzdata "$(dpkg -S "*/libssl.so.3" | cut -d: -f1)"; do
      dpkg -L "$package"
    done | grep -vE "^/(bin|sbin|usr/s?bin|usr/share/(doc|man|lintian))/" | sort -u | while read -r path; do [ -d "$path" ] || echo ".$path"; done' |
    tar -C "$system" -c -T - | tar -C "$layer" -x
  cp -rL "$system/etc/ssl/certs" "$layer/etc/ssl/"
  printf 'root:x:0:0::/root:/sbin/nologin\napp:x:1654:1654::/home/app:/sbin/nologin\n' >"$layer/etc/passwd"
  printf 'root:x:0:\napp:x:1654:\n' >"$layer/etc/group"
  tar -C "$layer" -c .
  rm -rf "$layer"
}

# Ends what a test that broke off left, and takes the store away.
remove_store() { # FOLDER
  local folder=$1 pid
  # Each step is tried.
  set +e
  for pid in "$folder"/*.pid; do
    [ -f "$pid" ] && kill -KILL "$(cat "$pid")" 2>/dev/null
  done
  if [ -d "$folder/storage" ]; then
    "$folder/bin/docker" rm -af -t 0 >/dev/null 2>&1
    "$folder/bin/docker" volume rm -af >/dev/null 2>&1
    # The store's own mount.
    umount "$folder/storage/overlay" 2>/dev/null
  fi
  rm -rf --one-file-system "$folder"
}
