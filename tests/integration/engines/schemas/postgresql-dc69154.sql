SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET client_min_messages = warning;

CREATE FUNCTION public.mailstack_alias_circle() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_circle'));
    IF NEW.active AND mailstack_in_circle(NEW.source_email, NEW.destination_email) THEN
        RAISE EXCEPTION 'the alias % -> % would close a circle', NEW.source_email, NEW.destination_email
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_circle', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_alias_circle() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'mail_domain' THEN
            NEW.domain_name := lower(NEW.domain_name COLLATE "C");
        WHEN 'mail_users' THEN
            NEW.email := lower(NEW.email COLLATE "C");
        WHEN 'mail_alias' THEN
            NEW.source_email := lower(NEW.source_email COLLATE "C");
            NEW.destination_email := lower(NEW.destination_email COLLATE "C");
    END CASE;
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold_aliases() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'mail_wildcard' THEN
        NEW.local_part := lower(NEW.local_part COLLATE "C");
        NEW.destination_email := lower(NEW.destination_email COLLATE "C");
    ELSE
        NEW.alias_domain := lower(NEW.alias_domain COLLATE "C");
        NEW.domain_name := lower(NEW.domain_name COLLATE "C");
    END IF;
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold_aliases() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold_app_password() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.email := lower(NEW.email COLLATE "C");
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold_app_password() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold_relay() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'mail_relay_domain' THEN
        NEW.domain_name := lower(NEW.domain_name COLLATE "C");
    ELSE
        NEW.address := lower(NEW.address COLLATE "C");
    END IF;
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold_relay() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold_sender() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.email := lower(NEW.email COLLATE "C");
    NEW.sender_email := lower(NEW.sender_email COLLATE "C");
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold_sender() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_hops(asked_local text, asked_domain text, left_over boolean) RETURNS TABLE(local text, domain text, address text, tagged boolean)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE hop (local, domain, address, tagged) AS (
        SELECT asked_local, asked_domain, NULL, false WHERE asked_local !~ '[+]'
        UNION
        SELECT
            split_part(split_part(next.address, '@', 1), '+', 1),
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
END $$;

ALTER FUNCTION public.mailstack_hops(asked_local text, asked_domain text, left_over boolean) OWNER TO old_owner;

CREATE FUNCTION public.mailstack_in_circle(source text, destination text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    WITH RECURSIVE target (local, domain) AS (
        SELECT split_part(split_part(destination, '@', 1), '+', 1), split_part(destination, '@', 2)
        UNION
        SELECT split_part(split_part(next.address, '@', 1), '+', 1), split_part(next.address, '@', 2)
        FROM target, LATERAL (
            SELECT a.destination_email AS address FROM mail_alias a
            WHERE a.source_email = target.local || '@' || target.domain AND a.active
            UNION ALL
            SELECT target.local || '@' || x.domain_name FROM mail_alias_domain x
            WHERE x.alias_domain = target.domain
        ) AS next
    )
    SELECT source <> destination AND source IN (SELECT local || '@' || domain FROM target)
$$;

ALTER FUNCTION public.mailstack_in_circle(source text, destination text) OWNER TO old_owner;

CREATE FUNCTION public.mailstack_one_class() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    name text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_class'));
    IF EXISTS (SELECT FROM mail_relay_domain WHERE domain_name = name) AND (
        EXISTS (SELECT FROM mail_domain WHERE domain_name = name)
        OR EXISTS (SELECT FROM mail_alias_domain WHERE alias_domain = name)
    ) THEN
        RAISE EXCEPTION '% would be a domain of ours and a relay domain', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_one_class', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_one_class() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_one_meaning() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    name text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_circle'));
    IF EXISTS (SELECT FROM mail_alias_domain WHERE alias_domain = name)
        AND EXISTS (SELECT FROM mail_domain WHERE domain_name = name)
    THEN
        RAISE EXCEPTION '% would be a domain and an alias domain', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_one_meaning', TABLE = TG_TABLE_NAME;
    END IF;
    IF TG_TABLE_NAME = 'mail_alias_domain' AND EXISTS (
        SELECT FROM mail_alias WHERE active AND split_part(destination_email, '@', 2) = name
            AND mailstack_in_circle(source_email, destination_email)
    ) THEN
        RAISE EXCEPTION 'the alias domain % would close a circle of aliases', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_circle', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_one_meaning() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_quota() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    one record;
    done text := coalesce(current_setting('mailstack.added_up', true), '');
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'mail_users' THEN
        IF (NEW.email, NEW.quota_mb, NEW.quota_messages)
            IS NOT DISTINCT FROM (OLD.email, OLD.quota_mb, OLD.quota_messages)
        THEN
            RETURN NULL; -- a new password, say
        END IF;
    END IF;
    IF strpos(done, format(' %s ', NEW.domain_name)) > 0 OR NOT EXISTS (
        SELECT FROM mail_domain WHERE domain_name = NEW.domain_name AND (quota_mb > 0 OR quota_messages > 0)
    ) THEN
        RETURN NULL;
    END IF;
    FOR one IN
        SELECT d.domain_name, resource.unit, resource.quota, bool_or(resource.part = 0) AS unlimited,
            sum(resource.part) AS parts
        FROM mail_domain d
        JOIN mail_users u ON u.domain_name = d.domain_name
        CROSS JOIN LATERAL (VALUES
            ('MiB', d.quota_mb, coalesce(u.quota_mb, d.user_quota_mb, 0)),
            ('messages', d.quota_messages, coalesce(u.quota_messages, d.user_quota_messages, 0))
        ) AS resource (unit, quota, part)
        WHERE d.domain_name = NEW.domain_name AND resource.quota > 0
        GROUP BY d.domain_name, resource.unit, resource.quota
    LOOP
        IF one.unlimited OR one.parts > one.quota THEN
            RAISE EXCEPTION '%', CASE WHEN one.unlimited
                THEN format('the domain %s has a quota of %s %s, so every user in it needs one',
                    one.domain_name, one.quota, one.unit)
                ELSE format('the quotas of the users in %s add up to %s %s, more than the %s of the domain',
                    one.domain_name, one.parts, one.unit, one.quota)
                END
                USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_quota', TABLE = TG_TABLE_NAME;
        END IF;
    END LOOP;
    PERFORM set_config('mailstack.added_up', format('%s %s ', done, NEW.domain_name), true);
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_quota() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_quota_again() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM set_config('mailstack.added_up', '', true);
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_quota_again() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_recipient(asked_local text, asked_domain text, postmaster text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    AS $$
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
END $$;

ALTER FUNCTION public.mailstack_recipient(asked_local text, asked_domain text, postmaster text) OWNER TO old_owner;

CREATE FUNCTION public.mailstack_record_login(login text, used text, minutes integer) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM mail_last_login AS l
        WHERE l.email = login AND l.service = used AND l.at > now() - make_interval(mins => minutes)
    ) THEN
        INSERT INTO mail_last_login (email, service, at) VALUES (login, used, now())
        ON CONFLICT (email, service) DO UPDATE SET at = excluded.at;
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'login not recorded: %', SQLERRM;
END $$;

