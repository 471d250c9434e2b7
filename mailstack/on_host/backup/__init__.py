"""Keep the state of a mail host in a repository of restic(1), and bring it back.

usage: backup run | check | list | reach | restore

run      keep everything, forget old backups, and check the repository now and then; a timer does this
check    check the repository now, and read a part of its data
list     print the backups as JSON
reach    succeed if the repository can be opened, or say why not
restore  bring back the backup that the file of wishes names

A backup is two snapshots. The first one is of the mail, made while mail flows: files are renamed and
removed meanwhile, and some are missed. So the second one has a list of all messages as they are a moment
later, a copy of those that the first one lacks, and the indexes of that moment. With it are the database,
the queue and the keys. It names the first one in a tag.
"""
