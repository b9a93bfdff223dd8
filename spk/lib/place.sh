# Where this package keeps what: variables for the scripts and for the command. Sourced, never run.
# shellcheck disable=SC2034

PACKAGE=${SYNOPKG_PKGNAME:-SiteBackup}
TARGET=${SYNOPKG_PKGDEST:-/var/packages/$PACKAGE/target}
VAR=${SYNOPKG_PKGVAR:-/var/packages/$PACKAGE/var}

# Databases, key, log: for the package's user only.
STATE=$VAR/data
# What the install wizard was answered; nothing secret.
ANSWERS=$VAR/answers.conf
# What the program prints: a crash leaves its trace here. Its own log lies in STATE.
OUTPUT=$VAR/site-backup.out
# `<process> <start time>@<boot>`; see running_pid.
PID_FILE=$VAR/site-backup.pid
# Written by the program as soon as it answers.
READY=$STATE/ready
# The newest version of the package that has used STATE: an older one might not read it.
USED_BY=$VAR/used-by-version

# Prints the value of key $1 in file $2; nothing where it is not there.
value_of() {
	sed -n "s/^$1=//p" "$2" 2>/dev/null | head -n 1
}
