# Finds a Node.js that this package can run on. Sourced, never run.

# Sets NODE to the program of the first of DSM's own Node.js packages whose interface for native code is in this package:
# 22 first, because the package depends on it, then newer ones. Never `node` of the PATH, which is whatever package was
# started last. $1: folder of this package's program (…/app). False where there is none.
find_node() {
	for NODE in /var/packages/Node.js_v22/target/usr/local/bin/node /var/packages/Node.js_v*/target/usr/local/bin/node; do
		[ -x "$NODE" ] || continue
		# An unreadable answer (a broken Node.js) is no file's name either.
		abi=$("$NODE" -p 'process.arch + "-abi" + process.versions.modules' 2>/dev/null) || continue
		[ -f "$1/native/better_sqlite3-$abi.node" ] && return 0
	done
	NODE=
	return 1
}
