-- The lookups of Postfix and Dovecot. These are functions, because PostgreSQL keeps their plans for the life of a
-- connection, and planning these queries takes longer than running them. With plan_cache_mode it does so from the first
-- lookup on, and never plans again for one address alone. They always use an index, as the plan may be older than the
-- rows.

-- All addresses to which an address leads. The first row is the address itself, without a value in address. It follows
-- aliases and alias domains; with left_over otherwise the wildcard of the local part, or else the domain's catch-all. A
-- mailbox or alias, even a disabled one, excludes wildcard and catch-all. tagged: some +detail was on the way. A target
-- may still be in upper case if its domain was added later. So local and domain are in lower case, as the keys of the
-- tables, and address is as stored.
--
-- Each condition is a scalar subquery for one row by its key. For joins or EXISTS, PostgreSQL would read whole indexes,
-- as it can't know that chains of aliases are short.
CREATE FUNCTION mailstack_hops(asked_local text, asked_domain text, left_over boolean)
RETURNS TABLE (local text, domain text, address text, tagged boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $hops$
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

-- The final, deliverable targets of an alias: active mailboxes, and remote addresses. So an alias without a target, or
-- in a circle, does not exist: it is 550 at RCPT, and not a bounce or a permanent 451. In a circle with a +detail,
-- Postfix would add the detail repeatedly, so none of its aliases exists.
CREATE FUNCTION mailstack_targets(asked_local text, asked_domain text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $targets$
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

-- The answer to Postfix for a recipient: the targets of an alias, else the mailbox itself, else for postmaster the
-- recipient for every domain (RFC 5321, 4.5.1), even if no alias exists. Most recipients are a mailbox with no alias of
-- its address. That is asked first: no wildcard or catch-all has such an address, so the mailbox is its only target.
CREATE FUNCTION mailstack_recipient(asked_local text, asked_domain text, postmaster text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $recipient$
DECLARE
    asked text := asked_local || '@' || asked_domain;
    mailbox text;
    has_alias boolean;
BEGIN
    SELECT
        u.email,
        (SELECT 1 FROM mail_alias AS a WHERE a.source_email = u.email LIMIT 1) IS NOT NULL
            OR (SELECT 1 FROM mail_alias_domain AS x WHERE x.alias_domain = u.domain_name) IS NOT NULL
    INTO mailbox, has_alias
    FROM mail_users AS u JOIN mail_domain AS d ON d.domain_name = u.domain_name
    WHERE u.email = asked AND u.active AND u.can_receive AND d.active;
    IF has_alias IS DISTINCT FROM false THEN
        RETURN QUERY SELECT * FROM mailstack_targets(asked_local, asked_domain);
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    IF mailbox IS NOT NULL THEN
        RETURN NEXT mailbox;
    ELSIF asked_local = 'postmaster' THEN
        RETURN QUERY
        SELECT postmaster FROM mail_domain AS d WHERE d.domain_name = asked_domain AND d.active
        UNION ALL
        SELECT postmaster FROM mail_alias_domain AS x WHERE x.alias_domain = asked_domain AND x.active;
    END IF;
END $recipient$;

-- The mailbox of a user for Dovecot's userdb, with the quota. Postfix asks the quota service about the recipient as the
-- client gave it, before aliases. So for this service alone, an alias with one mailbox as its only target returns that
-- mailbox, and users without a quota have no row, so that their mailbox is not opened.
CREATE FUNCTION mailstack_user(asked text, asked_local text, asked_domain text, service text)
RETURNS TABLE (
    email text, home_directory text, mail_directory text, mail_driver text, quota_mb bigint, quota_messages bigint,
    detail_folders boolean, backend text
)
LANGUAGE plpgsql STABLE ROWS 1 SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $user$
DECLARE
    mailbox text := asked;
BEGIN
    IF service = 'quota-status' AND (SELECT 1 FROM mail_users AS u WHERE u.email = asked) IS NULL THEN
        SELECT max(t.address) INTO mailbox FROM mailstack_targets(asked_local, asked_domain) AS t (address)
        HAVING count(*) = 1;
    END IF;
    RETURN QUERY
    SELECT
        u.email, u.home_directory, u.mail_directory, u.mail_driver, quota.megabytes, quota.messages, u.detail_folders,
        u.backend
    FROM mail_users AS u
    JOIN mail_domain AS d ON d.domain_name = u.domain_name
    CROSS JOIN LATERAL (
        SELECT
            coalesce(u.quota_mb, d.user_quota_mb, 0) AS megabytes,
            coalesce(u.quota_messages, d.user_quota_messages, 0) AS messages
    ) AS quota
    WHERE u.email = mailbox AND u.active AND d.active
        AND (service <> 'quota-status' OR quota.megabytes > 0 OR quota.messages > 0);
END $user$;

-- The restriction class of a recipient (see RESTRICTION_CLASS_README): whether Postfix asks the quota service about it.
-- It has no row for a recipient that mailstack_recipient does not have.
CREATE FUNCTION mailstack_recipient_class(asked_local text, asked_domain text, postmaster text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $class$
DECLARE
    asked text := asked_local || '@' || asked_domain;
    limited boolean;
BEGIN
    -- as in mailstack_recipient, first the mailbox that no alias has to do with
    SELECT
        coalesce(u.quota_mb, d.user_quota_mb, 0) > 0 OR coalesce(u.quota_messages, d.user_quota_messages, 0) > 0
    INTO limited
    FROM mail_users AS u JOIN mail_domain AS d ON d.domain_name = u.domain_name
    WHERE u.email = asked AND u.active AND u.can_receive AND d.active
        AND (SELECT 1 FROM mail_alias AS a WHERE a.source_email = u.email LIMIT 1) IS NULL
        AND (SELECT 1 FROM mail_alias_domain AS x WHERE x.alias_domain = u.domain_name) IS NULL;
    IF limited IS NULL THEN
        IF NOT EXISTS (SELECT FROM mailstack_recipient(asked_local, asked_domain, postmaster)) THEN
            RETURN;
        END IF;
        limited := EXISTS (SELECT FROM mailstack_user(asked, asked_local, asked_domain, 'quota-status'));
    END IF;
    RETURN NEXT CASE WHEN limited THEN 'limited_recipient' ELSE 'known_recipient' END;
END $class$;

-- The user who logs in. A user without can_send can't log in to Postfix, whose service is smtp. This also denies the empty
-- sender, which has no owner. Dovecot passes a name that is not ASCII as its digest (auth_username_format), which has 64
-- digits and no @.
CREATE FUNCTION mailstack_login(asked text, service text)
RETURNS TABLE (
    email text, password text, home_directory text, mail_directory text, mail_driver text, quota_mb bigint,
    quota_messages bigint, backend text
)
LANGUAGE plpgsql STABLE ROWS 1 SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $login$
DECLARE
    name text := asked;
BEGIN
    IF length(asked) = 64 AND strpos(asked, '@') = 0 THEN
        name := mailstack_unicode_login(asked);
    END IF;
    RETURN QUERY
    SELECT
        u.email, u.password, u.home_directory, u.mail_directory, u.mail_driver,
        coalesce(u.quota_mb, d.user_quota_mb, 0), coalesce(u.quota_messages, d.user_quota_messages, 0), u.backend
    FROM mail_users AS u JOIN mail_domain AS d ON d.domain_name = u.domain_name
    WHERE u.email = name AND u.active AND d.active AND (u.can_send OR service <> 'smtp');
END $login$;

-- A domain of this server, by its name.
CREATE FUNCTION mailstack_domain(asked text) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 1 SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $domain$
BEGIN
    RETURN QUERY SELECT d.domain_name FROM mail_domain AS d WHERE d.domain_name = asked;
    IF NOT FOUND THEN
        RETURN QUERY SELECT x.alias_domain FROM mail_alias_domain AS x WHERE x.alias_domain = asked;
    END IF;
END $domain$;

REVOKE ALL ON FUNCTION
    mailstack_hops(text, text, boolean), mailstack_targets(text, text), mailstack_recipient(text, text, text),
    mailstack_user(text, text, text, text), mailstack_recipient_class(text, text, text), mailstack_login(text, text),
    mailstack_domain(text)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    mailstack_hops(text, text, boolean), mailstack_targets(text, text), mailstack_recipient(text, text, text),
    mailstack_user(text, text, text, text), mailstack_recipient_class(text, text, text), mailstack_login(text, text),
    mailstack_domain(text)
TO {lookup};
