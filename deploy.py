"""The whole mail server: `pyinfra INVENTORY deploy.py`."""

from pyinfra.context import host

from mailstack import Settings, mail_server

mail_server.deploy(Settings.from_data(host.data))
