-- Where the mail of an address goes. In functions, as PostgreSQL keeps the plans of a function as long as a
-- connection lasts: to plan these queries takes longer than to answer them. And always by an index, as the plan
-- may be older than what fills the tables.

-- All that an address leads to, itself first and without an address: by its aliases and the other name of its
-- domain, which are its own; and with left_over else by the wildcard for its local part, else by the domain's
-- catch-all. A mailbox or an alias, active or not, has its address to itself. tagged: behind some +detail. What an
-- alias points to may have come to us only after it was written, so it may be in upper case yet: local and domain
-- are in lower case, as the keys of our tables, and address is as it stands there.
--
-- Each condition is a scalar subquery, of one row by its key: for joins or EXISTS PostgreSQL would read whole
-- indexes, as it can't know that chains of aliases are short.
CREATE FUNCTION mailstack_hops(asked_local text, asked_domain text, left_over boolean)
RETURNS TABLE (local text, domain text, address text, tagged boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $hops$
BEGIN
    RETURN QUERY
    WITH RECURSIVE hop (local, domain, address, tagged) AS (
        SELECT asked_local, asked_domain, NULL, false WHERE asked_local !~ '[+]'
        UNION
        SELECT
            lower(split_part(split_part(next.address, '@', 1), '+', 1) COLLATE "C") COLLATE "default",
            split_part(next.address, '@', 2),
            next.address,
            h.tagged OR next.address ~ '[+]'
        FROM hop AS h
        CROSS JOIN LATERAL (SELECT h.local || '@' || h.domain AS address) AS self
        CROSS JOIN LATERAL (
            SELECT
                (SELECT d.active FROM mail_domain AS d WHERE d.domain_name = h.domain) AS domain_active,
                left_over
                    AND (SELECT 1 FROM mail_users AS u WHERE u.email = self.address) IS NULL
                    AND (SELECT 1 FROM mail_alias AS a WHERE a.source_email = self.address LIMIT 1) IS NULL
                    AS unclaimed
        ) AS here
        CROSS JOIN LATERAL (
            SELECT a.destination_email FROM mail_alias AS a
            WHERE a.source_email = self.address AND a.active AND here.domain_active
            UNION ALL
            SELECT h.local || '@' || x.domain_name FROM mail_alias_domain AS x
            WHERE x.alias_domain = h.domain AND x.active
            UNION ALL
            SELECT w.destination_email FROM mail_wildcard AS w
            WHERE w.local_part = h.local AND w.active AND here.domain_active AND here.unclaimed
            UNION ALL
            SELECT a.destination_email FROM mail_alias AS a
            WHERE a.source_email = '@' || h.domain AND a.active AND here.domain_active
                AND here.unclaimed AND h.local <> 'postmaster'
                AND (SELECT 1 FROM mail_wildcard AS w WHERE w.local_part = h.local AND w.active LIMIT 1) IS NULL
        ) AS next (address)
    )
    SELECT hop.local, hop.domain, hop.address, hop.tagged FROM hop;
END $hops$;

-- Where an alias leads in the end, and only what can be delivered: mailboxes that are active, and remote
-- addresses. An alias that leads nowhere, or in a circle, so does not exist, and is 550 at RCPT rather than a
-- bounce or a 451 for ever. Where a circle adds a +detail, Postfix would add it again and again, so that none
-- of its aliases is one.
CREATE FUNCTION mailstack_targets(asked_local text, asked_domain text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $targets$
BEGIN
    RETURN QUERY
    WITH hop AS MATERIALIZED (SELECT * FROM mailstack_hops(asked_local, asked_domain, true))
    SELECT DISTINCT
        CASE WHEN mailbox.email IS NULL THEN h.address ELSE lower(h.address COLLATE "C") COLLATE "default" END
    FROM hop AS h
    CROSS JOIN LATERAL (
        SELECT (
            SELECT u.email FROM mail_users AS u JOIN mail_domain AS d ON d.domain_name = u.domain_name
            WHERE u.email = h.local || '@' || h.domain AND u.active AND u.can_receive AND d.active
        ) AS email
    ) AS mailbox
    WHERE h.address IS NOT NULL
        AND (
            mailbox.email IS NOT NULL
            OR (SELECT 1 FROM mail_domain AS d WHERE d.domain_name = h.domain) IS NULL
            AND (SELECT 1 FROM mail_alias_domain AS x WHERE x.alias_domain = h.domain) IS NULL
        )
        AND NOT EXISTS (
            SELECT FROM hop AS c WHERE c.tagged AND c.local = asked_local AND c.domain = asked_domain
        );
END $targets$;

-- All that Postfix wants to know of a recipient: where an alias leads, else that there is such a mailbox, else
-- who gets the mail of every domain's postmaster (RFC 5321, 4.5.1), even if nobody made one.
CREATE FUNCTION mailstack_recipient(asked_local text, asked_domain text, postmaster text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $recipient$
BEGIN
    RETURN QUERY SELECT * FROM mailstack_targets(asked_local, asked_domain);
    IF NOT FOUND THEN
        RETURN QUERY
        SELECT u.email FROM mail_users AS u JOIN mail_domain AS d ON d.domain_name = u.domain_name
        WHERE u.email = asked_local || '@' || asked_domain AND u.active AND u.can_receive AND d.active;
    END IF;
    IF NOT FOUND AND asked_local = 'postmaster' THEN
        RETURN QUERY
        SELECT postmaster FROM mail_domain AS d WHERE d.domain_name = asked_domain AND d.active
        UNION ALL
        SELECT postmaster FROM mail_alias_domain AS x WHERE x.alias_domain = asked_domain AND x.active;
    END IF;
END $recipient$;

REVOKE ALL ON FUNCTION
    mailstack_hops(text, text, boolean), mailstack_targets(text, text), mailstack_recipient(text, text, text)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    mailstack_hops(text, text, boolean), mailstack_targets(text, text), mailstack_recipient(text, text, text)
TO {lookup};
