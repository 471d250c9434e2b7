-- Addresses in this server's domains are stored in lower case, as Postfix and Dovecot look them up.

-- A destination: in lower case in this server's domains; elsewhere the local part keeps its case (RFC 5321, 2.4).
DELIMITER //
CREATE OR REPLACE FUNCTION mailstack_destination(address {address_type}) RETURNS {address_type}
    READS SQL DATA
BEGIN
    DECLARE domain {address_type} DEFAULT LOWER(SUBSTRING_INDEX(address, '@', -1));
    IF EXISTS (SELECT 1 FROM mail_domain d WHERE d.domain_name = domain)
        OR EXISTS (SELECT 1 FROM mail_alias_domain x WHERE x.alias_domain = domain)
    THEN
        RETURN LOWER(address);
    END IF;
    RETURN CONCAT(LEFT(address, CHAR_LENGTH(address) - CHAR_LENGTH(domain)), domain);
END //
DELIMITER ;

{fold_triggers}
