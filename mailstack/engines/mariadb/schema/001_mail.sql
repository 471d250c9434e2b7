-- Domains, users and aliases, with the tables and columns of the article.
--
-- Creates them, adopts those that somebody made by hand, and heals what was changed. Addresses differ in every
-- byte, trailing spaces included: hence the collation.

CREATE TABLE IF NOT EXISTS mail_domain (domain_name {domain_type} NOT NULL) {table};
CREATE TABLE IF NOT EXISTS mail_users (email {address_type} NOT NULL) {table};
CREATE TABLE IF NOT EXISTS mail_alias (
    source_email {address_type} NOT NULL,
    destination_email {address_type} NOT NULL
) {table};

ALTER TABLE mail_domain
    ADD COLUMN IF NOT EXISTS domain_name {domain_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS active {boolean};
ALTER TABLE mail_users
    ADD COLUMN IF NOT EXISTS email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS password {text} NOT NULL,
    ADD COLUMN IF NOT EXISTS home_directory {text},
    ADD COLUMN IF NOT EXISTS quota_mb BIGINT,
    ADD COLUMN IF NOT EXISTS active {boolean};
ALTER TABLE mail_alias
    ADD COLUMN IF NOT EXISTS source_email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS destination_email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS active {boolean};

-- The domain that an address belongs to, which the server derives; a column of that name that says the same
-- but was filled by hand gives way to it.
DELIMITER //
BEGIN NOT ATOMIC
    DECLARE differs BOOLEAN DEFAULT FALSE;
    FOR filled IN (
        SELECT table_name, IF(table_name = 'mail_users', 'email', 'source_email') AS address
        FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name IN ('mail_users', 'mail_alias')
            AND column_name = 'domain_name' AND is_generated = 'NEVER'
    ) DO
        EXECUTE IMMEDIATE CONCAT(
            'SELECT EXISTS (SELECT 1 FROM ', filled.table_name,
            ' WHERE LOWER(domain_name) <> LOWER(SUBSTRING_INDEX(', filled.address, ', ''@'', -1))) INTO @differs'
        );
        IF @differs THEN
            SET @said = CONCAT(
                filled.table_name, '.domain_name is not the domain of the address in every row; ',
                'rename that column or correct its rows'
            );
            SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @said;
        END IF;
    END FOR;
END //
DELIMITER ;

-- NULL meant no: no lookup has ever found such a row.
UPDATE mail_domain SET active = FALSE WHERE active IS NULL;
UPDATE mail_users SET active = FALSE WHERE active IS NULL;
UPDATE mail_alias SET active = FALSE WHERE active IS NULL;

-- Columns and keys as they should be.
ALTER TABLE mail_domain
    MODIFY domain_name {domain_type} NOT NULL,
    MODIFY active {boolean},
    DROP INDEX IF EXISTS mailstack_domain_key,
    ADD UNIQUE INDEX mailstack_domain_key (domain_name),
    {table};
ALTER TABLE mail_users
    DROP INDEX IF EXISTS mailstack_users_domain,
    DROP COLUMN IF EXISTS domain_name;
ALTER TABLE mail_users
    MODIFY email {address_type} NOT NULL,
    MODIFY password {text} NOT NULL,
    MODIFY home_directory {text}, -- NULL: below the mail root
    MODIFY quota_mb BIGINT,
    MODIFY active {boolean},
    ADD COLUMN domain_name {domain_type} AS (LOWER(SUBSTRING_INDEX(email, '@', -1))) STORED,
    DROP INDEX IF EXISTS mailstack_users_key,
    ADD UNIQUE INDEX mailstack_users_key (email),
    ADD INDEX mailstack_users_domain (domain_name),
    {table};
ALTER TABLE mail_alias
    DROP INDEX IF EXISTS mailstack_alias_domain,
    DROP COLUMN IF EXISTS domain_name;
ALTER TABLE mail_alias
    MODIFY source_email {address_type} NOT NULL,
    MODIFY destination_email {address_type} NOT NULL,
    MODIFY active {boolean},
    ADD COLUMN domain_name {domain_type} AS (LOWER(SUBSTRING_INDEX(source_email, '@', -1))) STORED,
    DROP INDEX IF EXISTS mailstack_alias_key,
    ADD UNIQUE INDEX mailstack_alias_key (source_email, destination_email),
    ADD INDEX mailstack_alias_domain (domain_name),
    DROP INDEX IF EXISTS mailstack_alias_destination,
    ADD INDEX mailstack_alias_destination (destination_email),
    {table};

-- Where an alias points to: in lower case if it is ours; elsewhere the local part keeps its case (RFC 5321, 2.4).
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

-- Addresses of ours are stored in lower case, because Postfix and Dovecot look them up so.
CREATE TRIGGER mailstack_domain_insert BEFORE INSERT ON mail_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name);
CREATE TRIGGER mailstack_domain_update BEFORE UPDATE ON mail_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name);
CREATE TRIGGER mailstack_users_insert BEFORE INSERT ON mail_users FOR EACH ROW
    SET NEW.email = LOWER(NEW.email);
