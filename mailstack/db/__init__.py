"""The hosts with the database: show them, make a standby the primary, make a former primary a standby.

.. code:: shell

    pyinfra -y INVENTORY mailstack.db.status
    pyinfra INVENTORY mailstack.db.promote db2.example.org
    pyinfra INVENTORY mailstack.db.rejoin db1.example.org
"""

from mailstack.db.commands import promote, rejoin, status

__all__ = ["promote", "rejoin", "status"]
