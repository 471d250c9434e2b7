"""Settings of the demo; `make demo` adds its domain and users from the command line."""

from os import environ as _environ

mail_hostname = "mail.example.org"
# A demo has no names in the DNS by which a filter could judge who sends
mail_rspamd = False
mail_srs = False
mail_resolver = False
# You may try wrong passwords, as often as you like
mail_fail2ban = False
# Fifty more packages: `make demo WEBMAIL=1`
mail_webmail = bool(_environ.get("WEBMAIL"))
# In the container itself, to be tried; a real one belongs on another disk or host
mail_backup_repository = "/srv/backup"
