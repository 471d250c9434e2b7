"""Move messages from the queue of one Postfix into that of another.

``program ready``             on the host that gets them: say whether it can
``program take TO``           on the host that has them: stop Postfix, take all messages out of its queue
``program read TO``           the same host: print those messages that standard input names
``program put``               on the host that gets them: put the messages from standard input into the queue
``program drop``              on the host that had them: delete those that standard input names
``program bring PATH TO``     on the host that gets them: copy all messages of another host's spool directory

TO is the name of the host that gets them.

Input and output are JSON. A run may be killed at any time, and the next one continues it:

- A message is taken out of the one queue, by a rename, before it is put into the other. So no Postfix that
  starts again delivers it too.
- ``put`` writes a message beside the queue, records it in ``target.RECORD``, and then renames it into the
  queue. A recorded message that is not beside the queue any more has been put there, and is not put again.
- A message is deleted on the host that had it after that. Until then that host knows TO, and gives the
  message to no other.
"""
