"""The DNS records of a mail server: printed, checked, and published on a name server that takes updates.

.. code:: shell

    pyinfra -y INVENTORY mailstack.dns.zone > records.zone             # of all domains
    pyinfra -y INVENTORY mailstack.dns.zone example.org format=table   # for a form on a web page
    pyinfra -y INVENTORY mailstack.dns.check                           # fails if a record is missing
    pyinfra INVENTORY mailstack.dns.publish example.org                # with mail_dns_server and its key

All three use the records that components declare, DKIM keys and the certificate on the host, and the domains
in the database.
"""

from __future__ import annotations

from mailstack.dns.commands import check, publish, warn, zone

__all__ = ["check", "publish", "warn", "zone"]
