"""Postfix and its database; Dovecot stays as it is."""

from pyinfra.context import host

from mailstack import Settings, accounts, postfix, postgresql

settings = Settings.from_data(host.data)
postgresql.deploy(settings)
accounts.declared(settings)
postfix.deploy(settings)
