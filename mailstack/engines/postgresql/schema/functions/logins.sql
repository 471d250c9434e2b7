-- Logins: when a user last logged in, and hashes that are replaced by better ones.

-- Record a good login, unless one is recorded of the last so many minutes. Returns no row: Dovecot asks after
-- a login, and must not take anything for an answer. Whatever goes wrong is a warning in PostgreSQL's log and no
-- error, which would cost Dovecot the connection; and a row that somebody holds is not waited for.
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

-- Put a hash of today's scheme in the place of an older one, and never in the place of another. What is
-- declared is the older one: password_origin tells, for these two hashes together, that one came from the
-- other. It is not recorded of a hash without a salt, which it would help to guess.
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
    SET CONSTRAINTS ALL IMMEDIATE; -- at the end of the transaction they would be checked as who may read nothing
    RETURN done;
END $upgrade$;
REVOKE ALL ON FUNCTION mailstack_record_login(text, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION mailstack_upgrade_password(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION mailstack_record_login(text, text, integer) TO {lookup};

-- What upgrades hashes can do that, and read nothing.
DO $mailstack$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {upgrade}', current_database()); END $mailstack$;
GRANT USAGE ON SCHEMA public TO {upgrade};
GRANT EXECUTE ON FUNCTION mailstack_upgrade_password(text, text) TO {upgrade};
