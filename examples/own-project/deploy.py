"""A deploy of your own, in which the database and Postfix are parts."""

from pyinfra.context import host
from pyinfra.operations import apt

from mailstack import Settings, accounts, postfix, postgresql

apt.packages(name="Tools of ours", packages=["htop"])

settings = Settings.from_data(host.data)
postgresql.deploy(settings)
accounts.declared(settings)
postfix.deploy(settings)