ALTER FUNCTION public.mailstack_record_login(login text, used text, minutes integer) OWNER TO old_owner;

CREATE FUNCTION public.mailstack_targets(asked_local text, asked_domain text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN QUERY
    WITH hop AS MATERIALIZED (SELECT * FROM mailstack_hops(asked_local, asked_domain, true))
    SELECT DISTINCT h.address FROM hop AS h
    WHERE h.address IS NOT NULL
        AND (
            (
                SELECT u.email FROM mail_users AS u JOIN mail_domain AS d ON d.domain_name = u.domain_name
                WHERE u.email = h.local || '@' || h.domain AND u.active AND u.can_receive AND d.active
            ) IS NOT NULL
            OR (SELECT 1 FROM mail_domain AS d WHERE d.domain_name = h.domain) IS NULL
            AND (SELECT 1 FROM mail_alias_domain AS x WHERE x.alias_domain = h.domain) IS NULL
        )
        AND NOT EXISTS (
            SELECT FROM hop AS c WHERE c.tagged AND c.local = asked_local AND c.domain = asked_domain
        );
END $$;

ALTER FUNCTION public.mailstack_targets(asked_local text, asked_domain text) OWNER TO old_owner;

CREATE FUNCTION public.mailstack_upgrade_password(login text, upgraded text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $_$
DECLARE
    done boolean;
BEGIN
    UPDATE mail_users SET
        password = upgraded,
        password_origin = CASE WHEN password ~ '^([{](ARGON2ID|BLF-CRYPT|SHA512-CRYPT|SHA256-CRYPT|PBKDF2|SSHA512|SSHA256)[}]|[$])' THEN
            encode(sha256(convert_to(password || E'\n' || upgraded, 'UTF8')), 'hex')
        END
    WHERE email = login AND password !~* '^[{]ARGON2ID[}]' AND upgraded ~ E'^[{]ARGON2ID[}]\\$argon2id\\$v=19\\$m=\\d+,t=\\d+,p=\\d+\\$[A-Za-z0-9+/]+\\$[A-Za-z0-9+/]+$';
    done := FOUND;
    SET CONSTRAINTS ALL IMMEDIATE; -- at the end of the transaction they would be checked as who may read nothing
    RETURN done;
END $_$;

ALTER FUNCTION public.mailstack_upgrade_password(login text, upgraded text) OWNER TO old_owner;

CREATE TABLE public.mail_alias (
    source_email text NOT NULL,
    destination_email text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(source_email, '[^@]*$'::text) COLLATE "C"))) STORED,
    CONSTRAINT mailstack_alias_destination_form CHECK (((destination_email = ((split_part(destination_email, '@'::text, 1) || '@'::text) || split_part(destination_email, '@'::text, 2))) AND (split_part(destination_email, '@'::text, 1) ~ '^(?=.{1,64}$)[a-z0-9!#$%&''*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*$'::text) AND (split_part(destination_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(destination_email) <= 254))),
    CONSTRAINT mailstack_alias_source_form CHECK (((source_email = ((split_part(source_email, '@'::text, 1) || '@'::text) || split_part(source_email, '@'::text, 2))) AND ((source_email ~ '^@'::text) OR (split_part(source_email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text)) AND (split_part(source_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(source_email) <= 254)))
);

ALTER TABLE public.mail_alias OWNER TO old_owner;

CREATE TABLE public.mail_alias_domain (
    alias_domain text NOT NULL,
    domain_name text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_alias_domain_form CHECK ((alias_domain ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text))
);

ALTER TABLE public.mail_alias_domain OWNER TO old_owner;

CREATE TABLE public.mail_app_password (
    email text NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    service text DEFAULT 'all'::text NOT NULL,
    CONSTRAINT mailstack_app_password_form CHECK (((name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'::text) AND (digest ~ '^[0-9a-f]{64}$'::text) AND (service = ANY (ARRAY['all'::text, 'imap'::text, 'smtp'::text]))))
);

ALTER TABLE public.mail_app_password OWNER TO old_owner;

CREATE TABLE public.mail_domain (
    domain_name text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    quota_mb bigint,
    quota_messages bigint,
    user_quota_mb bigint,
    user_quota_messages bigint,
    CONSTRAINT mailstack_domain_form CHECK ((domain_name ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text)),
    CONSTRAINT mailstack_domain_quota CHECK (((quota_mb >= 0) AND (quota_messages >= 0) AND (user_quota_mb >= 0) AND (user_quota_messages >= 0)))
);

ALTER TABLE public.mail_domain OWNER TO old_owner;

CREATE TABLE public.mail_last_login (
    email text NOT NULL,
    service text NOT NULL,
    at timestamp with time zone NOT NULL
);

ALTER TABLE public.mail_last_login OWNER TO old_owner;

CREATE TABLE public.mail_relay_domain (
    domain_name text NOT NULL,
    any_recipient boolean DEFAULT false NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_relay_domain_form CHECK ((domain_name ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text))
);

ALTER TABLE public.mail_relay_domain OWNER TO old_owner;

CREATE TABLE public.mail_relay_recipient (
    address text NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(address, '[^@]*$'::text) COLLATE "C"))) STORED,
    CONSTRAINT mailstack_relay_recipient_form CHECK (((address = ((split_part(address, '@'::text, 1) || '@'::text) || split_part(address, '@'::text, 2))) AND (split_part(address, '@'::text, 1) ~ '^(?=.{1,64}$)[a-z0-9!#$%&''*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*$'::text) AND (length(address) <= 254)))
);

ALTER TABLE public.mail_relay_recipient OWNER TO old_owner;

CREATE TABLE public.mail_sender (
    email text NOT NULL,
    sender_email text NOT NULL,
    CONSTRAINT mailstack_sender_form CHECK (((sender_email = ((split_part(sender_email, '@'::text, 1) || '@'::text) || split_part(sender_email, '@'::text, 2))) AND ((sender_email ~ '^@'::text) OR (split_part(sender_email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text)) AND (split_part(sender_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(sender_email) <= 254)))
);

ALTER TABLE public.mail_sender OWNER TO old_owner;

CREATE TABLE public.mail_users (
    email text NOT NULL,
    password text NOT NULL,
    home_directory text,
    quota_mb bigint,
    active boolean DEFAULT true NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(email, '[^@]*$'::text) COLLATE "C"))) STORED,
    can_send boolean DEFAULT true NOT NULL,
    can_receive boolean DEFAULT true NOT NULL,
    detail_folders boolean DEFAULT false NOT NULL,
    password_origin text,
    quota_messages bigint,
    CONSTRAINT mailstack_users_form CHECK (((email = ((split_part(email, '@'::text, 1) || '@'::text) || split_part(email, '@'::text, 2))) AND (split_part(email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text) AND (split_part(email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(email) <= 254))),
    CONSTRAINT mailstack_users_home CHECK (((home_directory ~ '^/'::text) AND (home_directory !~ '[[:cntrl:]]|(^|/)[.][.](/|$)'::text))),
    CONSTRAINT mailstack_users_password CHECK ((password <> ''::text)),
    CONSTRAINT mailstack_users_quota CHECK ((quota_mb >= 0)),
    CONSTRAINT mailstack_users_quota_messages CHECK ((quota_messages >= 0))
);

ALTER TABLE public.mail_users OWNER TO old_owner;

CREATE TABLE public.mail_wildcard (
    local_part text NOT NULL,
    destination_email text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_wildcard_form CHECK (((local_part ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text) AND (destination_email = ((split_part(destination_email, '@'::text, 1) || '@'::text) || split_part(destination_email, '@'::text, 2))) AND (split_part(destination_email, '@'::text, 1) ~ '^(?=.{1,64}$)[a-z0-9!#$%&''*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*$'::text) AND (split_part(destination_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(destination_email) <= 254)))
);

ALTER TABLE public.mail_wildcard OWNER TO old_owner;

CREATE TABLE public.mailstack_objects (
    name text NOT NULL,
    md5 text NOT NULL
);

ALTER TABLE public.mailstack_objects OWNER TO old_owner;

CREATE TABLE public.mailstack_schema (
    file_name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.mailstack_schema OWNER TO old_owner;

INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('info@example.org', 'alice@example.org', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('info@example.org', 'some.one@remote.example', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('@off.example', 'bob@off.example', false);

INSERT INTO public.mail_alias_domain (alias_domain, domain_name, active) VALUES ('other.example', 'example.org', true);
INSERT INTO public.mail_alias_domain (alias_domain, domain_name, active) VALUES ('gone.example', 'example.org', false);

INSERT INTO public.mail_app_password (email, name, digest, service) VALUES ('alice@example.org', 'phone', '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'imap');

INSERT INTO public.mail_domain (domain_name, active, quota_mb, quota_messages, user_quota_mb, user_quota_messages) VALUES ('example.org', true, NULL, NULL, NULL, NULL);
INSERT INTO public.mail_domain (domain_name, active, quota_mb, quota_messages, user_quota_mb, user_quota_messages) VALUES ('off.example', false, NULL, NULL, 5, NULL);

INSERT INTO public.mail_last_login (email, service, at) VALUES ('alice@example.org', 'imap', '2026-11-20 10:00:00+00');

INSERT INTO public.mail_relay_domain (domain_name, any_recipient, active) VALUES ('relay.example', false, true);
INSERT INTO public.mail_relay_domain (domain_name, any_recipient, active) VALUES ('any.example', true, false);

INSERT INTO public.mail_relay_recipient (address) VALUES ('carol@relay.example');

INSERT INTO public.mail_sender (email, sender_email) VALUES ('alice@example.org', '@off.example');
INSERT INTO public.mail_sender (email, sender_email) VALUES ('alice@example.org', 'boss@example.net');

INSERT INTO public.mail_users (email, password, home_directory, quota_mb, active, can_send, can_receive, detail_folders, password_origin, quota_messages) VALUES ('o''brien@example.org', '{BLF-CRYPT}$2y$05$x', '/srv/mail/it''s here', 0, true, true, true, false, NULL, NULL);
INSERT INTO public.mail_users (email, password, home_directory, quota_mb, active, can_send, can_receive, detail_folders, password_origin, quota_messages) VALUES ('bob@off.example', 'x', NULL, 100, false, false, true, false, NULL, NULL);
INSERT INTO public.mail_users (email, password, home_directory, quota_mb, active, can_send, can_receive, detail_folders, password_origin, quota_messages) VALUES ('alice@example.org', '{SHA512-CRYPT}$6$x$y', NULL, NULL, true, true, true, true, 'abc', 7);

INSERT INTO public.mail_wildcard (local_part, destination_email, active) VALUES ('abuse', 'alice@example.org', true);

INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of database', '943b694d1dfa3919728a546cb5419490');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of schema public', '940222962ba52b7b04e92de777c1a872');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_alias', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_alias_domain', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_app_password', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_domain', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_last_login', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_relay_domain', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_relay_recipient', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_sender', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_users', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_wildcard', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mailstack_objects', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mailstack_schema', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_alias_circle', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold_aliases', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold_app_password', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold_relay', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold_sender', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_hops', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_in_circle', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_one_class', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_one_meaning', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_quota', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_quota_again', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_recipient', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_record_login', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_targets', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_upgrade_password', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant CONNECT on database to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant CONNECT on database to old_upgrade', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant EXECUTE on function mailstack_hops to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant EXECUTE on function mailstack_recipient to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant EXECUTE on function mailstack_record_login to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant EXECUTE on function mailstack_targets to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant EXECUTE on function mailstack_upgrade_password to old_upgrade', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_alias to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_alias_domain to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_app_password to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_domain to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_relay_domain to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_relay_recipient to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_sender to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_users to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_wildcard to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant USAGE on schema public to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant USAGE on schema public to old_upgrade', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('search_path of database', 'd41d8cd98f00b204e9800998ecf8427e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_alias', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_alias_domain', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_app_password', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_domain', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_last_login', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_relay_domain', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_relay_recipient', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_sender', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_users', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_wildcard', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mailstack_objects', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mailstack_schema', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.source_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.destination_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.domain_name', '164e0b33f1410e0ba4895b58af9b3337');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias_domain.alias_domain', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias_domain.domain_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias_domain.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_app_password.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_app_password.name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_app_password.digest', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_app_password.service', 'd3c6d5b059aed66a3a89c76afecaf0a3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.domain_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.quota_mb', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.quota_messages', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.user_quota_mb', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.user_quota_messages', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_last_login.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_last_login.service', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_last_login.at', 'cabc5cff2ea3501169749edd066f96e6');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_relay_domain.domain_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_relay_domain.any_recipient', '25321ffe2f7bf13f39fbbabb1761386b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_relay_domain.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_relay_recipient.address', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_relay_recipient.domain_name', '79a810d32c22274ca6bde5c713ac414f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_sender.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_sender.sender_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.password', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.home_directory', 'f69493fcf89534cb8252964d523dd7f3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.quota_mb', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.domain_name', 'fa3c32bd888a590144cc987816e9926e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.can_send', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.can_receive', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.detail_folders', '25321ffe2f7bf13f39fbbabb1761386b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.password_origin', 'f69493fcf89534cb8252964d523dd7f3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.quota_messages', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_wildcard.local_part', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_wildcard.destination_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_wildcard.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_objects.name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_objects.md5', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.file_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.sha256', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.applied_at', '009a1052615afca4b00a160d28a05bc1');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_destination_form on mail_alias', '79f7138c03dcc02f2516de8b5d03e558');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain on mail_alias', '1468d9c48e7fd5ea3d140a42be46f8ef');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_key on mail_alias', '22d45efd4640ca54a55a7e338a4342b3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_source_form on mail_alias', '0ec52fade73e09eb67b19bec72e42622');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain_form on mail_alias_domain', 'b4d95fe2d27832ccf702f7fea505be3e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain_key on mail_alias_domain', 'd0b82e4b15cb0c500b42bd4fdcb24560');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain_target on mail_alias_domain', '003bf7d90aaf34f3c23cc58a2bd1d005');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_app_password_digest on mail_app_password', '14b0ef1c4ffa6442e0943109c5bcffa2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_app_password_form on mail_app_password', '43a0e6a7dea104be6fc1b6d91e52a07e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_app_password_key on mail_app_password', 'c073025f03259de8b12b3eb44f3585b1');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_app_password_user on mail_app_password', 'deb1d3ac7ebe13ec5ebedabe1fc11ecb');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_form on mail_domain', 'bc69d022630db19080e132872c12993b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_key on mail_domain', '4c36b34ad5c9c19705391d673a8124c6');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_quota on mail_domain', '28376b0a220a79216852aacb1556bf20');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_last_login_key on mail_last_login', '95b8d6ccc06cf8ed773be85df26f947c');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_last_login_user on mail_last_login', 'deb1d3ac7ebe13ec5ebedabe1fc11ecb');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_relay_domain_form on mail_relay_domain', 'bc69d022630db19080e132872c12993b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_relay_domain_key on mail_relay_domain', '4c36b34ad5c9c19705391d673a8124c6');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_relay_recipient_domain on mail_relay_recipient', '55d9578fee6e87a5d378a4193f0bf786');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_relay_recipient_form on mail_relay_recipient', '441d98afb98b098988d546038675fc2d');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_relay_recipient_key on mail_relay_recipient', '7dd8a32147b934a3bc5a2b2a929917ec');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_sender_form on mail_sender', '538d03c149839266565e17c131f5ac72');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_sender_key on mail_sender', '12fef74c15a95e2f455f5c6929387574');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_sender_user on mail_sender', 'deb1d3ac7ebe13ec5ebedabe1fc11ecb');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_domain on mail_users', '1468d9c48e7fd5ea3d140a42be46f8ef');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_form on mail_users', '9206b91e995952273ef626657a67bacd');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_home on mail_users', 'd66256f4c84224d09b0fc0f77cf64e82');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_key on mail_users', '3ffed38f7ff76adc736bcaa34a088c33');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_password on mail_users', '26ccff2b1b7ee2b869afdd1a919430e4');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_quota on mail_users', 'bf3404ef9d598493e2d500b56ee1ec92');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_quota_messages on mail_users', '3f6dd5d151fab64ddb1a2dc6686c7713');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_wildcard_form on mail_wildcard', 'c6999e2cfba522ce3b29df28fbb34cbe');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_wildcard_key on mail_wildcard', 'a0986c9cffba90dbdb8a3fdde61831e8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_objects_pkey on mailstack_objects', 'c302dc585e3d60f2f29aa138474141ea');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_schema_pkey on mailstack_schema', 'c93f87d9534f1f348801caada9b4aa74');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_users_domain on mail_users', '7d2f9bca75b2ffbeff203f880c4a38e8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_domain on mail_alias', 'a3b750662104e1f49f77aa163881384f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_destination on mail_alias', 'f834c83eb1a6e2b4364758071eec8aaa');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_sender_email on mail_sender', '1d72cdfd34130960a2543a7b79ee12d8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_domain_target on mail_alias_domain', 'fa4f65727a86c4c0848dc0f2faa9f7b2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_relay_recipient_domain on mail_relay_recipient', 'fdece29890f7e23e35eb79a9bdf1cd06');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_alias', 'e9adfe4fa644319a015729646ebef499');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_circle on mail_alias', '2c3258ea8175df52abf91f5e1bdb4ade');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_alias_domain', '1ee6d92d0e269c3bcf123616419eb5fc');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_meaning on mail_alias_domain', 'e0449e9689c392ba5ee4496944889c0d');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_class on mail_alias_domain', 'c10ae7a13ddeaa1f4d5bdce790ef2d6e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_app_password', '1d286d58027e7309eb7f2aaa008535a2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_domain', '465d34e6ddda00ecb21b3363ae3b4dab');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_meaning on mail_domain', '2ca1ecfe0240d80c488e13e80ce73c11');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_quota_again on mail_domain', 'd4a1537fabbb161c1f1530ac96082863');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_quota on mail_domain', '539879b517ea42514c3d4edb968bc88f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_class on mail_domain', '2a04a574135033e6d92929d3ba2f3678');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_relay_domain', 'd3329ee0fc291a87bbcc00599816ad5c');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_class on mail_relay_domain', '9e3b41d7e25a5f334e470f97c1843d21');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_relay_recipient', '62f5fa1ee797e8d2df029e8953b088d1');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_sender', 'dccacc1785fd62a7a2bea3eef3254aa2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_users', '813c12eb69955b476c89519ff862be75');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_quota_again on mail_users', '887067ac173c4017cfa510e8ebd6f803');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_quota on mail_users', '359ca6b716e8a0e97e03b7b08127633c');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_wildcard', 'e0a2cba9d0af2b343123b12d45ef523e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_alias_circle', 'a268257e765e07fa25ad914d1884555a');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold', '96a9c6e697e6d9b1a7a6184f5437ca18');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold_aliases', '7f57650bb26e75deaa63dbb33848234a');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold_app_password', 'd54bb1a51a1003504fe93b89402ddf56');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold_relay', '65bfa2914847303673b6be254918d71d');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold_sender', 'cc7299bf4bffac2cf8adab53fcebc12b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_hops', 'aafb5004e39fc98ef8954018492b898f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_in_circle', 'a34eea547fbd8ad63d541f2679731861');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_one_class', '17d2ded97462e712712330703cf89973');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_one_meaning', '07dfbfb40b4ab6a16bd7181196253980');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_quota', 'd5ed909ceb4c71def0770db320201372');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_quota_again', '811d869324117d7caed2a30fee3e3dd7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_recipient', '226fdb0eb1fd96ea5e84004fa21b1563');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_record_login', 'bc7f0aacb9e69ede6547e30b6fa258da');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_targets', '4a90df9d368088328a66552d16180ba6');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_upgrade_password', '6175ab1cfd1d86d24ce2a18d48da5cf4');

INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('001_mail.sql', '499d8d8ee4a1f1b6e36b1f65d37cd1f540b2655ca19dac7892dacffd9dac3cca', '2026-11-29 07:24:51.438539+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('002_senders.sql', '9b353bcbc153e1606998dd9d0db1c76e1c7d422266279455755997cdbf888d91', '2026-11-29 07:24:51.438539+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('003_aliases.sql', 'fdabba0538aa868e589f73b9b7f8e004bd8dbddb48327bdd94be2ded63dd7027', '2026-11-29 07:24:51.438539+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('020_logins.sql', '9ba826554b9bd71c3061fd095ffb979be5f0f720cb07ed5ab32a1b02429c1acb', '2026-11-29 07:24:51.438539+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('030_quotas.sql', '65b72be1613e9151836fe76efc18f179e6e70363bc9043b276163950dff1aeab', '2026-11-29 07:24:51.438539+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('040_relay.sql', 'd1b504ed8b74013383e782ff4aee147a792a8c10bd821cf818b840ac0fa074de', '2026-11-29 07:24:51.438539+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('050_lookups.sql', '882fe676f1c593d497094cbcc1732697f44aec285d48c7c9d8c1e8786c193092', '2026-11-29 07:24:51.438539+00');

ALTER TABLE ONLY public.mail_alias_domain
    ADD CONSTRAINT mailstack_alias_domain_key PRIMARY KEY (alias_domain);

ALTER TABLE ONLY public.mail_alias
    ADD CONSTRAINT mailstack_alias_key PRIMARY KEY (source_email, destination_email);

ALTER TABLE ONLY public.mail_app_password
    ADD CONSTRAINT mailstack_app_password_digest UNIQUE (email, digest);

ALTER TABLE ONLY public.mail_app_password
    ADD CONSTRAINT mailstack_app_password_key PRIMARY KEY (email, name);

ALTER TABLE ONLY public.mail_domain
    ADD CONSTRAINT mailstack_domain_key PRIMARY KEY (domain_name);

ALTER TABLE ONLY public.mail_last_login
    ADD CONSTRAINT mailstack_last_login_key PRIMARY KEY (email, service);

ALTER TABLE ONLY public.mailstack_objects
    ADD CONSTRAINT mailstack_objects_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.mail_relay_domain
    ADD CONSTRAINT mailstack_relay_domain_key PRIMARY KEY (domain_name);

ALTER TABLE ONLY public.mail_relay_recipient
    ADD CONSTRAINT mailstack_relay_recipient_key PRIMARY KEY (address);

ALTER TABLE ONLY public.mailstack_schema
    ADD CONSTRAINT mailstack_schema_pkey PRIMARY KEY (file_name);

ALTER TABLE ONLY public.mail_sender
    ADD CONSTRAINT mailstack_sender_key UNIQUE (sender_email, email);

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mailstack_users_key PRIMARY KEY (email);

ALTER TABLE ONLY public.mail_wildcard
    ADD CONSTRAINT mailstack_wildcard_key PRIMARY KEY (local_part, destination_email);

CREATE INDEX mailstack_alias_destination ON public.mail_alias USING btree (destination_email);

CREATE INDEX mailstack_alias_domain ON public.mail_alias USING btree (domain_name);

CREATE INDEX mailstack_alias_domain_target ON public.mail_alias_domain USING btree (domain_name);

CREATE INDEX mailstack_relay_recipient_domain ON public.mail_relay_recipient USING btree (domain_name);

CREATE INDEX mailstack_sender_email ON public.mail_sender USING btree (email);

CREATE INDEX mailstack_users_domain ON public.mail_users USING btree (domain_name);

CREATE TRIGGER mailstack_circle AFTER INSERT OR UPDATE ON public.mail_alias FOR EACH ROW EXECUTE FUNCTION public.mailstack_alias_circle();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_alias FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_alias_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_aliases();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_app_password FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_app_password();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_relay_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_relay();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_relay_recipient FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_relay();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_sender FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_sender();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_users FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_wildcard FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_aliases();

CREATE TRIGGER mailstack_one_class AFTER INSERT OR UPDATE ON public.mail_alias_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_class('alias_domain');

CREATE TRIGGER mailstack_one_class AFTER INSERT OR UPDATE ON public.mail_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_class('domain_name');

CREATE TRIGGER mailstack_one_class AFTER INSERT OR UPDATE ON public.mail_relay_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_class('domain_name');

CREATE TRIGGER mailstack_one_meaning AFTER INSERT OR UPDATE ON public.mail_alias_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_meaning('alias_domain');

CREATE TRIGGER mailstack_one_meaning AFTER INSERT OR UPDATE ON public.mail_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_meaning('domain_name');

CREATE CONSTRAINT TRIGGER mailstack_quota AFTER INSERT OR UPDATE ON public.mail_domain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.mailstack_quota();

CREATE CONSTRAINT TRIGGER mailstack_quota AFTER INSERT OR UPDATE ON public.mail_users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.mailstack_quota();

CREATE TRIGGER mailstack_quota_again BEFORE INSERT OR UPDATE ON public.mail_domain FOR EACH STATEMENT EXECUTE FUNCTION public.mailstack_quota_again();

CREATE TRIGGER mailstack_quota_again BEFORE INSERT OR UPDATE ON public.mail_users FOR EACH STATEMENT EXECUTE FUNCTION public.mailstack_quota_again();

ALTER TABLE ONLY public.mail_alias
    ADD CONSTRAINT mailstack_alias_domain FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name);

ALTER TABLE ONLY public.mail_alias_domain
    ADD CONSTRAINT mailstack_alias_domain_target FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name) ON UPDATE CASCADE;

ALTER TABLE ONLY public.mail_app_password
    ADD CONSTRAINT mailstack_app_password_user FOREIGN KEY (email) REFERENCES public.mail_users(email) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE ONLY public.mail_last_login
    ADD CONSTRAINT mailstack_last_login_user FOREIGN KEY (email) REFERENCES public.mail_users(email) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE ONLY public.mail_relay_recipient
    ADD CONSTRAINT mailstack_relay_recipient_domain FOREIGN KEY (domain_name) REFERENCES public.mail_relay_domain(domain_name) ON DELETE CASCADE;

ALTER TABLE ONLY public.mail_sender
    ADD CONSTRAINT mailstack_sender_user FOREIGN KEY (email) REFERENCES public.mail_users(email) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mailstack_users_domain FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name);

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO old_lookup;
GRANT USAGE ON SCHEMA public TO old_upgrade;

