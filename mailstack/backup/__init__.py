"""Backups of a host: make one now, list them, check the repository, print what a restore needs.

.. code:: shell

    pyinfra INVENTORY mailstack.backup.now
    pyinfra -y INVENTORY mailstack.backup.list
    pyinfra INVENTORY mailstack.backup.check
    pyinfra -y INVENTORY mailstack.backup.password
    pyinfra -y INVENTORY mailstack.backup.key
    pyinfra INVENTORY mailstack.restore

The component, ``mailstack.backup.deploy``, is in ``mailstack/components/backup.py``.
"""

from mailstack.backup.commands import check, key, list, now, password
from mailstack.components.backup import deploy

__all__ = ["check", "deploy", "key", "list", "now", "password"]
