-- Logins: the last login of a user, and the upgrade of hashes.

-- Record a login, unless one was recorded in the last so many minutes. Returns no row: Dovecot runs this after a login,
-- and would use any row as a result. An error only causes a warning in PostgreSQL's log, as Dovecot would drop the
-- connection. It does not wait for a locked row.
CREATE FUNCTION mailstack_record_login(login text, used text, minutes integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $record$
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
END $record$;

-- Whether an app password of the user has this digest and is for this service. It records the use, as
-- mailstack_record_login does; with 0 minutes it records none, as the connection is read-only then.
CREATE FUNCTION mailstack_use_app_password(login text, sent text, used text, minutes integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $use$
DECLARE
    last timestamptz;
BEGIN
    SELECT coalesce(a.used_at, '-infinity') INTO last FROM mail_app_password AS a
    WHERE a.email = login AND a.digest = sent
        AND (a.service = 'all' OR a.service = 'imap' AND used IN ('imap', 'pop3') OR a.service = used);
    IF last IS NULL THEN
        RETURN false;
    END IF;
    IF minutes > 0 AND last <= now() - make_interval(mins => minutes) THEN
        BEGIN
            UPDATE mail_app_password SET used_at = now() WHERE email = login AND digest = sent;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'use of an app password not recorded: %', SQLERRM;
        END;
    END IF;
    RETURN true;
END $use$;

-- Replace a hash of an older scheme with one of the current scheme, and never the other way. The inventory may still
-- declare the older one: password_origin, a digest of both hashes, proves that one replaced the other. It is not
-- stored for a hash without a salt, as it would help to guess that.
CREATE FUNCTION mailstack_upgrade_password(login text, upgraded text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $upgrade$
DECLARE
    done boolean;
BEGIN
    UPDATE mail_users SET
        password = upgraded,
        password_origin = CASE WHEN password ~ {salted_hash} THEN
            encode(sha256(convert_to(password || E'\n' || upgraded, 'UTF8')), 'hex')
        END
    WHERE email = login AND password !~* '^[{]{current_scheme}[}]' AND upgraded ~ {current_hash};
    done := FOUND;
    SET CONSTRAINTS ALL IMMEDIATE; -- at the end of the transaction the role without rights would check them
    RETURN done;
END $upgrade$;
REVOKE ALL ON FUNCTION mailstack_record_login(text, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION mailstack_use_app_password(text, text, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION mailstack_upgrade_password(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION mailstack_record_login(text, text, integer) TO {lookup};
GRANT EXECUTE ON FUNCTION mailstack_use_app_password(text, text, text, integer) TO {lookup};

-- The role that upgrades hashes can do only that, and can't read.
DO $mailstack$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {upgrade}', current_database()); END $mailstack$;
GRANT USAGE ON SCHEMA public TO {upgrade};
GRANT EXECUTE ON FUNCTION mailstack_upgrade_password(text, text) TO {upgrade};
