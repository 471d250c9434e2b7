"""Addresses, domains and routes that are malformed, hostile, or look like others."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.settings import Settings

REFUSED: list[tuple[str, object, str]] = [
    ("mail_relay_domains", "a.example", "must be a list, not text"),
    ("mail_relay_domains", ["example"], "mail_relay_domains[0].domain_name = 'example': not a domain name"),
    ("mail_relay_domains", ["a.example", "A.example"], "the relay domain 'a.example' is there twice"),
    ("mail_relay_domains", {"a.example": "x@a.example"}, "must be a list, not text"),
    ("mail_relay_domains", {"a.example": ["x"]}, "'x': not an address: the @ is missing"),
    (
        "mail_relay_domains",
        {"a.example": ["x@b.example"]},
        "the recipient 'x@b.example' is in another domain",
    ),
    ("mail_relay_domains", {"a.example": ["x@sub.a.example"]}, "is in another domain"),
    ("mail_relay_domains", {"a.example": ["x@a.example", "X@A.example"]}, "'x@a.example' is there twice"),
    ("mail_relay_domains", {"a.example": ["';--@a.example"]}, "what stands before the @"),
    ("mail_relay_domains", [{"domain_name": "a.example", "next_hop": ""}], "not of the form [host]:port"),
    ("mail_relay_domains", [{"domain_name": "a.example", "next_hop": "b.example:0"}], "[host]:port"),
    ("mail_relay_domains", [{"domain_name": "a.example", "any": True}], "there is no such setting"),
    ("mail_relay_domains", ["mail.example.org"], "which is one of mail_relay_domains too"),
    ("mail_sender_relayhosts", {"alice": "[r.example.net]"}, "'alice': not an address: the @ is missing"),
    ("mail_sender_relayhosts", {"@": "[r.example.net]"}, "'@': not a domain name"),
    ("mail_sender_relayhosts", {"a b@example.org": "[r.example.net]"}, "what stands before the @"),
    ("mail_sender_relayhosts", {"a@example.org": ""}, "not of the form [host]:port"),
    ("mail_sender_relayhosts", {"a@b.de": "[r.de]", "A@b.de": "[s.de]"}, "the key 'a@b.de' is there twice"),
    ("mail_sender_relayhosts", {"@b.de": {"host": "[r.de]", "user": "u"}}, "give user and password, or"),
    ("mail_sender_relayhosts", {"@b.de": {"user": "u", "password": "p"}}, "host: is required"),
    ("mail_sender_relayhosts", {"@b.de": {"host": "[r.de]", "user": "u:v", "password": "p"}}, "or `:`"),
    ("mail_sender_relayhosts", {"@b.de": {"host": "[r.de]\nx y"}}, "[host]:port"),
    ("mail_virtual", {"a@b.de": "root", "A@b.de": "root"}, "the key 'a@b.de' is there twice"),
    ("mail_virtual", {"anna@example.org": "${x}@example.org\n"}, "not a domain name"),
    ("mail_local_aliases", {"root": "a@b.de", "Root": "c@b.de"}, "the key 'root' is there twice"),
    ("mail_users", [{"email": "\u212aate@example.org", "initial_password": "x"}], "must be ASCII"),
    ("mail_users", [{"email": "\u0430lice@example.org", "initial_password": "x"}], "must be ASCII"),
    ("mail_users", [{"email": "\uff41lice@example.org", "initial_password": "x"}], "must be ASCII"),
    ("mail_users", [{"email": "alice\u200b@example.org", "initial_password": "x"}], "must be ASCII"),
    ("mail_users", [{"email": "' OR 1=1 --@example.org", "initial_password": "x"}], "before the @"),
    ("mail_users", [{"email": "%u@example.org", "initial_password": "x"}], "before the @"),
    ("mail_users", [{"email": "$(id)@example.org", "initial_password": "x"}], "before the @"),
    ("mail_users", [{"email": "a\\b@example.org", "initial_password": "x"}], "before the @"),
    ("mail_users", [{"email": "../../etc@example.org", "initial_password": "x"}], "before the @"),
    ("mail_users", [{"email": "a@example.org\0", "initial_password": "x"}], "not a domain name"),
    ("mail_users", [{"email": "a@example.org\r\n", "initial_password": "x"}], "not a domain name"),
    ("mail_users", [{"email": "a@[192.0.2.1]", "initial_password": "x"}], "not a domain name"),
    ("mail_users", [{"email": '"a b"@example.org', "initial_password": "x"}], "before the @"),
    ("mail_users", [{"email": f"{'a' * 65}@example.org", "initial_password": "x"}], "before the @"),
    ("mail_domains", ["example\u3002org", "example.org"], "'example.org' is there twice"),
    ("mail_domains", ["\uff45xample.org", "example.org"], "'example.org' is there twice"),
    ("mail_domains", ["b\u00fccher.example", "xn--bcher-kva.example"], "is there twice"),
    ("mail_domains", ["bu\u0308cher.example", "b\u00fccher.example"], "is there twice"),
    ("mail_domains", ["example.org\n.evil.example"], "not a domain name"),
    ("mail_domains", ["*.example.org"], "not a domain name"),
]


@pytest.mark.parametrize("name, value, said", REFUSED)
def test_refused_with_a_reason(name: str, value: Any, said: str) -> None:
    with pytest.raises(OperationValueError) as caught:
        Settings.from_data({"mail_hostname": "mail.example.org", name: value})
    assert said in str(caught.value)
    assert name in str(caught.value)
