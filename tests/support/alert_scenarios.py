"""A server without any fault, and one with each fault of which an alert tells, as series for promtool(1)."""

from __future__ import annotations

import json
from typing import Any

#: The values of each series, as promtool writes them: five minutes between two, for 26 hours.
GOOD = {
    'up{job="mailstack",instance="mail"}': "1x320",
    'mailstack_collection_timestamp_seconds{instance="mail"}': "0+300x320",
    'mailstack_collection_failed{instance="mail",part="queue"}': "0x320",
    'node_textfile_scrape_error{job="mailstack",instance="mail"}': "0x320",
    'mailstack_journal_behind_seconds{instance="mail"}': "0x320",
    'mailstack_service_up{instance="mail",service="postfix"}': "1x320",
    'mailstack_service_restarts_total{instance="mail",service="postfix"}': "2x320",
    'mailstack_queue_oldest_seconds{instance="mail",queue="active"}': "60x320",
    'mailstack_queue_oldest_seconds{instance="mail",queue="deferred"}': "7200x320",
    'mailstack_queue_messages{instance="mail",queue="hold",age="under_5m"}': "0x320",
    'mailstack_queue_messages{instance="mail",queue="deferred",age="under_1h"}': "400x320",
    'mailstack_refusals_total{instance="mail",reason="fault",answer="later"}': "0+1x320",
    'mailstack_logins_total{instance="mail",service="imap",result="failed"}': "0+100x320",
    'mailstack_logins_total{instance="mail",service="imap",result="ok"}': "0+5000x320",
    'mailstack_bans_missing{instance="mail"}': "0x320",
    'mailstack_received_messages_total{instance="mail",from="users"}': "0+100x320",
    'mailstack_received_messages_total{instance="mail",from="strangers"}': "0+900x320",
    'mailstack_certificate_not_after_timestamp_seconds{instance="mail",file="cert.pem"}': "5000000x320",
    'mailstack_disk_size_bytes{instance="mail",of="mail"}': "1000x320",
    'mailstack_disk_free_bytes{instance="mail",of="mail"}': "200x320",
    'mailstack_disk_free_inodes_ratio{instance="mail",of="mail"}': "0.5x320",
    'mailstack_quota_users{instance="mail",percent="90"}': "0x320",
    'mailstack_quota_users{instance="mail",percent="80"}': "5x320",
    'mailstack_check_timestamp_seconds{instance="mail",check="dns"}': "0x320",
    'mailstack_backup_interval_seconds{instance="mail"}': "21600x320",
    'mailstack_backup_good_timestamp_seconds{instance="mail"}': "0+300x320",
    'mailstack_backup_checked_timestamp_seconds{instance="mail"}': "1x320",
    'mailstack_backup_failed{instance="mail"}': "0x320",
    'mailstack_backup_damaged{instance="mail"}': "0x320",
}

#: By alert, a part of a series' name, and its values then.
BAD = {
    "MailServerSilent": ("up{job", "0x320"),
    "MailNumbersOld": ("mailstack_collection_timestamp", "1x320"),
    "MailNumbersAbsent": ("mailstack_collection_timestamp", "_x320"),
    "MailNumbersMissing": ("mailstack_collection_failed", "1x320"),
    "MailJournalBehind": ("mailstack_journal_behind", "1200x320"),
    "MailServiceDown": ("mailstack_service_up", "0x320"),
    "MailServiceRestarts": ("mailstack_service_restarts", "0+1x320"),
    "MailNotDelivered": ('queue="active"', "1000x320"),
    "MailWaits": ('oldest_seconds{instance="mail",queue="deferred"', "15000x320"),
    "MailHeld": ('queue="hold"', "1x320"),
    "MailQueueLong": ('messages{instance="mail",queue="deferred"', "600x320"),
    "MailFaults": ("mailstack_refusals", "0+5x320"),
    "MailLoginsFail": ('result="failed"', "0+400x320"),
    "MailBansMissing": ("mailstack_bans_missing", "3x320"),
    "MailUserSendsMuch": ('from="users"', "0+200x320"),
    "MailCertificateEnds": ("mailstack_certificate", "1000000x320"),
    "MailDiskFull": ("mailstack_disk_free_bytes", "90x320"),
    "MailboxesFull": ('percent="90"', "1x320"),
    "MailBackupOld": ("backup_good", "1x320"),
    "MailBackupFailed": ("backup_failed", "1x320"),
    "MailBackupDamaged": ("backup_damaged", "1x320"),
}

#: By alert, the series that it needs, whose values are too old after a month.
LATE = {
    "MailBackupUnchecked": {
        'mailstack_backup_good_timestamp_seconds{instance="mail"}': "0+21600x200",
        'mailstack_backup_checked_timestamp_seconds{instance="mail"}': "1x200",
    },
    "MailDnsCheckOld": {'mailstack_check_timestamp_seconds{instance="mail",check="dns"}': "1x200"},
}


def promtool_tests(rules: str) -> dict[str, str]:
    """Return the files for `promtool test rules`, by name: no fault has no alert, each fault its own alone.

    Each file is evaluated as often as its series have values.
    """
    soon = [_test(GOOD, None)]
    for alert, (part, values) in BAD.items():
        (name,) = [each for each in GOOD if part in each]
        soon.append(_test({**GOOD, name: values}, alert))
    late = [_test(series, alert, "6h", "32d") for alert, series in LATE.items()]
    # JSON is YAML
    return {
        f"{name}.yml": json.dumps({"rule_files": [rules], "evaluation_interval": interval, "tests": tests})
        for name, interval, tests in (("soon", "5m", soon), ("late", "6h", late))
    }


def _test(series: dict[str, str], alert: str | None, interval: str = "5m", at: str = "26h") -> dict[str, Any]:
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    return {
        "name": alert or "no fault",
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": at,
                "exp_samples": expected,
            }
        ],
    }
