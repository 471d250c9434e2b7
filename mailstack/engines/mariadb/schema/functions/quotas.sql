-- Quotas: the largest mailbox, in MiB and in messages, and the largest sum of these for a domain.
--
-- A user without a quota has its domain's default for users. NULL or 0 is no limit.

DELIMITER //

-- The sum of users' quotas is at most their domain's, and so is their mail, without counting it. MariaDB checks each row
-- at once. To change users and domains together, set @mailstack_later, and call this with NULL, for all domains, before
-- the end of the transaction.
CREATE OR REPLACE PROCEDURE mailstack_check_quotas(domain {domain_type})
    READS SQL DATA
BEGIN
    DECLARE said TEXT;
    IF domain IS NOT NULL AND (
        @mailstack_later OR NOT EXISTS (
            SELECT 1 FROM mail_domain WHERE domain_name = domain AND (quota_mb > 0 OR quota_messages > 0)
        )
    ) THEN
        SET domain = '';
    END IF;
    SELECT IF(
        unlimited,
        CONCAT('the domain ', name, ' has a quota of ', quota, ' ', unit, ', so every user in it needs one'),
        CONCAT(
            'the quotas of the users in ', name, ' add up to ', parts, ' ', unit, ', more than the ', quota,
            ' of the domain'
        )
    ) INTO said
    FROM (
        SELECT d.domain_name AS name, 'MiB' AS unit, d.quota_mb AS quota,
            MAX(COALESCE(u.quota_mb, d.user_quota_mb, 0) = 0) AS unlimited,
            SUM(COALESCE(u.quota_mb, d.user_quota_mb, 0)) AS parts
        FROM mail_domain d JOIN mail_users u ON u.domain_name = d.domain_name
        WHERE d.quota_mb > 0 AND (domain IS NULL OR d.domain_name = domain)
        GROUP BY d.domain_name, d.quota_mb
        UNION ALL
        SELECT d.domain_name, 'messages', d.quota_messages,
            MAX(COALESCE(u.quota_messages, d.user_quota_messages, 0) = 0),
            SUM(COALESCE(u.quota_messages, d.user_quota_messages, 0))
        FROM mail_domain d JOIN mail_users u ON u.domain_name = d.domain_name
        WHERE d.quota_messages > 0 AND (domain IS NULL OR d.domain_name = domain)
        GROUP BY d.domain_name, d.quota_messages
    ) AS resources
    WHERE unlimited OR parts > quota
    LIMIT 1;
    IF said IS NOT NULL THEN
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END //
CREATE TRIGGER mailstack_quota_users_insert AFTER INSERT ON mail_users FOR EACH ROW
    CALL mailstack_check_quotas(NEW.domain_name) //
CREATE TRIGGER mailstack_quota_users_update AFTER UPDATE ON mail_users FOR EACH ROW
    IF NOT (NEW.email = OLD.email AND NEW.quota_mb <=> OLD.quota_mb AND NEW.quota_messages <=> OLD.quota_messages)
    THEN
        CALL mailstack_check_quotas(NEW.domain_name);
    END IF //
CREATE TRIGGER mailstack_quota_domain_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_quotas(NEW.domain_name) //

DELIMITER ;