CREATE TRIGGER mailstack_users_update BEFORE UPDATE ON mail_users FOR EACH ROW
    SET NEW.email = LOWER(NEW.email);
CREATE TRIGGER mailstack_alias_insert BEFORE INSERT ON mail_alias FOR EACH ROW
    SET NEW.source_email = LOWER(NEW.source_email),
        NEW.destination_email = mailstack_destination(NEW.destination_email);
CREATE TRIGGER mailstack_alias_update BEFORE UPDATE ON mail_alias FOR EACH ROW
    SET NEW.source_email = LOWER(NEW.source_email),
        NEW.destination_email = mailstack_destination(NEW.destination_email);

-- The form of an address, by the patterns of mailstack/addresses.py; "$" there would let a newline pass.
ALTER TABLE mail_domain
    ADD CONSTRAINT mailstack_domain_form CHECK (domain_name REGEXP {domain} AND LOCATE('\n', domain_name) = 0);
ALTER TABLE mail_users
    ADD CONSTRAINT mailstack_users_form CHECK (
        email = CONCAT(SUBSTRING_INDEX(email, '@', 1), '@', SUBSTRING_INDEX(email, '@', -1))
        AND SUBSTRING_INDEX(email, '@', 1) REGEXP {mailbox_local_part}
        AND SUBSTRING_INDEX(email, '@', -1) REGEXP {domain}
        AND LENGTH(email) <= {max_address} AND LOCATE('\n', email) = 0
    ),
    ADD CONSTRAINT mailstack_users_password CHECK (password <> ''),
    ADD CONSTRAINT mailstack_users_quota CHECK (quota_mb >= 0),
    ADD CONSTRAINT mailstack_users_home CHECK (
        home_directory REGEXP '^/' AND home_directory NOT REGEXP '[[:cntrl:]]|(^|/)[.][.](/|$)'
    ),
    ADD CONSTRAINT mailstack_users_domain FOREIGN KEY (domain_name) REFERENCES mail_domain (domain_name);
ALTER TABLE mail_alias
    ADD CONSTRAINT mailstack_alias_source_form CHECK (
        source_email
            = CONCAT(SUBSTRING_INDEX(source_email, '@', 1), '@', SUBSTRING_INDEX(source_email, '@', -1))
        AND (source_email REGEXP '^@' OR SUBSTRING_INDEX(source_email, '@', 1) REGEXP {mailbox_local_part})
        AND SUBSTRING_INDEX(source_email, '@', -1) REGEXP {domain}
        AND LENGTH(source_email) <= {max_address} AND LOCATE('\n', source_email) = 0
    ),
    ADD CONSTRAINT mailstack_alias_destination_form CHECK (
        destination_email
            = CONCAT(SUBSTRING_INDEX(destination_email, '@', 1), '@', SUBSTRING_INDEX(destination_email, '@', -1))
        AND SUBSTRING_INDEX(destination_email, '@', 1) REGEXP {local_part}
        AND SUBSTRING_INDEX(destination_email, '@', -1) REGEXP {domain}
        AND LENGTH(destination_email) <= {max_address} AND LOCATE('\n', destination_email) = 0
    ),
    ADD CONSTRAINT mailstack_alias_domain FOREIGN KEY (domain_name) REFERENCES mail_domain (domain_name);
