"""Settings of the host: it takes mail from its own programs alone, and gives all of it to a relay."""

from os import environ as _environ

mail_hostname = "app.example.org"
mail_inet_interfaces = ["loopback-only"]
mail_relayhost = "[smtp.example.net]:587"
mail_relayhost_user = "app"
mail_relayhost_password = _environ["RELAY_PASSWORD"]
mail_smtp_tls_policy = {"[smtp.example.net]:587": "secure"}
mail_rspamd = False
mail_srs = False
mail_resolver = False
mail_local_aliases = {"root": "admin@example.org"}
