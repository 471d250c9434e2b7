-- Aliases in a circle are refused, and so are addresses in an alias domain.

DELIMITER //

-- Mail to a circle would always be 550. An alias with its own address among its destinations keeps a copy, and is no
-- circle. Addresses that differ only in +detail or case are the same. Concurrent writers wait for each other, so that
-- neither closes a circle with the other's rows.
CREATE OR REPLACE FUNCTION mailstack_bare(address {address_type}) RETURNS {address_type}
    DETERMINISTIC NO SQL
    RETURN LOWER(CONCAT(
        SUBSTRING_INDEX(SUBSTRING_INDEX(address, '@', 1), '+', 1), '@', SUBSTRING_INDEX(address, '@', -1)
    )) //
CREATE OR REPLACE FUNCTION mailstack_in_circle(source {address_type}, destination {address_type}) RETURNS BOOLEAN
    READS SQL DATA
    RETURN source <> LOWER(destination) AND EXISTS (
        WITH RECURSIVE target (address) AS (
            SELECT CAST(mailstack_bare(destination) AS CHAR(254) CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin
            UNION
            SELECT mailstack_bare(a.destination_email)
            FROM target STRAIGHT_JOIN mail_alias a ON a.source_email = target.address
            WHERE a.active
            UNION
            SELECT CONCAT(SUBSTRING_INDEX(target.address, '@', 1), '@', x.domain_name)
            FROM target STRAIGHT_JOIN mail_alias_domain x
                ON x.alias_domain = SUBSTRING_INDEX(target.address, '@', -1)
        )
        SELECT 1 FROM target WHERE address = source
    ) //

CREATE OR REPLACE PROCEDURE mailstack_check_alias(source {address_type}, destination {address_type}, active BOOLEAN)
    READS SQL DATA
BEGIN
    DECLARE held VARCHAR(16);
    DECLARE said TEXT;
    SELECT name INTO held FROM mailstack_lock WHERE name = 'circle' FOR UPDATE;
    IF active AND mailstack_in_circle(source, destination) THEN
        SET said = CONCAT('mailstack_circle: the alias ', source, ' -> ', destination, ' would close a circle');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END //
CREATE TRIGGER mailstack_circle_insert AFTER INSERT ON mail_alias FOR EACH ROW
    CALL mailstack_check_alias(NEW.source_email, NEW.destination_email, NEW.active) //
CREATE TRIGGER mailstack_circle_update AFTER UPDATE ON mail_alias FOR EACH ROW
    CALL mailstack_check_alias(NEW.source_email, NEW.destination_email, NEW.active) //

-- A domain has its own addresses, or as an alias domain those of another one.
CREATE OR REPLACE PROCEDURE mailstack_check_domain(domain {domain_type}, is_alias BOOLEAN)
    READS SQL DATA
BEGIN
    DECLARE held VARCHAR(16);
    DECLARE said TEXT;
    SELECT name INTO held FROM mailstack_lock WHERE name = 'circle' FOR UPDATE;
    IF EXISTS (SELECT 1 FROM mail_alias_domain WHERE alias_domain = domain)
        AND EXISTS (SELECT 1 FROM mail_domain WHERE domain_name = domain)
    THEN
        SET said = CONCAT('mailstack_one_meaning: ', domain, ' would be a domain and an alias domain');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
    IF is_alias AND EXISTS (
        SELECT 1 FROM mail_alias a
        WHERE a.active AND SUBSTRING_INDEX(a.destination_email, '@', -1) = domain
            AND mailstack_in_circle(a.source_email, a.destination_email)
    ) THEN
        SET said = CONCAT('mailstack_circle: the alias domain ', domain, ' would close a circle of aliases');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END //
CREATE TRIGGER mailstack_one_meaning_insert AFTER INSERT ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.alias_domain, TRUE) //
CREATE TRIGGER mailstack_one_meaning_update AFTER UPDATE ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.alias_domain, TRUE) //
CREATE TRIGGER mailstack_domain_meaning_insert AFTER INSERT ON mail_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.domain_name, FALSE) //
CREATE TRIGGER mailstack_domain_meaning_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.domain_name, FALSE) //

DELIMITER ;
