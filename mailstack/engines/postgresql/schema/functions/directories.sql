-- The directories of users' mail. Files on disk belong to a user and not to its address: a new user with the address
-- of a removed one does not get its mail, Sieve scripts or rights.

-- DOMAIN/LOCAL-PART.RANDOM: the name shows the first address, and no other user ever had it.
CREATE FUNCTION mailstack_give_directory() RETURNS trigger LANGUAGE plpgsql AS $give$
BEGIN
    NEW.mail_directory := coalesce(
        NEW.mail_directory,
        lower((split_part(NEW.email, '@', 2) || '/' || split_part(NEW.email, '@', 1)) COLLATE "C")
            || '.' || right(gen_random_uuid()::text, 12)
    );
    RETURN NEW;
END $give$;
CREATE TRIGGER mailstack_give_directory BEFORE INSERT ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_give_directory();

-- The records of removed users.
CREATE FUNCTION mailstack_keep_former() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $former$
BEGIN
    INSERT INTO mail_former_users (email, directory)
    VALUES (OLD.email, coalesce(OLD.home_directory, OLD.mail_directory));
    RETURN NULL;
END $former$;
CREATE TRIGGER mailstack_keep_former AFTER DELETE ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_keep_former();

CREATE FUNCTION mailstack_keep_address() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $former$
BEGIN
    -- a separate IF, as a DELETE has no NEW
    IF TG_OP = 'UPDATE' THEN
        IF lower(NEW.email COLLATE "C") = lower(OLD.email COLLATE "C") THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO mail_former_addresses (email) VALUES (lower(OLD.email COLLATE "C")) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $former$;
CREATE TRIGGER mailstack_keep_address AFTER DELETE OR UPDATE OF email ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_keep_address();

REVOKE ALL ON FUNCTION mailstack_give_directory(), mailstack_keep_former(), mailstack_keep_address() FROM PUBLIC;
