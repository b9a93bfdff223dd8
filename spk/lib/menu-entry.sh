# The entry of this package in DSM's menu. Sourced after place.sh, never run.

# Leads it to port $1 of this NAS: with a password of its own the pages are there, and not below DSM's own address. An entry
# that cannot be written stays whole and as it is, which is no reason to fail.
lead_menu_to_port() {
	config=$TARGET/ui/config
	entry=$(sed 's|^\( *\).*"url": .*|\1"protocol": "http", "port": "'"$1"'", "url": "/",|' "$config")
	[ "$entry" = "$(cat "$config")" ] ||
		{ printf '%s\n' "$entry" >"$config.part" && chmod 644 "$config.part" && mv "$config.part" "$config"; } 2>/dev/null
	return 0
}
