"""Import the mail of one user: from a server with IMAP, a Maildir, or files in mbox format.

import_mail.py PLAN        imports it, and says so on standard output; what takes long, it counts
import_mail.py PLAN undo   removes what an import leaves for itself, whatever ended it

The plan is a file of JSON:

+ email, home: the user, and the directory of all that is the user's
+ generation: of Dovecot, ``2.3`` or ``2.4``
+ which: what each line begins with, such as ``2 of 5``
+ exclude: names of folders that are left out
+ source: ``kind`` is ``imap``, with ``host``, ``port``, ``tls`` (``imaps`` or ``starttls``), ``verify``,
  ``login`` and ``password``; or it is ``maildir`` or ``mbox``, with ``path``

doveadm(1) does it: it brings messages that are not there yet, and takes nothing away. So the next import
continues one that was interrupted, and brings what has come since then.
"""
