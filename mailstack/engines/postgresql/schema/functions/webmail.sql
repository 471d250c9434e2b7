-- Webmail: users change their password, and have app passwords. The role of webmail can't read mail_users, and changes nothing without a proof:
-- the stored hash, which only those can make who know the password. With the salt alone, nobody can.

-- The part of a stored hash that its maker needs: scheme, costs and salt, without the digest. NULL for a user that does not
-- exist or is disabled.
CREATE FUNCTION mailstack_password_salt(login text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $salt$
    SELECT CASE
        -- bcrypt: its salt has 22 characters, and its digest 31
        WHEN u.password ~ '^([{][A-Z0-9-]*CRYPT[}])?[$]2[aby][$][0-9]+[$]' THEN left(u.password, -31)
        -- of these schemes alone: clear text may have a $, too
        WHEN u.password ~ '^([{]([A-Z0-9-]*CRYPT|ARGON2ID?|PBKDF2)[}])?[$]' THEN regexp_replace(u.password, '[^$]*$', '')
        -- base64 of the digest and the salt after it
        ELSE (
            SELECT d.scheme || encode(substr(decode(substr(u.password, length(d.scheme) + 1), 'base64'), d.bytes + 1), 'base64')
            FROM (VALUES ('{SSHA512}', 64), ('{SSHA256}', 32), ('{SSHA}', 20), ('{SMD5}', 16)) AS d (scheme, bytes)
            WHERE u.password ~ '^[{][A-Z0-9]+[}][A-Za-z0-9+/]+=*$' AND starts_with(u.password, d.scheme)
        )
    END
    FROM mail_users AS u WHERE u.email = login AND u.active
$salt$;

-- Whether it is the hash of the user's password. A wrong one takes a second, as a wrong login does.
CREATE FUNCTION mailstack_is_proof(login text, proof text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $proof$
BEGIN
    IF EXISTS (SELECT FROM mail_users WHERE email = login AND password = proof AND active) THEN
        RETURN true;
    END IF;
    PERFORM pg_sleep(1);
    RETURN false;
END $proof$;

-- Give a user a new password, as a hash of the current scheme. The inventory may still declare the hash of before, so
-- nothing says that this one replaced it (password_origin).
CREATE FUNCTION mailstack_change_password(login text, proof text, changed text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $change$
DECLARE
    done boolean;
BEGIN
    IF NOT mailstack_is_proof(login, proof) THEN
        RETURN false;
    END IF;
    UPDATE mail_users SET password = changed, password_origin = NULL
    WHERE email = login AND password = proof AND changed ~ {current_hash};
    done := FOUND;
    SET CONSTRAINTS ALL IMMEDIATE; -- at the end of the transaction the role without rights would check them
    RETURN done;
END $change$;

-- The app passwords of a user, and when each was last used.
CREATE FUNCTION mailstack_app_passwords(login text, proof text)
    RETURNS TABLE (called text, opens text, used timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $list$
BEGIN
    IF mailstack_is_proof(login, proof) THEN
        RETURN QUERY SELECT a.name, a.service, a.used_at FROM mail_app_password AS a WHERE a.email = login ORDER BY a.name;
    END IF;
END $list$;

-- Give a user a further app password, up to fifty. An error would have its digest in the server's log.
CREATE FUNCTION mailstack_add_app_password(login text, proof text, called text, made text, opens text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $add$
BEGIN
    IF NOT mailstack_is_proof(login, proof) OR (SELECT count(*) >= 50 FROM mail_app_password WHERE email = login) THEN
        RETURN false;
    END IF;
    INSERT INTO mail_app_password (email, name, digest, service) VALUES (login, called, made, opens);
    SET CONSTRAINTS ALL IMMEDIATE; -- at the end of the transaction the role without rights would check them
    RETURN true;
EXCEPTION WHEN unique_violation OR check_violation THEN
    RETURN false;
END $add$;

-- Take an app password away.
CREATE FUNCTION mailstack_remove_app_password(login text, proof text, called text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $remove$
DECLARE
    done boolean;
BEGIN
    IF NOT mailstack_is_proof(login, proof) THEN
        RETURN false;
    END IF;
    DELETE FROM mail_app_password WHERE email = login AND name = called;
    done := FOUND;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN done;
END $remove$;

-- The directory of a user's mail, by which webmail knows whose an address book is: it stays when the address changes, and is
-- never given to another. Also of a disabled user, who may come back.
CREATE FUNCTION mailstack_directory_of(login text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $directory$
    SELECT u.mail_directory FROM mail_users AS u WHERE u.email = login
$directory$;

-- Whether a user has this directory.
CREATE FUNCTION mailstack_has_directory(asked text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $has$
    SELECT EXISTS (SELECT FROM mail_users AS u WHERE u.mail_directory = asked)
$has$;

REVOKE ALL ON FUNCTION mailstack_password_salt(text), mailstack_is_proof(text, text), mailstack_directory_of(text),
    mailstack_has_directory(text),
    mailstack_change_password(text, text, text), mailstack_app_passwords(text, text),
    mailstack_add_app_password(text, text, text, text, text), mailstack_remove_app_password(text, text, text) FROM PUBLIC;

-- The role has a schema of its own name, which is the first that it looks in. Tables in it are its own.
DO $mailstack$
DECLARE
    webmail text := {webmail_name};
BEGIN
    IF webmail <> '' THEN
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', webmail);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', webmail);
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', webmail, webmail);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), webmail);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', webmail);
        EXECUTE format('GRANT EXECUTE ON FUNCTION mailstack_password_salt(text), mailstack_is_proof(text, text),
            mailstack_directory_of(text), mailstack_has_directory(text),
            mailstack_change_password(text, text, text), mailstack_app_passwords(text, text),
            mailstack_add_app_password(text, text, text, text, text), mailstack_remove_app_password(text, text, text)
            TO %I', webmail);
    END IF;
END $mailstack$;
