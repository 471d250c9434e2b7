"""A host proves that it works: ``mailstack.verify``; and as others see it: ``mailstack.verify.from_outside``.

.. code:: shell

    pyinfra -y INVENTORY mailstack.verify
    pyinfra -y @local mailstack.verify.from_outside mail.example.org

In ``mailstack``, this name is the command itself.
"""

from __future__ import annotations

from mailstack.verify.commands import at_the_end, verify
from mailstack.verify.outside import from_outside

__all__ = ["at_the_end", "from_outside", "verify"]
