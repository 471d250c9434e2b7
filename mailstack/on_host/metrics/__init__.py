"""The numbers of a mail server, for Prometheus: a file that the node exporter shows with its own.

usage: metrics
    Read what is new in the journal, look at the queue, services, certificates and disks, and write the file.

A run is short, as the journal is read from where the last one has stopped. No number has a user's address.
"""
