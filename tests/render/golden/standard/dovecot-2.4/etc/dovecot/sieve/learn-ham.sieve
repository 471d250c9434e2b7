# a message that is moved on to the trash, by the names that mail programs give it, or to a folder below Junk, is no good one
require ["copy", "environment", "imapsieve", "vnd.dovecot.pipe"];
if not environment :matches "imap.mailbox" ["Trash", "Deleted Items", "Deleted Messages", "Trash/*", "Junk/*"] {
  pipe :copy "learn" "ham";
}
# Written by mailstack for Dovecot 2.4; changes made here are undone by the next run.
