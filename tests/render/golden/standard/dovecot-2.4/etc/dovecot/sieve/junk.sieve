# What rspamd calls spam; before users' active scripts, so that no vacation answers it. The script "allow-list" of a
# user has run, and may have deleted the field
require ["fileinto", "mailbox"];
if header :is "X-Spam" "Yes" {
  fileinto :create "Junk";
  stop;
}
# Written by mailstack for Dovecot 2.4; changes made here are undone by the next run.
