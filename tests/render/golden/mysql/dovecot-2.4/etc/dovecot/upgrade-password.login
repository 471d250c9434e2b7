# Written by mailstack; changes made here are undone by the next run.
[client]
password = @mailstack-secret:db-upgrade-password:mycnf@
