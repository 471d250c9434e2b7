-- Logins: app passwords, when a user last logged in, and hashes that are replaced by better ones.

-- What the hash came from that a login put in the place of an older one: see mailstack_upgrade_password.
ALTER TABLE mail_users ADD IF NOT EXISTS password_origin text;
ALTER TABLE mail_users
    ALTER password_origin DROP NOT NULL, ALTER password_origin DROP DEFAULT, ALTER password_origin TYPE text;

CREATE TABLE IF NOT EXISTS mail_app_password (email text NOT NULL);
CREATE TABLE IF NOT EXISTS mail_last_login (email text NOT NULL);
ALTER TABLE mail_app_password DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_last_login DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_app_password
    ADD IF NOT EXISTS email text,
    ADD IF NOT EXISTS name text,
    ADD IF NOT EXISTS digest text,
    ADD IF NOT EXISTS service text DEFAULT 'all';
ALTER TABLE mail_last_login
    ADD IF NOT EXISTS email text,
    ADD IF NOT EXISTS service text,
    ADD IF NOT EXISTS at timestamptz;

-- Rules are dropped and made anew, so that they are as written here whatever they were.
ALTER TABLE mail_app_password
    DROP CONSTRAINT IF EXISTS mailstack_app_password_key,
    DROP CONSTRAINT IF EXISTS mailstack_app_password_digest,
    DROP CONSTRAINT IF EXISTS mailstack_app_password_form,
    DROP CONSTRAINT IF EXISTS mailstack_app_password_user;
ALTER TABLE mail_last_login
    DROP CONSTRAINT IF EXISTS mailstack_last_login_key,
    DROP CONSTRAINT IF EXISTS mailstack_last_login_user;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_app_password;
DROP FUNCTION IF EXISTS mailstack_fold_app_password();
DROP FUNCTION IF EXISTS mailstack_record_login(text, text, integer);
DROP FUNCTION IF EXISTS mailstack_upgrade_password(text, text);

ALTER TABLE mail_app_password
    ALTER email DROP DEFAULT, ALTER email TYPE text, ALTER email SET NOT NULL,
    ALTER name DROP DEFAULT, ALTER name TYPE text, ALTER name SET NOT NULL,
    ALTER digest DROP DEFAULT, ALTER digest TYPE text, ALTER digest SET NOT NULL,
    ALTER service DROP DEFAULT, ALTER service TYPE text, ALTER service SET NOT NULL,
    ALTER service SET DEFAULT 'all';
ALTER TABLE mail_last_login
    ALTER email DROP DEFAULT, ALTER email TYPE text, ALTER email SET NOT NULL,
    ALTER service DROP DEFAULT, ALTER service TYPE text, ALTER service SET NOT NULL,
    ALTER at DROP DEFAULT, ALTER at TYPE timestamptz USING at::text::timestamptz, ALTER at SET NOT NULL;

CREATE FUNCTION mailstack_fold_app_password() RETURNS trigger LANGUAGE plpgsql AS $fold$
BEGIN
    NEW.email := lower(NEW.email COLLATE "C");
    RETURN NEW;
END $fold$;
REVOKE ALL ON FUNCTION mailstack_fold_app_password() FROM PUBLIC;
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_app_password
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold_app_password();

-- digest: see passwords.app_digest. A login finds its row by it, so one user has it once.
ALTER TABLE mail_app_password
    ADD CONSTRAINT mailstack_app_password_key PRIMARY KEY (email, name),
    ADD CONSTRAINT mailstack_app_password_digest UNIQUE (email, digest),
    ADD CONSTRAINT mailstack_app_password_form CHECK (
        name ~ {app_password_name} AND digest ~ '^[0-9a-f]{64}$' AND service IN ('all', 'imap', 'smtp')
    ),
    ADD CONSTRAINT mailstack_app_password_user FOREIGN KEY (email) REFERENCES mail_users (email)
        ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE mail_last_login
    ADD CONSTRAINT mailstack_last_login_key PRIMARY KEY (email, service),
    ADD CONSTRAINT mailstack_last_login_user FOREIGN KEY (email) REFERENCES mail_users (email)
        ON UPDATE CASCADE ON DELETE CASCADE;

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
GRANT SELECT ON mail_app_password TO {lookup};

-- What upgrades hashes can do that, and read nothing.
DO $mailstack$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {upgrade}', current_database()); END $mailstack$;
GRANT USAGE ON SCHEMA public TO {upgrade};
GRANT EXECUTE ON FUNCTION mailstack_upgrade_password(text, text) TO {upgrade};
