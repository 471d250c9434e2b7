"""Carry one user's mail over to another mail driver, while mail arrives and is read.

convert PLAN        carries it over, and prints {"messages": number, "locked": seconds}
convert PLAN undo   opens the mailbox again, whatever ended the first

The plan is a file of JSON:

+ email, home: the user, and the directory of all that is the user's
+ before, after: the mail drivers
+ generation: of Dovecot, ``2.3`` or ``2.4``
+ switch: a shell script that writes the new driver into the database
+ delete_old: whether the old mail is deleted

Between any two steps, the disk has what Dovecot serves by the database. So a host that loses power needs
nothing: the user has the old mail or the new, and all of it. From Maildir to sdbox the steps are:

1. Most of the mail is copied to ``sdbox.new`` while the mailbox is open.
2. It is locked by an empty file system, mounted over ``Maildir``. New mail stays in Postfix's queue. A mount
   is gone after a reboot; this program does not see it, as it has mounts of its own.
3. What has changed meanwhile is copied, and compared, also with the number of files of messages.
4. ``sdbox.new`` becomes ``sdbox``, beside the mark ``.sdbox.new``: nobody reads it yet. ``Maildir.old`` is
   a file with a note.
5. The database gets the new driver.
6. ``Maildir`` and ``Maildir.old`` change places in the same moment. So no process that still knows the old
   place can make a mailbox there again.
"""
