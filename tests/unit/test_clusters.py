"""The cluster of PostgreSQL for the mail database, and conflicts with others."""

from __future__ import annotations

import pytest

from mailstack.facts.clusters import parse, problem, version_for_mail

WHOLE = "binaries data starts"
SWITCHED_OFF = "cluster 15/main 5432 binaries data ours block"


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("", None),
        (f"cluster 15/main 5432 {WHOLE}", "15"),
        (f"cluster 16/main 5432 {WHOLE}", "16"),
        # its packages are removed, or it has no data, or is too old
        ("cluster 16/main 5432 data starts", None),
        ("cluster 15/main 5432 binaries starts", None),
        (f"cluster 13/main 5432 {WHOLE}", None),
        ("cluster 13/main 5432 data", None),
        (f"cluster 15/other 5432 {WHOLE}", None),
        (f"cluster 15/main 5433 {WHOLE}", None),
        # a configured cluster on any port, and after pg_upgradecluster(1) the new one
        (f"cluster 15/main 5433 {WHOLE} ours\ncluster 17/main 5432 {WHOLE}", "15"),
        (f"cluster 15/main 5433 binaries data ours\ncluster 17/main 5432 {WHOLE} ours", "17"),
        # as pg_upgradecluster leaves them: the new one has the port and the block, but not mailstack's file
        (f"{SWITCHED_OFF}\ncluster 17/main 5432 {WHOLE} block", "17"),
        (f"{SWITCHED_OFF}\ncluster 17/main 5433 {WHOLE} block", "15"),
        (f"cluster 15/main 5432 {WHOLE} ours block\ncluster 17/main 5432 {WHOLE} block", "15"),
        # not an empty cluster, which would cause permanent errors for existing recipients
        (f"{SWITCHED_OFF}\ncluster 17/main 5432 {WHOLE}", "15"),
        (f"cluster 9.6/main 5433 {WHOLE}\nid=debian\ncluster 15/main 5432 {WHOLE}", "15"),
    ],
)
def test_the_cluster_of_the_mail_database(output: str, version: str | None) -> None:
    assert version_for_mail(parse(output)) == version


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", None),
        (f"cluster 15/main 5433 {WHOLE}", None),
        (f"cluster 15/other 5433 {WHOLE}", None),
        (f"cluster 15/other 5432 {WHOLE}", "mail_db_port = 5432: the PostgreSQL cluster 15/other"),
        (f"cluster 13/main 5432 {WHOLE}", "mail_db_port = 5432: the PostgreSQL cluster 13/main"),
        (f"{SWITCHED_OFF}\ncluster 17/main 5432 {WHOLE}", "5432: the PostgreSQL cluster 17/main of"),
        (f"{SWITCHED_OFF}\ncluster 17/main 5432 {WHOLE}", "touch /etc/postgresql/17/main/conf.d/mailstack"),
        ("cluster 13/main 5432 data starts", None),
        ("cluster 13/main 5432 binaries data", None),
        ("cluster 15/main 5432 starts", "the PostgreSQL cluster 15/main has a configuration and no data"),
    ],
)
def test_conflicts_with_other_clusters(output: str, said: str | None) -> None:
    found = problem(parse(output), "15", 5432)
    assert found is None if said is None else said in (found or "")
