require ["copy", "imapsieve", "vnd.dovecot.pipe"];
pipe :copy "learn" "spam";
# Written by mailstack for Dovecot 2.3; changes made here are undone by the next run.
