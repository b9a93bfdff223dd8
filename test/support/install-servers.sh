#!/bin/bash
# Puts the FTP servers of the integration tests under .cache/servers/, unpacked from their Debian packages: the three
# refuse to be installed side by side, and nothing has to be installed or started on this machine.
# Needs apt-get and dpkg-deb, and package lists that are fresh (apt-get update); root only to run the tests themselves.
set -euo pipefail
cd "$(dirname "$0")/../.."

servers=.cache/servers
made_by=$(cksum < test/support/install-servers.sh)
if [ "$(cat "$servers/made-by" 2>/dev/null)" = "$made_by" ]; then
  echo "FTP servers: already in $servers"
  exit 0
fi

declare -A packages=(
  [vsftpd]='vsftpd'
  [proftpd]='proftpd-core proftpd-mod-crypto'
  [pure-ftpd]='pure-ftpd pure-ftpd-common'
)

# The libraries that the named packages depend on directly.
libraries_of() {
  apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
    sed -n 's/^ *[|]*\(Pre\)\{0,1\}Depends: \(lib[a-z0-9.+-]*\)$/\2/p' | sort -u
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status} ' "$1" 2>/dev/null | cut -d ' ' -f 1)" = installed ]
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$servers"
mkdir -p "$servers/lib" "$work/debs" "$work/lib"

unpack() { # target folder, package names
  local target=$1 deb
  shift
  rm -f "$work"/debs/*.deb
  (cd "$work/debs" && apt-get download -qq -o APT::Sandbox::User=root "$@")
  for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$target"; done
}

for software in "${!packages[@]}"; do
  mkdir -p "$servers/$software"
  # shellcheck disable=SC2086 # a list of names
  unpack "$servers/$software" ${packages[$software]}
done

# Two levels are enough for these packages; of what they bring, only what the programs load is kept.
libraries=()
# shellcheck disable=SC2046,SC2086 # lists of names
for name in $(direct=$(libraries_of ${packages[*]}); printf '%s\n' $direct $(libraries_of $direct) | sort -u); do
  is_installed "$name" || libraries+=("$name")
done
if [ ${#libraries[@]} -gt 0 ]; then
  unpack "$work/unpacked" "${libraries[@]}"
  find "$work/unpacked" -name '*.so*' \( -type f -o -type l \) -exec cp -a -t "$work/lib" {} +
  programs=("$servers"/*/usr/sbin/{vsftpd,proftpd,pure-ftpd,pure-pw} "$servers"/*/usr/bin/pure-pw "$servers"/*/usr/lib/proftpd/mod_tls*.so)
  for program in "${programs[@]}"; do
    [ ! -f "$program" ] || LD_LIBRARY_PATH=$work/lib ldd "$program"
  done | awk -v folder="$work/lib/" 'index($3, folder) == 1 { print $3 }' | sort -u |
    xargs -r cp -L -t "$servers/lib"
fi

echo "$made_by" > "$servers/made-by"
echo "FTP servers: unpacked into $servers"
