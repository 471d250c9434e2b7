"""The addresses that are shut out of the mail server: list them, add one, remove one.

.. code:: shell

    pyinfra -y INVENTORY mailstack.ban.list
    pyinfra INVENTORY mailstack.ban.add 192.0.2.7
    pyinfra INVENTORY mailstack.ban.remove 192.0.2.7
"""

from mailstack.ban.commands import add, list, remove

__all__ = ["add", "list", "remove"]
