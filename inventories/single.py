"""One host of your own, over SSH. Its settings: group_data/single.py."""

hosts = [
    ("mail.example.org", {"ssh_user": "root"}),  # another user who may sudo: add "_sudo": True
]
