"""Prove that a mail server works: read what to do as JSON, and print what was found as JSON.

``mailstack.verify`` runs it on a host, with accounts that exist only meanwhile. It installs nothing.
"""
