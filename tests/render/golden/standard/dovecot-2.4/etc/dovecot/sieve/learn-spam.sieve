require ["copy", "imapsieve", "vnd.dovecot.pipe"];
pipe :copy "learn" "spam";
# Written by mailstack for Dovecot 2.4; changes made here are undone by the next run.
