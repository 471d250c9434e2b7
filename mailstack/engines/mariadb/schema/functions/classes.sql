DELIMITER //

-- A domain is in one of Postfix's address classes (ADDRESS_CLASS_README): it has mailboxes, or its mail is relayed.
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
