# What rspamd calls spam; before users' own scripts, so that no vacation answers it
require ["fileinto", "mailbox"];
if header :is "X-Spam" "Yes" {
  fileinto :create "Junk";
  stop;
}
# Written by mailstack for Dovecot 2.3; changes made here are undone by the next run.
