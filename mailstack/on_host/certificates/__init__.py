"""Get certificates from a CA by certbot(1), and renew them, for the host and each domain in the database.

certificates        see what is due; a timer does this every few minutes
certificates now    the same, without the pause after a failure
certificates host   the same, only for the host itself; what a deploy waits for
certificates roll   use the next key of the host's certificate, and make another next one
certificates check  succeed if all are there and valid, or say what is wrong

A key stays until ``roll``, so that its TLSA record stays right (RFC 7671, 8.1). certbot is given a request
for the key that is there, and keeps no keys of its own. What goes wrong is in the state file, and the old
certificate stays.
"""
