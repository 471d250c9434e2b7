-- Domains that mail is relayed to, as a backup MX does, and who is known there: everybody else is refused at
-- RCPT, as what we took and the primary refuses would become a bounce to a forged sender.

CREATE TABLE IF NOT EXISTS mail_relay_domain (domain_name {domain_type} NOT NULL) {table};
CREATE TABLE IF NOT EXISTS mail_relay_recipient (address {address_type} NOT NULL) {table};
ALTER TABLE mail_relay_domain
    ADD COLUMN IF NOT EXISTS domain_name {domain_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS any_recipient {no},
    ADD COLUMN IF NOT EXISTS active {boolean};
ALTER TABLE mail_relay_recipient
    ADD COLUMN IF NOT EXISTS address {address_type} NOT NULL;
UPDATE mail_relay_domain SET any_recipient = COALESCE(any_recipient, FALSE), active = COALESCE(active, TRUE)
    WHERE any_recipient IS NULL OR active IS NULL;

ALTER TABLE mail_relay_domain
    MODIFY domain_name {domain_type} NOT NULL,
    MODIFY any_recipient {no},
    MODIFY active {boolean},
    DROP INDEX IF EXISTS mailstack_relay_domain_key,
    ADD UNIQUE INDEX mailstack_relay_domain_key (domain_name),
    {table};
-- domain_name of a recipient is what the server derives, whatever stood there
ALTER TABLE mail_relay_recipient
    DROP INDEX IF EXISTS mailstack_relay_recipient_domain,
    DROP COLUMN IF EXISTS domain_name;
ALTER TABLE mail_relay_recipient
    MODIFY address {address_type} NOT NULL,
    ADD COLUMN domain_name {domain_type} AS (LOWER(SUBSTRING_INDEX(address, '@', -1))) STORED,
    DROP INDEX IF EXISTS mailstack_relay_recipient_key,
    ADD UNIQUE INDEX mailstack_relay_recipient_key (address),
    ADD INDEX mailstack_relay_recipient_domain (domain_name),
    {table};

CREATE TRIGGER mailstack_relay_domain_insert BEFORE INSERT ON mail_relay_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name);
CREATE TRIGGER mailstack_relay_domain_update BEFORE UPDATE ON mail_relay_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name);
CREATE TRIGGER mailstack_relay_recipient_insert BEFORE INSERT ON mail_relay_recipient FOR EACH ROW
    SET NEW.address = LOWER(NEW.address);
CREATE TRIGGER mailstack_relay_recipient_update BEFORE UPDATE ON mail_relay_recipient FOR EACH ROW
    SET NEW.address = LOWER(NEW.address);

DELIMITER //

-- A domain is in one of Postfix's address classes: its mailboxes are here, or its mail goes on.
CREATE OR REPLACE PROCEDURE mailstack_check_class(domain {domain_type})
    READS SQL DATA
BEGIN
    DECLARE held VARCHAR(16);
    DECLARE said TEXT;
    SELECT name INTO held FROM mailstack_lock WHERE name = 'circle' FOR UPDATE;
    IF EXISTS (SELECT 1 FROM mail_relay_domain WHERE domain_name = domain) AND (
        EXISTS (SELECT 1 FROM mail_domain WHERE domain_name = domain)
        OR EXISTS (SELECT 1 FROM mail_alias_domain WHERE alias_domain = domain)
    ) THEN
        SET said = CONCAT('mailstack_one_class: ', domain, ' would be a domain of ours and a relay domain');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END //
CREATE TRIGGER mailstack_class_relay_insert AFTER INSERT ON mail_relay_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) //
CREATE TRIGGER mailstack_class_relay_update AFTER UPDATE ON mail_relay_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) //
CREATE TRIGGER mailstack_class_alias_insert AFTER INSERT ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.alias_domain) //
CREATE TRIGGER mailstack_class_alias_update AFTER UPDATE ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.alias_domain) //
CREATE TRIGGER mailstack_class_domain_insert AFTER INSERT ON mail_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) //
CREATE TRIGGER mailstack_class_domain_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) //

DELIMITER ;

ALTER TABLE mail_relay_domain
    ADD CONSTRAINT mailstack_relay_domain_form CHECK (
        domain_name REGEXP {domain} AND LOCATE('\n', domain_name) = 0
    );
ALTER TABLE mail_relay_recipient
    ADD CONSTRAINT mailstack_relay_recipient_form CHECK (
        address = CONCAT(SUBSTRING_INDEX(address, '@', 1), '@', SUBSTRING_INDEX(address, '@', -1))
        AND SUBSTRING_INDEX(address, '@', 1) REGEXP {local_part}
        AND LENGTH(address) <= {max_address} AND LOCATE('\n', address) = 0
    ),
    ADD CONSTRAINT mailstack_relay_recipient_domain FOREIGN KEY (domain_name)
        REFERENCES mail_relay_domain (domain_name) ON DELETE CASCADE;
