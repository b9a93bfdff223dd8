# Sentences for the administrator. Sourced, never run.

# Prints text $1 in the language of DSM, French or English; $2 and $3 are what the text names.
text() {
	case ${SYNOPKG_DSM_LANGUAGE:-enu} in
	fre)
		case $1 in
		node-missing) echo "Site Backup a besoin du paquet « Node.js v22 », qui est absent, arrêté ou incomplet. Installez-le ou réparez-le dans le Centre de paquets, puis démarrez Site Backup." ;;
		volume-full) echo "Le volume qui contient $2 est plein. Libérez de l’espace, puis démarrez Site Backup." ;;
		not-writable) echo "Site Backup (utilisateur $3) ne peut pas écrire dans $2. Un administrateur peut lui rendre ce dossier par SSH : sudo chown -R $3 $2" ;;
		start-failed) echo "Site Backup n’a pas démarré. Détails : $2" ;;
		start-slow) echo "Site Backup démarre encore, par exemple parce qu’une base de données est convertie. Sa page répondra dans quelques minutes." ;;
		repair-code) echo "La base de données de Site Backup ne peut pas être ouverte. Ouvrez http://$2/ et saisissez ce code : $3. La page dit ce qui ne va pas et ce que vous pouvez faire." ;;
		needs-repair) echo "La base de données de Site Backup ne peut pas être ouverte. Ouvrez Site Backup : sa page dit ce qui ne va pas et ce que vous pouvez faire." ;;
		setup-code) echo "Ouvrez http://$2/ et saisissez ce code pour créer le premier compte : $3. Il est valable une heure ; un redémarrage du paquet en donne un autre." ;;
		setup-done) echo "Aucun code n’est attendu : il existe déjà un compte, ou Site Backup est ouvert par DSM." ;;
		by-root) echo "Démarrez Site Backup dans le Centre de paquets, ou tapez : sudo synopkg start $2. Démarré par root, il laisserait des fichiers qu’il ne pourrait plus utiliser." ;;
		not-running) echo "Site Backup est arrêté. Démarrez-le dans le Centre de paquets." ;;
		wrong-user) echo "Les données de Site Backup n’appartiennent qu’à l’utilisateur $2. Tapez : sudo -u $2 site-backup $3" ;;
		esac
		;;
	*)
		case $1 in
		node-missing) echo "Site Backup needs the package \"Node.js v22\", which is missing, stopped or incomplete. Install or repair it in Package Center, then start Site Backup." ;;
		volume-full) echo "The volume that holds $2 is full. Free some space, then start Site Backup." ;;
		not-writable) echo "Site Backup (user $3) cannot write to $2. An administrator can give the folder back by SSH: sudo chown -R $3 $2" ;;
		start-failed) echo "Site Backup did not start. Details: $2" ;;
		start-slow) echo "Site Backup is still starting, for example because a database is being converted. Its page will answer in a few minutes." ;;
		repair-code) echo "The database of Site Backup cannot be opened. Open http://$2/ and enter this code: $3. The page says what is wrong and what you can do." ;;
		needs-repair) echo "The database of Site Backup cannot be opened. Open Site Backup: its page says what is wrong and what you can do." ;;
		setup-code) echo "Open http://$2/ and enter this code to create the first account: $3. It is valid for one hour; starting the package again gives another one." ;;
		setup-done) echo "No code is asked for: there is an account already, or Site Backup is opened from DSM." ;;
		by-root) echo "Start Site Backup in Package Center, or type: sudo synopkg start $2. Started by root, it would leave files that it could not use later." ;;
		not-running) echo "Site Backup is not running. Start it in Package Center." ;;
		wrong-user) echo "The data of Site Backup belongs to the user $2 alone. Type: sudo -u $2 site-backup $3" ;;
		esac
		;;
	esac
}

# Shows text $1 in the dialog of Package Center, and in the package's log (standard error).
tell() {
	text "$@" >&2
	[ -z "${SYNOPKG_TEMP_LOGFILE:-}" ] || text "$@" >>"$SYNOPKG_TEMP_LOGFILE"
}

# Says with $1 (text or tell) what the running service waits for; false where it waits for nothing. Needs place.sh.
tell_code() {
	code=$(value_of setup-code "$READY")
	address=$(hostname):$(value_of port "$READY")
	case $(value_of state "$READY") in
	repair) if [ -n "$code" ]; then "$1" repair-code "$address" "$code"; else "$1" needs-repair; fi ;;
	*) [ -n "$code" ] && "$1" setup-code "$address" "$code" ;;
	esac
}
