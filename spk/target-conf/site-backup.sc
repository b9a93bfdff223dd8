[sitebackup]
title="Site Backup"
desc="Admin page of Site Backup"
port_forward="no"
dst.ports="8377/tcp"
