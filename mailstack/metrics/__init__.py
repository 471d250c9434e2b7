"""Numbers of a mail server for Prometheus, and the files for Prometheus and Grafana.

.. code:: shell

    pyinfra -y @local mailstack.metrics.files DIRECTORY    # alerts, a dashboard, a line for prometheus.yml

The component, ``mailstack.metrics.deploy``, is in ``mailstack/components/metrics.py``.
"""

from __future__ import annotations

from mailstack.components.metrics import deploy
from mailstack.metrics.commands import files

__all__ = ["deploy", "files"]
