#!/bin/sh
# The NAS of the tests: first process of a machine of its own, made by fake-nas.ts with unshare. It sees this machine's
# programs, and writes to memory only. $1: an empty folder; $2: a folder to hide; $3: Node.js 22 for Synology's place.
set -eu

mount -t tmpfs -o mode=755 none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
root=$1/root

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount -t tmpfs -o mode=755 none "$root/run"
# Whoever takes `node` from the path takes the wrong one.
mount -t tmpfs -o mode=755 none "$root/usr/local/bin"
printf '#!/bin/sh\necho "this node is not for packages" >&2\nexit 99\n' >"$root/usr/local/bin/node"
chmod 755 "$root/usr/local/bin/node"
[ ! -e "$root/usr/bin/node" ] || mount --bind "$root/usr/local/bin/node" "$root/usr/bin/node"

node=$root/var/packages/Node.js_v22/target/usr/local/bin/node
mkdir -p "$(dirname "$node")" "$root/volume1" "$root/usr/syno/bin"
touch "$node"
mount --bind "$3" "$node"
# Nothing of the checkout is on a NAS: a package that reaches back into it fails.
mkdir -p "$root$2"
mount -t tmpfs none "$root$2"

ip link set lo up
hostname DiskStation
echo ready
# Lives until the test process closes the pipe, in whatever way it ends; the kernel then ends every process in here. Bash,
# because it also buries processes whose parent has gone, as init does.
exec chroot "$root" /bin/bash -c 'read -r _ || :'
