-- Quotas: the largest mailbox, in MiB and in messages, and the largest sum of these for a domain.
--
-- A user without a quota has its domain's default for users. NULL or 0 is no limit.

-- The sum of users' quotas is at most their domain's, and so is their mail, without counting it. This is checked at the
-- end of the transaction, so that users and domains may change in any order. It is checked once for each domain: a sum
-- for each of ten thousand users would read a hundred million rows. mailstack.added_up has the domains that were
-- checked, until the next statement changes a row.
CREATE FUNCTION mailstack_quota() RETURNS trigger LANGUAGE plpgsql AS $quota$
DECLARE
    one record;
    done text := coalesce(current_setting('mailstack.added_up', true), '');
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'mail_users' THEN
        IF (NEW.email, NEW.quota_mb, NEW.quota_messages)
            IS NOT DISTINCT FROM (OLD.email, OLD.quota_mb, OLD.quota_messages)
        THEN
            RETURN NULL; -- such as a new password
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
END $quota$;
CREATE FUNCTION mailstack_quota_again() RETURNS trigger LANGUAGE plpgsql AS $again$
BEGIN
    PERFORM set_config('mailstack.added_up', '', true);
    RETURN NULL;
END $again$;
REVOKE ALL ON FUNCTION mailstack_quota(), mailstack_quota_again() FROM PUBLIC;
CREATE TRIGGER mailstack_quota_again BEFORE INSERT OR UPDATE ON mail_users
    FOR EACH STATEMENT EXECUTE FUNCTION mailstack_quota_again();
CREATE TRIGGER mailstack_quota_again BEFORE INSERT OR UPDATE ON mail_domain
    FOR EACH STATEMENT EXECUTE FUNCTION mailstack_quota_again();
CREATE CONSTRAINT TRIGGER mailstack_quota AFTER INSERT OR UPDATE ON mail_users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mailstack_quota();
CREATE CONSTRAINT TRIGGER mailstack_quota AFTER INSERT OR UPDATE ON mail_domain
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mailstack_quota();