REVOKE ALL ON FUNCTION public.mailstack_alias_circle() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold_aliases() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold_app_password() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold_relay() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold_sender() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_hops(asked_local text, asked_domain text, left_over boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mailstack_hops(asked_local text, asked_domain text, left_over boolean) TO old_lookup;

REVOKE ALL ON FUNCTION public.mailstack_in_circle(source text, destination text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_one_class() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_one_meaning() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_quota() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_quota_again() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_recipient(asked_local text, asked_domain text, postmaster text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mailstack_recipient(asked_local text, asked_domain text, postmaster text) TO old_lookup;

REVOKE ALL ON FUNCTION public.mailstack_record_login(login text, used text, minutes integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mailstack_record_login(login text, used text, minutes integer) TO old_lookup;

REVOKE ALL ON FUNCTION public.mailstack_targets(asked_local text, asked_domain text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mailstack_targets(asked_local text, asked_domain text) TO old_lookup;

REVOKE ALL ON FUNCTION public.mailstack_upgrade_password(login text, upgraded text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mailstack_upgrade_password(login text, upgraded text) TO old_upgrade;

GRANT SELECT ON TABLE public.mail_alias TO old_lookup;

GRANT SELECT ON TABLE public.mail_alias_domain TO old_lookup;

GRANT SELECT ON TABLE public.mail_app_password TO old_lookup;

GRANT SELECT ON TABLE public.mail_domain TO old_lookup;

GRANT SELECT ON TABLE public.mail_relay_domain TO old_lookup;

GRANT SELECT ON TABLE public.mail_relay_recipient TO old_lookup;

GRANT SELECT ON TABLE public.mail_sender TO old_lookup;

GRANT SELECT ON TABLE public.mail_users TO old_lookup;

GRANT SELECT ON TABLE public.mail_wildcard TO old_lookup;
