"""The roles of each host, by its inventory groups: `pyinfra inventory.py deploy.py`."""

from pyinfra.context import host

from mailstack import Settings, mail_server

mail_server.deploy(Settings.from_data(host.data))
