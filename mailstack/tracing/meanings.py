"""What the answers of servers mean, in a sentence. Pure."""

from __future__ import annotations

import re

_BY_TEXT = {
    "[Gg]reylist|Try again later": "The filter asks doubtful mail to come back (greylisting).",
    "Relay access denied": "The domain is none of this server, and the client did not log in.",
    "needs a login": "A client without a login used a sender address of this server.",
    "not owned by user": "The user may not send from this address: grant it (senders), or make it an alias.",
    "User unknown": "No active mailbox and no alias has this address.",
    "Spam message rejected": "The filter gave it too many points; the line above says for what.",
    "is over quota|mailbox is full|Mailbox is full|[Qq]uota exceeded": "The mailbox is full.",
    "Service unavailable.*blocked using|listed (?:in|at|on)": "The client is on a list of senders of spam.",
    "Connection refused": "Nothing listens there: the server is down, or the address is wrong.",
    "timed out": "The other server did not answer in time: it is down, or a firewall drops the packets.",
    "Host or domain name not found": "The domain has no mail server in the DNS, or the DNS did not answer.",
    "lookup (?:error|failed)|Temporary lookup failure|table lookup": "The database or a daemon was away.",
    "Server certificate not (?:verified|trusted)|TLS is required": "TLS was required, and failed.",
    "mail for .* loops back": "The DNS names this server for a domain that it does not have.",
    "too many hops": "The message goes in a circle between servers.",
}
_BY_CODE = {
    "1.1": "There is no such address.",
    "1.2": "There is no such domain.",
    "1.8": "The sender's domain does not exist.",
    "2.1": "The mailbox is disabled.",
    "2.2": "The mailbox is full.",
    "3.4": "The message is larger than the server accepts.",
    "4.1": "The other server did not answer.",
    "4.4": "No route to the domain: it has no mail server.",
    "4.7": "It has waited too long in the queue.",
    "7.0": "Refused for reasons of policy.",
    "7.1": "Refused for reasons of policy: reputation, spam, or rights of the sender.",
    "7.20": "It has no valid signature (DKIM).",
    "7.23": "The sender's domain does not allow this server to send for it (SPF).",
    "7.25": "The name of this server's address in the DNS (PTR) is missing or wrong.",
    "7.26": "Several checks of the sender failed (SPF, DKIM, DMARC).",
}


def meaning(reply: str, code: str = "") -> str:
    """Return what an answer means, empty if there is nothing to add.

    + code: the enhanced status code (RFC 3463), by default the one in the answer
    """
    for pattern, sentence in _BY_TEXT.items():
        if re.search(pattern, reply):
            return sentence
    if not code:
        found = re.search(r"\b[245]\.\d{1,3}\.\d{1,3}\b", reply)
        code = found[0] if found else ""
    return _BY_CODE.get(code.partition(".")[2], "")
