# Starting, stopping and watching the service. Sourced after the other files of lib, never run.

# A start that takes longer goes on by itself; Package Center is not kept waiting.
START_SECONDS_MAX=60
# A run is brought to a safe point meanwhile; after that the service is killed, which costs what is in hand and nothing else.
STOP_SECONDS_MAX=30
# A killed process goes as soon as the disk has answered it.
KILL_SECONDS_MAX=5
OUTPUT_LINES_MAX=12

# Prints when process $1 was started: clock ticks (proc(5), field 22), and the boot that they count from, because numbers
# and ticks are much alike from one boot to the next. False where it has gone.
started_at() {
	line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The program's name stands in brackets and may hold anything; the state behind it is Z for a process that is dead.
	# shellcheck disable=SC2086
	set -- ${line##*) }
	[ "$1" != Z ] && echo "${20}@$(cat /proc/sys/kernel/random/boot_id)"
}

# Prints the process of the service; false where it does not run. A number that another process has got is not it.
running_pid() {
	[ -r "$PID_FILE" ] || return 1
	read -r pid began <"$PID_FILE" || return 1
	[ -n "$began" ] && [ "$(started_at "$pid")" = "$began" ] && echo "$pid"
}

# Waits a moment; DSM's sleep knows fractions, POSIX does not.
pause() {
	sleep 0.2 2>/dev/null || sleep 1
}

now_s() {
	date +%s
}

# Tells in Package Center's dialog what stands in the way of a start; false where something does.
can_start() {
	# By hand, and not by Package Center, which is never root here: what root makes the service cannot use later.
	if [ -z "${SYNOPKG_PKGNAME:-}" ] && [ "$(id -u)" = 0 ]; then
		tell by-root "$PACKAGE"
		return 1
	fi
	if ! find_node "$TARGET/app"; then
		tell node-missing
		return 1
	fi
	mkdir -m 700 "$STATE" 2>/dev/null
	# Modes and ACLs do not tell; writing does.
	for folder in "$VAR" "$STATE"; do
		if echo probe 2>/dev/null >"$folder/.probe" && [ -s "$folder/.probe" ] && rm "$folder/.probe"; then continue; fi
		rm -f "$folder/.probe" 2>/dev/null
		if is_full "$folder"; then tell volume-full "$folder"; else tell not-writable "$folder" "$(id -un)"; fi
		return 1
	done
}

# True where the volume of folder $1 has no free block, or less than a database needs to begin.
is_full() {
	free_kib=$(df -P -k "$1" 2>/dev/null | awk 'NR == 2 { print $4 }')
	[ "${free_kib:-1024}" -lt 256 ]
}

start_service() {
	running_pid >/dev/null && return 0
	can_start || return 1
	rm -f "$READY" "$PID_FILE"
	access=$(value_of access "$ANSWERS")
	share=$(value_of share "$ANSWERS")
	case ${SYNOPKG_DSM_LANGUAGE:-enu} in fre) locale=fr_FR.UTF-8 ;; *) locale=en_US.UTF-8 ;; esac
	size=0
	[ ! -f "$OUTPUT" ] || size=$(wc -c <"$OUTPUT")
	(
		umask 077
		cd "$STATE" || exit 1
		# Only what it needs: Package Center's environment may hold answers of a wizard.
		exec env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME="$STATE" LANG="$locale" \
			"$NODE" --max-semi-space-size=1 "$TARGET/app/main.js" \
			--state "$STATE" --access "${access:-dsm}" --share="$share" --ready-file "$READY" </dev/null >>"$OUTPUT" 2>&1
	) &
	pid=$!
	if ! echo "$pid $(started_at "$pid")" >"$PID_FILE"; then
		# A service that cannot be found again cannot be stopped.
		kill -KILL "$pid"
		tell volume-full "$VAR"
		return 1
	fi
	await_answer "$((size))"
}

# Waits until the service answers. $1: size of OUTPUT before it was started.
await_answer() {
	end=$(($(now_s) + START_SECONDS_MAX))
	until [ -s "$READY" ]; do
		if ! running_pid >/dev/null; then
			rm -f "$PID_FILE" "$READY"
			tell start-failed "$(tail -c "+$(($1 + 1))" "$OUTPUT" | tail -n "$OUTPUT_LINES_MAX")"
			return 1
		fi
		if [ "$(now_s)" -ge "$end" ]; then
			tell start-slow
			return 0
		fi
		pause
	done
	remember_version
	[ "$(value_of access "$ANSWERS")" != password ] || lead_menu_to_port "$(value_of port "$READY")"
	tell_code tell
	return 0
}

# Notes the version of the package that uses the state; preupgrade compares.
remember_version() {
	# A damaged state, or a newer one, is shown by a page that leaves it as it is.
	[ "$(value_of state "$READY")" = open ] || return 0
	# Of what is installed: within an upgrade SYNOPKG_PKGVER may be that of the package to come.
	version=$(sed -n 's/^version="\(.*\)"$/\1/p' "/var/packages/$PACKAGE/INFO" 2>/dev/null)
	version=${version:-${SYNOPKG_PKGVER:-}}
	[ -z "$version" ] || echo "$version" >"$USED_BY"
}

stop_service() {
	# The start may not have waited for the answer, or the page of the repair may have led to it.
	remember_version
	if pid=$(running_pid); then
		kill -TERM "$pid" 2>/dev/null
		if ! await_end "$STOP_SECONDS_MAX"; then
			kill -KILL "$pid" 2>/dev/null
			await_end "$KILL_SECONDS_MAX"
		fi
	fi
	rm -f "$PID_FILE" "$READY"
}

# Waits until the service has ended, $1 seconds at most; false where it still runs.
await_end() {
	end=$(($(now_s) + $1))
	while running_pid >/dev/null; do
		[ "$(now_s)" -lt "$end" ] || return 1
		pause
	done
}

# 0: running, 1: died and left its pid file, 3: not running (Synology's numbers, those of LSB).
service_status() {
	running_pid >/dev/null && return 0
	[ -e "$PID_FILE" ] && return 1
	return 3
}
