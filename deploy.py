"""The whole mail server: `pyinfra INVENTORY deploy.py`."""

import gc

from pyinfra.context import host

from mailstack import Settings, mail_server

gc.freeze()  # imported modules stay until the end: Python saves the search for garbage among them

mail_server.deploy(Settings.from_data(host.data))
