"""The queue of a host: move it to another host.

.. code:: shell

    pyinfra INVENTORY mailstack.queue.rescue mx1.example.org mx2.example.org
"""

from mailstack.queue.commands import rescue

__all__ = ["rescue"]
